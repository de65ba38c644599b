/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to Redis that comes back by itself: resolve, connect, authenticate, and again
 * after every failure. */
#pragma once

#include "common/base/backoff.h"
#include "common/engine/redis_url.h"
#include "pushd/control/redis_story.h"
#include "pushd/control/resolve.h"

struct redisAsyncContext;
struct redisReply;

enum redis_link_state {
    LINK_WAITING, /* for the next attempt */
    LINK_RESOLVING,
    LINK_CONNECTING,
    LINK_GREETING, /* AUTH, SELECT, CLIENT SETNAME, PING are out */
    LINK_GREETED,  /* the owner may send; it may have a greeting of its own */
    LINK_READY,    /* the owner said so */
    LINK_CLOSED,
};

/* None is called from within a call of the owner. In `down` the link is detached already: sending
 * fails, and the next attempt is scheduled. */
struct redis_link_ops {
    void (*greeted)(void *owner);
    /* code: ERR_TIMEOUT or ERR_UNAVAILABLE. For every greeted connection once. */
    void (*down)(void *owner, int code);
    /* Any answer of Redis; `tag` is what was given when sending. Not for answers of connections
     * that are gone. */
    void (*reply)(void *owner, const struct redisReply *reply, void *tag);
};

struct redis_link_opts {
    struct ev_loop *loop;
    const struct redis_url *url;
    const char *client_name; /* "" for none */
    const char *role;        /* for the log */
    struct redis_story *story;
    struct metrics *metrics;
    const struct redis_link_ops *ops;
    void *owner;
};

struct redis_link {
    struct redis_link_opts o;
    enum redis_link_state state;
    struct redisAsyncContext *ac;
    struct resolve *resolve;
    char addresses[RESOLVE_ADDRESS_MAX][RESOLVE_TEXT_MAX];
    size_t address_count;
    size_t address_next;
    unsigned greetings; /* answers that the greeting still waits for */
    bool connected_once;
    struct backoff backoff;
    ev_timer timer; /* WAITING: next attempt; until GREETED: end of this one */
    ev_timer later; /* a failure found where the connection must not be freed */
    char why[160];
};

/* Begins with the first attempt at the next turn of the loop. The options are borrowed. */
void redis_link_open(struct redis_link *l, const struct redis_link_opts *opts);
/* For good; without a call of `down`. */
void redis_link_close(struct redis_link *l);

/* The owner's own greeting is done. */
void redis_link_ready(struct redis_link *l);
static inline bool redis_link_is_ready(const struct redis_link *l)
{
    return l->state == LINK_READY;
}

/* Sends one command (a buffer, as hiredis reads its bytes up to a NUL). ERR_UNAVAILABLE when there
 * is no greeted connection. */
int redis_link_send(struct redis_link *l, struct buf *command, void *tag);

/* Gives the connection up and starts over; calls `down` with code before it returns. */
void redis_link_fail(struct redis_link *l, int code, const char *why);
