/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the broker. For broker*.c only. */
#pragma once

#include "pushd/control/broker.h"

enum channel_state {
    CHANNEL_WANTED,  /* in `urgent` or `bulk` */
    CHANNEL_SENT,    /* SUBSCRIBE is out */
    CHANNEL_ON,      /* confirmed */
    CHANNEL_LEAVING, /* UNSUBSCRIBE is out */
};

struct channel {
    struct htab_node node; /* key: name below */
    enum channel_state state;
    uint32_t shard;    /* the index of its feed */
    struct list queue; /* in urgent or bulk */
    struct list idle;  /* in idle */
    int64_t idle_ms;
    struct list waiters; /* of struct waiter */
    uint32_t users;      /* workers in the set */
    uint32_t id;         /* stands for the name in compact pushes, unique in this node, not 0 */
    uint64_t workers[];  /* a set; the name follows */
};

/* A worker's request that waits for Redis. */
struct waiter {
    struct list of_channel;
    struct list of_broker;
    struct bus_op *op;
    int64_t deadline_ms;
};

static inline bool broker__is_unused(const struct channel *c)
{
    return c->users == 0 && list_is_empty(&c->waiters);
}

/* NULL when it is not in the table. */
struct channel *broker__find(const struct broker *b, struct span name, uint64_t hash);
void broker__drop(struct broker *b, struct channel *c);
void broker__set_worker(struct broker *b, struct channel *c, uint16_t worker);
/* Leaves it to the sweep when nobody wants it any more. */
void broker__note_idle(struct broker *b, struct channel *c);
void broker__finish_waiter(struct broker *b, struct waiter *w, int error);
void broker__answer(struct broker *b, struct bus_op *op, int error);

/* The feeds and their connections. */
void broker__feeds_open(struct broker *b, const struct shards_opts *links);
void broker__feeds_close(struct broker *b);
