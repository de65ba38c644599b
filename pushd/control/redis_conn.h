/* SPDX-License-Identifier: Apache-2.0 */
/* The command connection: requests with a deadline, answered in order. */
#pragma once

#include "common/base/list.h"
#include "pushd/control/redis_link.h"

/* error 0: `reply` is what Redis answered (maybe an error reply), valid during the call. Otherwise
 * ERR_TIMEOUT or ERR_UNAVAILABLE, and reply is NULL. */
typedef void (*redis_conn_fn)(void *arg, int error, const struct redisReply *reply);

struct redis_conn_opts {
    struct redis_link_opts link; /* ops and owner are set by redis_conn_open */
    int64_t timeout_ms;          /* of a command, measured from its submission */
    void (*up)(void *arg);
    void *arg;
};

struct redis_conn {
    struct redis_link link;
    struct redis_conn_opts o;
    struct list pending; /* of struct redis_conn_cmd, oldest first */
    size_t count;
    size_t bytes;
    int64_t alarm_ms; /* when the timer rings; 0: it does not */
    ev_timer timer;
};

void redis_conn_open(struct redis_conn *c, const struct redis_conn_opts *opts);
/* Pending commands get ERR_UNAVAILABLE. */
void redis_conn_close(struct redis_conn *c);

static inline bool redis_conn_is_ready(const struct redis_conn *c)
{
    return redis_link_is_ready(&c->link);
}

/* Sends one command. 0: fn will be called exactly once, later, never from within a call of this
 * function. ERR_UNAVAILABLE: it will not be called, because Redis is not there or too much is
 * waiting for it. deadline_ms is on the clock of clk_mono_ms, 0: timeout_ms from now. When a
 * deadline passes, everything pending fails with ERR_TIMEOUT and the connection is made anew. fn
 * may be NULL. */
int redis_conn_submit(struct redis_conn *c, struct buf *command, int64_t deadline_ms,
                      redis_conn_fn fn, void *arg);
