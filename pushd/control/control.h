/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread: Redis, the cluster, and the service of the workers' requests. */
#pragma once

#include "common/policy/conf.h"
#include "pushd/bus.h"
#include "pushd/metrics.h"

struct control;
struct jwks_cache;

/* State of the engine, for /ready, the log and the admin page. */
enum control_redis_state {
    CONTROL_REDIS_CONNECTING,
    CONTROL_REDIS_READY,
    CONTROL_REDIS_DOWN,
    CONTROL_REDIS_PARTLY_DOWN, /* of several: some are ready, the channels of the others are not */
    CONTROL_REDIS_STATES
};

/* One address of engine.redis.address. Borrowed, valid until the loop turns. */
struct control_redis {
    const char *address; /* without secrets */
    enum control_redis_state state;
    const char *error;   /* why it is down, for people; "" when it is not */
    const char *refusal; /* what it lately answered a command with instead of a result, or "" */
};

/* A node of the cluster as its last ping described it; self included. Borrowed, valid until the
 * loop turns. */
struct control_node {
    struct span uid;
    struct span name;
    struct span version;
    uint32_t num_clients;
    uint32_t num_users;
    uint32_t num_channels;
    uint32_t num_subs;
    uint32_t uptime_s;
    bool is_self;
};

typedef void (*control_ready_fn)(void *arg);
typedef void (*control_stopped_fn)(void *arg);

struct control_opts {
    const struct conf *conf;
    struct bus *bus; /* control_loop and control_wake are set by control_new */
    struct ev_loop *loop;
    struct metrics *metrics;
    struct jwks_cache *key_cache; /* where BUS_KEY puts keys; NULL: none is ever asked for */
    control_ready_fn ready;       /* once: every Redis answered or was reported missing */
    void *arg;
};

/* Everything here runs on the control thread's loop. The options are borrowed. Starts connecting at
 * once. NULL and e when the configuration cannot be used (a Redis address that does not parse), or
 * no thread can be had for fetching keys. */
struct control *control_new(const struct control_opts *opts, struct err *e);

/* Publishes `shutdown` to the cluster, tells the workers to close their clients, calls `done` when
 * all did and Redis has answered all commands, or after timeout_ms. */
void control_stop(struct control *c, int64_t timeout_ms, control_stopped_fn done, void *arg);
void control_free(struct control *c);

/* Of all addresses together, and of one: i < control_redis_count. */
enum control_redis_state control_redis_state(const struct control *c);
uint32_t control_redis_count(const struct control *c);
struct control_redis control_redis_at(const struct control *c, uint32_t i);
/* Visits the registry; fn returns false to stop. */
typedef bool (*control_node_fn)(const struct control_node *node, void *arg);
void control_each_node(struct control *c, control_node_fn fn, void *arg);
/* Totals of this node. */
void control_self(const struct control *c, struct control_node *out);
uint32_t control_channel_count(const struct control *c);
uint32_t control_user_count(const struct control *c);
