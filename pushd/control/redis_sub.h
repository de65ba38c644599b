/* SPDX-License-Identifier: Apache-2.0 */
/* A PUB/SUB connection: some permanent subscriptions for its whole life, others as its owner wants.
 */
#pragma once

#include "pushd/control/redis_link.h"

#define REDIS_SUB_CHUNK         512 /* names in one command */
#define REDIS_SUB_PERMANENT_MAX 4

/* None is called from within a call of the owner. Names and payloads are borrowed for the call. */
struct redis_sub_ops {
    void (*up)(void *owner); /* the permanent subscriptions are confirmed, all others are to be made
                                again */
    void (*down)(void *owner); /* all subscriptions are gone */
    void (*message)(void *owner, struct span name, struct span payload);
    void (*subscribed)(void *owner, struct span name);
    void (*unsubscribed)(void *owner, struct span name);
    /* All that Redis sent before it took this mark, or an earlier one, has arrived. NULL: no marks.
     */
    void (*marked)(void *owner, uint64_t mark);
};

struct redis_sub_opts {
    struct redis_link_opts link; /* ops and owner are set by redis_sub_open */
    const struct redis_sub_ops *ops;
    void *owner;
    struct span permanent[REDIS_SUB_PERMANENT_MAX]; /* borrowed */
    size_t permanent_count;
};

struct redis_sub {
    struct redis_link link;
    struct redis_sub_opts o;
    size_t confirmed; /* of the permanent subscriptions */
    uint64_t marks;   /* sent, since it was opened */
    uint64_t marked;  /* confirmed or lost with their connection */
    bool heard;       /* something arrived since the last tick */
    unsigned silent;  /* ticks since a probe went out without anything arriving */
    ev_timer tick;
};

void redis_sub_open(struct redis_sub *s, const struct redis_sub_opts *opts);
void redis_sub_close(struct redis_sub *s);

static inline bool redis_sub_is_ready(const struct redis_sub *s)
{
    return redis_link_is_ready(&s->link);
}

/* Sends a mark and returns its number, above those before it; 0 when the connection is not ready.
 */
uint64_t redis_sub_mark(struct redis_sub *s);

/* The names of one command. Zero-initialised it is ready to use. */
struct redis_names {
    struct buf text;
    size_t ends[REDIS_SUB_CHUNK];
    size_t n;
};

/* Where the next name is appended; redis_names_end closes it. */
static inline struct buf *redis_names_begin(struct redis_names *k)
{
    return &k->text;
}
static inline void redis_names_end(struct redis_names *k)
{
    k->ends[k->n++] = k->text.n;
}
static inline bool redis_names_is_full(const struct redis_names *k)
{
    return k->n == REDIS_SUB_CHUNK;
}

/* Sends one command, if there are names, and empties them. Each name is confirmed by `subscribed`
 * or `unsubscribed`; when the connection is not ready nothing happens, and its coming back asks for
 * all of them. The owner never unsubscribes a name that is not subscribed: hiredis 0.14 would
 * abort. */
void redis_sub_subscribe(struct redis_sub *s, struct redis_names *names);
void redis_sub_unsubscribe(struct redis_sub *s, struct redis_names *names);
