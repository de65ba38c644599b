/* SPDX-License-Identifier: Apache-2.0 */
/* FastCGI connections handed to a few threads by one epoll set, so that a kept-alive connection
 * occupies no thread while it is idle.
 *
 * A thread takes all connections that are ready (up to a limit), reads their requests, has those
 * that can be executed together executed together, and answers them. Requests that may take long
 * are spread over the threads. */
#pragma once

#include "common/base/err.h"

struct FCGX_Request; /* of libfcgi */
struct server;
struct server_job;

/* A peer has this long to send the head of a request. */
#define SERVER_READ_MS 2000

/* How many requests a thread takes at a time. */
#define SERVER_GROUP_MAX 16

/* What is left to do for a request that was read. */
enum server_step {
    SERVER_ANSWER, /* nothing: the answer is known */
    SERVER_GROUP,  /* execute it together with its like */
    SERVER_ALONE,  /* execute it by itself; it may take a while */
};

struct server_opts {
    int listener; /* listening socket, borrowed; is made non-blocking */
    size_t threads;
    void *arg; /* for the two _new */
    /* State of a thread. Made and freed on the main thread. */
    void *(*thread_new)(void *arg);
    void (*thread_free)(void *thread);
    /* State of a request, used again for later ones; one thread at a time. */
    void *(*job_new)(void *arg);
    void (*job_free)(void *job);
    /* Reads an accepted request. */
    enum server_step (*begin)(void *job, struct server_job *j, struct FCGX_Request *r);
    void (*group)(void *thread, void *const *jobs, size_t n);
    void (*alone)(void *thread, void *job);
    /* Writes the answer; the streams are flushed afterwards. */
    void (*answer)(void *job, struct FCGX_Request *r);
};

/* Starts the threads, which inherit the caller's signal mask: block all signals before. NULL and e
 * when the system refuses. */
struct server *server_new(const struct server_opts *opts, struct err *e);

/* Cuts off connections whose time is over, looks after slow senders, accepts again after a lack of
 * descriptors. Returns after how many milliseconds it wants to be called again. */
int64_t server_tick(struct server *s);

/* How long the oldest request in work has been so, in milliseconds; 0 when there is none. */
int64_t server_busy_ms(struct server *s);

/* Stops accepting, lets the threads finish what has arrived, ends them, closes all connections and
 * frees. */
void server_free(struct server *s);

/* For begin: the connection is cut off unless the request is done, or this is called again, within
 * ms. */
void server_set_deadline(struct server_job *j, int64_t ms);
/* For begin: close the connection after the answer. */
void server_no_keep(struct server_job *j);
