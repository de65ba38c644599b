/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to a request, before it goes out. */
#pragma once

#include "common/base/str.h"

/* Zero it between requests with response_clear, which keeps the body's memory. */
struct response {
    int status;
    const char *content_type; /* NULL: none is sent */
    struct buf body;          /* its `max` limits the answer: beyond it the API answers 500 */
    const char *reason; /* header X-Pushd-Reason: the stable identifier of a refusal; NULL: none */
    const char *allow;  /* header Allow; NULL: none */
    bool no_store;      /* Cache-Control: no-store */
};

void response_clear(struct response *r);
void response_free(struct response *r);

/* Sets status, type and body; `text` is constant. */
void response_text(struct response *r, int status, const char *text);
void response_empty(struct response *r, int status);
/* The body is JSON that the caller has written or is going to write. */
void response_json(struct response *r, int status);

/* Appends the header block as a FastCGI responder writes it (RFC 3875, 6.3), up to and with the
 * empty line. */
void response_head(const struct response *r, struct buf *out);

/* The reason phrase of a status, "" for one that we do not use. */
const char *response_phrase(int status);
