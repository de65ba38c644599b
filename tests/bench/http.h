/* SPDX-License-Identifier: Apache-2.0 */
/* A few kept HTTP/1.1 connections that POST JSON to the server API; one request at a time on each.
 */
#pragma once

#include "tests/bench/hist.h"
#include "tests/bench/poller.h"
#include "tests/bench/target.h"
#include "tests/bench/util.h"

#include <stdbool.h>

struct http_pool;

struct http_conn {
    struct source src;
    struct http_pool *pool;
    int fd;
    unsigned index;
    bool is_busy, wants_write;
    uint64_t asked_ns;
    struct obuf out;
    size_t in_len;
    char in[8192];
};

/* The connection is idle again; the callback may start the next request on it. */
typedef void (*http_done_fn)(struct http_conn *c, void *arg);

struct http_pool {
    struct poller *poller;
    const struct target *target; /* its path is the prefix, for example /api */
    const char *key;
    struct http_conn *conns;
    unsigned count;
    http_done_fn done;
    void *arg;
    uint64_t answered, failed, reconnects;
    struct hist latency;
    char first_failure[200];
};

/* poller, target, key, done and arg are set before. Connections are made at their first request,
   and again when the server has closed them. */
void http_pool_init(struct http_pool *p, unsigned count);
void http_pool_fini(struct http_pool *p);
/* POST prefix/method with this body. The connection must be idle. */
void http_post(struct http_conn *c, const char *method, const void *body, size_t n);
