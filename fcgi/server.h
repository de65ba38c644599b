/* SPDX-License-Identifier: Apache-2.0 */
/* FastCGI connections handed to a few threads by one epoll set, so that a kept-alive connection never occupies a thread while it is
 * idle. Each thread reads, serves and answers one request at a time. */
#pragma once

#include "common/base/err.h"

struct FCGX_Request; /* of libfcgi */
struct server;
struct server_worker;

/* A peer has this long to send the head of a request. */
#define SERVER_READ_MS 2000

struct server_opts {
    int listener; /* listening socket, borrowed; is made non-blocking */
    size_t threads;
    /* Made and freed on the main thread, used by one worker each. */
    void *(*state_new)(void *arg);
    void (*state_free)(void *state);
    /* Serves an accepted request up to its end; the streams are flushed afterwards. */
    void (*serve)(void *state, struct server_worker *w, struct FCGX_Request *r);
    void *arg;
};

/* Starts the threads, which inherit the caller's signal mask: block all signals before. NULL and e when the system refuses. */
struct server *server_new(const struct server_opts *opts, struct err *e);

/* To be called a few times a second: cuts off connections whose time is over, accepts again after a lack of descriptors. */
void server_tick(struct server *s);

/* How long the busiest thread has worked on its request, in milliseconds; 0 when all are idle. */
int64_t server_busy_ms(struct server *s);

/* Stops accepting, lets the threads finish what has arrived, ends them, closes all connections and frees. */
void server_free(struct server *s);

/* For serve: the connection is cut off unless it is done, or this is called again, within ms. */
void server_set_deadline(struct server_worker *w, int64_t ms);
/* For serve: close the connection after the answer. */
void server_no_keep(struct server_worker *w);
