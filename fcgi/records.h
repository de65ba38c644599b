/* SPDX-License-Identifier: Apache-2.0 */
/* FastCGI records, looked at before libfcgi gets them (FastCGI specification 1.0, sections 3 and
 * 5).
 *
 * libfcgi reads byte by byte as they come, so a slow sender would hold a thread; and it ends the
 * process with an assertion when the lengths of parameters are absurd, and leaks on malformed
 * management records. */
#pragma once

#include "common/base/str.h"

/* The largest head, up to the end of the parameters, that is accepted. Web servers limit request
 * headers to less. */
#define RECORDS_MAX_HEAD 65536

enum records_state {
    RECORDS_PARTIAL, /* well formed so far, but the head is not complete */
    RECORDS_READY,   /* all parameters are there */
    RECORDS_GARBAGE, /* not the beginning of a request that libfcgi may see */
};

/* Looks at what has arrived of one request: a BEGIN_REQUEST, the parameters, and as far as it is
 * there the body. All records have to belong to that request. `scratch` is memory for parameters in
 * several records. */
enum records_state records_check(const unsigned char *p, size_t n, struct buf *scratch);
