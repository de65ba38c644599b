/* SPDX-License-Identifier: Apache-2.0 */
/* What the control thread and the workers say to each other: pointers through two lock-free queues
 * a worker. */
#pragma once

#include "common/base/arena.h"
#include "common/base/list.h"
#include "common/base/spsc.h"
#include "common/engine/engine.h"
#include "common/protocol/control.h"
#include "common/protocol/frame.h"
#include "common/protocol/perr.h"

#include <ev.h>
#include <stdatomic.h>

/* Everything that travels begins with this. */
struct bus_item {
    enum bus_kind {
        /* Requests of a worker, answered exactly once with the same object (struct bus_op), also
         * when Redis is down. */
        BUS_SUBSCRIBE, /* the worker has its first subscriber of the channel: have Redis send it */
        BUS_PUBLISH,
        BUS_HISTORY,
        BUS_PRESENCE_ADD,
        BUS_PRESENCE_REMOVE,
        BUS_PRESENCE_GET,
        BUS_PRESENCE_STATS,
        BUS_SETTLE, /* answered behind all messages of the channel that Redis has sent by now; what
                       was published and does not come before the answer never comes */
        BUS_KEY,    /* the key of a token: have its document fetched into the cache */
        /* One-way messages of a worker; control frees them. */
        BUS_UNSUBSCRIBE, /* the worker's last subscriber of the channel is gone */
        BUS_JOIN,
        BUS_LEAVE,
        BUS_USER_ON,     /* the worker has its first connection of this user (info.user) */
        BUS_USER_OFF,    /* ... and lost its last one */
        BUS_ONLY_CLIENT, /* of all connections of this user (info.user) in the cluster, only
                            info.client may stay */
        /* From control to a worker. */
        BUS_MESSAGE, /* struct msg: a publication, join or leave; the worker owns one reference */
        BUS_COMMAND, /* struct bus_command: subscribe, unsubscribe, disconnect, refresh for a user's
                      * connections; the worker frees it */
        BUS_RESUMED, /* struct bus_op: Redis sends this channel again after an outage, positions
                        may be behind */
        BUS_CHANNELS, /* struct bus_channels: count subscribers; comes back to control as its answer
                       */
        BUS_STOP,    /* struct bus_item: close all clients with 3001 and end; the worker frees it */
        BUS_STOPPED, /* struct bus_item, worker to control: all closed; control frees it */
    } kind;
};

/* One request. Made by bus_op_new, freed by bus_op_free by whoever holds it last. */
struct bus_op {
    struct bus_item item;
    uint16_t worker;    /* index of the worker that gets the answer */
    struct arena arena; /* owns all spans below */

    /* The worker's own, never touched by control. */
    struct list node;
    void *owner; /* NULL: nobody waits any more */
    void (*done)(struct bus_op *op);
    void *context;
    uint64_t furthest; /* history, settle: an offset that the stream was known to have when it was
                          asked */

    /* Control's own: the next one that gets the same answer. */
    struct bus_op *also;

    /* Request. `opts` is borrowed from the configuration. */
    struct span channel;
    const struct chan_opts *opts;
    struct span data;        /* publish */
    struct client_info info; /* publish, presence add and remove, join, leave */
    bool has_info;
    struct engine_history history; /* history: limit, since, reverse */
    struct span kid;               /* key; `channel` is the address of the document */

    /* Answer. */
    int error;           /* 0 or enum err_code */
    uint32_t channel_id; /* subscribe: the node's number of the channel, while it is in use here */
    struct engine_publish_result published;
    struct engine_history_result found; /* in the arena */
    struct vec presence;                /* of struct kv_msg -> struct client_info, in the arena */
    struct presence_stats_result stats;
    struct perr_result refused; /* key: why there is none; code PERR_OK: it is in the cache */
};

/* Copies the channel. */
struct bus_op *bus_op_new(enum bus_kind kind, struct span channel);
/* Accepts NULL. */
void bus_op_free(struct bus_op *op);

/* A control command for connections of a user; one copy goes to each worker. */
struct bus_command {
    struct bus_item item;
    struct arena arena;
    struct control_command *command;
};

struct bus_channels {
    struct bus_item item;
    uint16_t worker;
    void *survey; /* control's own */
    struct span pattern;
    struct arena arena;
    struct vec found; /* of struct kv_msg -> struct channel_info, in the arena */
};

/* What one thread counts and others read; written with relaxed stores by its owner only. */
struct bus_gauges {
    _Atomic uint32_t clients;
    _Atomic uint32_t subscriptions;
    _Atomic uint32_t channels;
    _Atomic uint32_t connections; /* accepted sockets, connected or not */
    _Atomic size_t queue_peak;    /* most bytes that waited for one connection since the start */
    _Atomic int64_t late_ms;      /* how long the message taken last waited for the worker */
    _Atomic int64_t heartbeat_ms; /* clk_mono_ms of the worker's last loop turn */
};

/* One worker's side of the bus. */
struct bus_port {
    struct spsc to_worker;
    struct spsc to_control;
    struct ev_loop *worker_loop;
    ev_async *worker_wake;
    struct bus_gauges gauges;
    uint32_t quiet; /* worker: posted without a wake since the last one */
    bool dirty;     /* control: something was pushed since the last wake */
};

/* The whole bus: made before the threads, freed after them. */
struct bus {
    uint16_t workers;
    struct bus_port *ports;
    struct ev_loop *control_loop;
    ev_async *control_wake;
};

void bus_init(struct bus *b, uint16_t workers);
/* All threads must have ended. Frees what is still queued. */
void bus_fini(struct bus *b);

/* Frees an item by its kind; of a message, one reference. */
void bus_item_free(struct bus_item *item);

/* Control thread: queue for one worker, then wake once for all that was queued (call at the end of
 * the loop turn). */
void bus_post_worker(struct bus *b, uint16_t worker, struct bus_item *item);
void bus_wake_workers(struct bus *b);
/* Worker thread: queue for control and wake it (cheap when it is awake already). */
void bus_post_control(struct bus *b, uint16_t worker, struct bus_item *item);
/* Worker thread: the same without a wake, for news that can wait until a few of them are together
 * or control looks anyway (at the latest with its next node ping). */
void bus_post_control_quietly(struct bus *b, uint16_t worker, struct bus_item *item);
