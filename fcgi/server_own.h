/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the server. For server*.c only. */
#pragma once

#include "fcgi/server.h"

#include "common/base/list.h"
#include "common/base/log.h"

#include <fcgiapp.h>

#include <pthread.h>
#include <stdatomic.h>

struct conn {
    struct list node;   /* in server.conns */
    struct list parked; /* in server.parked, or alone */
    int fd;
    /* A second descriptor of the same socket. libfcgi may close the first one at any time,
     * whereupon its number can belong to somebody else; this one stays ours, so that server_tick
     * can shut the connection down from outside. */
    int twin;
    int64_t
        since_ms; /* when the first bytes of an incomplete request were seen; 0: there are none */
    bool has_hung_up; /* no more bytes will come */
    unsigned looks;   /* how often it was looked at */
    /* One thread at a time has it, as epoll hands it out. That orders what they do to it in the
     * kernel, which C knows nothing of: stored by who gives it back, loaded by who gets it. */
    _Atomic unsigned turns;
};

/* A request in work, and room for the next one. */
struct server_job {
    struct server_job *next; /* in a list of free or ready jobs */
    struct server_job *all;  /* all that exist */
    FCGX_Request request;
    struct conn *conn;
    void *state;
    enum server_step step;
    bool is_kept;

    pthread_mutex_t lock; /* of the rest */
    int twin;             /* of the connection in work, else -1 */
    int64_t deadline_ms;
    int64_t since_ms;
};

struct server_thread {
    struct server *server;
    pthread_t thread;
    void *state;
    _Atomic int64_t busy_since_ms; /* of a poller: its turn began then; 0: it waits */
};

struct server {
    struct server_opts opts;
    int epoll;
    int stop_fd;
    _Atomic bool is_stopping;
    _Atomic bool must_rearm; /* accepting paused for lack of descriptors */
    struct server_thread *threads;
    size_t started;

    /* Some threads are pollers: they wait on the connections. The others wait for requests that
     * pollers would rather not run themselves. A poller that is stuck is replaced by server_tick.
     */
    _Atomic size_t pollers;
    _Atomic size_t pollers_wanted;

    pthread_mutex_t lock; /* of the rest */
    pthread_cond_t work;  /* a ready job, a lack of pollers, the end */
    size_t idle;          /* threads that wait for it */
    struct list conns;
    struct list parked; /* connections whose first request is incomplete yet */
    struct server_job *all_jobs;
    struct server_job *free_jobs;
    struct server_job *ready_jobs; /* SERVER_ALONE, for whatever thread is free */
    struct server_job **ready_end;
    size_t ready_count;
    struct log_limit strangers; /* who speaks no FastCGI */
};

/* Accepts what is waiting, and arms the listener again. */
void server__accept(struct server *s);
/* Waits for the connection's next request. */
void server__rearm(struct server *s, struct conn *c);
/* fd_is_open: libfcgi has not closed it already. */
void server__close(struct server *s, struct conn *c, bool fd_is_open);
/* Whether reading its request will not block. A new connection that has sent a part only is parked
 * until server_tick, so that slow senders occupy no thread. */
bool server__is_readable(struct server *s, struct conn *c);
/* Has the parked ones looked at again; whether there were any. */
bool server__unpark(struct server *s);
