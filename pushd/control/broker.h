/* SPDX-License-Identifier: Apache-2.0 */
/* Which workers want which channels, the subscriptions in Redis that follow from it, and the way of
 * a message to the workers. */
#pragma once

#include "common/base/htab.h"
#include "pushd/control/redis_sub.h"
#include "pushd/control/shards.h"

struct broker_opts {
    struct ev_loop *loop;
    struct bus *bus;
    const struct engine *engine;
    struct metrics *metrics;
    struct shards *shards;           /* which maps a channel to its feed */
    const struct shards_opts *links; /* of the connections; borrowed for broker_open only */
    int64_t timeout_ms;              /* of a BUS_SUBSCRIBE */
};

struct broker;

/* The subscriptions at one Redis. */
struct broker_feed {
    struct broker *broker;
    struct redis_sub sub;
    struct list urgent; /* channels to subscribe that somebody waits for */
    struct list bulk;   /* channels to subscribe again after an outage */
    struct list idle;   /* channels without a worker, longest idle first */
    size_t in_flight;   /* names that Redis has not confirmed yet */
    /* Requests that wait for a mark (BUS_SETTLE), linked by `also`: those it was sent for, and
     * those that came later and get the next one. */
    struct bus_op *settling;
    struct bus_op *unsettled;
    uint64_t mark; /* that `settling` waits for */
};

/* A channel is in the table while a worker has subscribers or waits for the confirmation, and until
 * Redis has confirmed the unsubscription after that. */
struct broker {
    struct broker_opts o;
    struct broker_feed *feeds; /* one for each shard */
    struct buf shard_name;
    struct htab channels;
    size_t words;        /* 64-bit words of a set of workers */
    struct list waiters; /* of struct waiter, oldest first */
    uint32_t used;       /* channels with at least one worker */
    uint32_t last_id;    /* number of the newest channel */
    struct log_limit malformed;
    ev_timer deadline;
    ev_timer sweep;
    ev_prepare flush;
};

void broker_open(struct broker *b, const struct broker_opts *opts);
/* Waiting requests are answered with ERR_CANCELED. */
void broker_close(struct broker *b);

/* Takes a BUS_SUBSCRIBE; answers it when Redis has confirmed, with ERR_UNAVAILABLE at once when
 * PUB/SUB of the channel's shard is down and no worker has the channel yet, with ERR_TIMEOUT after
 * timeout_ms, with ERR_CANCELED when the same worker unsubscribes before. */
void broker_subscribe(struct broker *b, struct bus_op *op);
/* Redis hears of it at least one second after the last worker, if nobody came back. */
void broker_unsubscribe(struct broker *b, struct span channel, uint16_t worker);

/* Takes a BUS_SETTLE; answers it, or with ERR_UNAVAILABLE when PUB/SUB of the channel's shard is
 * down or goes down meanwhile. */
void broker_settle(struct broker *b, struct bus_op *op);

/* Channels with local subscribers. */
uint32_t broker_channel_count(const struct broker *b);
