/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP/1.1 request and its answer. */
#pragma once

#include "pushctl/net.h"

#define HTTP_MAX_HEAD_BYTES 65536
#define HTTP_MAX_BODY_BYTES (64 << 20)

struct http_answer {
    int status;
    size_t head_bytes; /* of raw: status line and headers with the empty line */
    struct buf raw;    /* everything that came so far */
    struct buf body;
};

void http_answer_fini(struct http_answer *a);

/* Value of a header, trimmed; p == NULL when absent. Names have no case. */
struct span http_header(const struct http_answer *a, const char *name);

/* Reads status line and headers from the socket; what came behind them stays in raw. ERR_SYNTAX
 * when it is no HTTP/1. */
int http_read_head(int fd, int64_t deadline_ms, struct http_answer *a, struct err *e);

/* Posts JSON to the path of the URL. `key` goes into X-API-Key unless it is "". 0 for any status.
 */
int http_post(const struct net_url *u, const char *key, struct span body, int64_t timeout_ms,
              struct http_answer *a, struct err *e);

/* What a status that is no success means to somebody who calls push-api through a web server, or
 * NULL. */
const char *http_advice(int status);
