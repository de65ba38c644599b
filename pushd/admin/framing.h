/* SPDX-License-Identifier: Apache-2.0 */
/* Refuses requests that two servers in a row could understand differently (RFC 9112, 3.2, 5.1, 6.3
 * and 11.2). */
#pragma once

#include "common/base/str.h"

/* libmicrohttpd 0.9 takes the first of several Content-Length, keeps the connection when
 * Content-Length and Transfer-Encoding stand together, reads "Name : value" as a header of another
 * name, and sends its own refusal of a missing Host with doubled headers. Zero-initialise, add each
 * header, then ask. */
struct admin_framing {
    unsigned hosts;
    unsigned bodies; /* headers that say how long the body is */
    uint64_t length;
    bool is_malformed;
};

void admin_framing_add(struct admin_framing *f, struct span name, struct span value);
/* `version` as in the request line, "HTTP/1.1". */
bool admin_framing_is_bad(const struct admin_framing *f, struct span version);
