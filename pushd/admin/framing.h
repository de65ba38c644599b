/* SPDX-License-Identifier: Apache-2.0 */
/* Refuses requests whose end two servers in a row could see at different places (RFC 9112, 6.3 and 11.2). */
#pragma once

#include "common/base/str.h"

/* libmicrohttpd 0.9 takes the first of several Content-Length, keeps the connection when Content-Length and Transfer-Encoding
 * stand together, and reads "Name : value" as a header of another name. Zero-initialise, add each header, look at is_bad. */
struct admin_framing {
    unsigned headers; /* that say how long the body is */
    uint64_t length;
    bool is_bad;
};

void admin_framing_add(struct admin_framing *f, struct span name, struct span value);
