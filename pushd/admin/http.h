/* SPDX-License-Identifier: Apache-2.0 */
/* A small HTTP/1.1 server on a libev loop: what libmicrohttpd gives, with the limits and checks
 * that it lacks. */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

#include <ev.h>

struct admin_http;

/* A complete request; all spans are borrowed until the handler returns. Absent headers are absent
 * spans. */
struct admin_request {
    struct span method;
    struct span path; /* percent-decoded, without the query */
    struct span accept;
    struct span authorization;
    struct span content_type;
    struct span body; /* at most ADMIN_HTTP_MAX_BODY bytes */
};

/* Handed to the handler as status 200 with an empty body. */
struct admin_response {
    unsigned status;
    const char *content_type; /* NULL: none */
    struct span page;         /* constant bytes that are sent instead of body when present */
    struct buf body;          /* taken over by the server */
    const char *security;     /* Content-Security-Policy, or NULL */
    const char *challenge;    /* WWW-Authenticate, or NULL */
    const char *allow;        /* Allow, or NULL */
    const char *location;     /* Location, or NULL */
    const char *vary;         /* Vary, or NULL */
    unsigned retry_after_s;   /* Retry-After, 0: none */
};

/* Fills the response; called on the loop's thread, must not block. The texts it sets live until the
 * next call. */
typedef void (*admin_handle_fn)(const struct admin_request *request,
                                struct admin_response *response, void *arg);

#define ADMIN_HTTP_MAX_BODY 65536

struct admin_http_opts {
    struct ev_loop *loop;
    int listen_fd; /* listening, owned by the server from here on, also on failure */
    int64_t request_timeout_ms;
    admin_handle_fn handle;
    void *arg;
};

/* NULL and e when libmicrohttpd cannot start. */
struct admin_http *admin_http_new(const struct admin_http_opts *opts, struct err *e);
/* Closes all connections. Not from inside a handler. */
void admin_http_free(struct admin_http *h);

/* Version of the library that is running. */
const char *admin_http_library_version(void);
