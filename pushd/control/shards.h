/* SPDX-License-Identifier: Apache-2.0 */
/* The Redis servers of engine.redis.address, one shard each, with the connection for commands to
 * each of them. Everything of a channel is on one of them, and what goes to the cluster may take
 * any of them. */
#pragma once

#include "common/engine/engine.h"
#include "pushd/control/redis_conn.h"

struct shard {
    const struct redis_url *url; /* its display names the shard to people */
    struct redis_story story;
    struct redis_conn commands;
};

struct shards {
    struct shard *items;
    uint32_t n; /* at least 1 */
    struct redis_urls urls;
    uint32_t turn; /* of shards_publish */
};

struct shards_opts {
    struct ev_loop *loop;
    const struct conf *conf;
    struct metrics *metrics;
    void (*reported)(void *arg); /* as in struct redis_story, of each shard */
    void (*up)(void *arg);       /* a connection for commands is ready */
    void *arg;
};

/* What shards_open needs of the configuration. ERR_SYNTAX and others of redis_urls_parse. */
int shards_init(struct shards *s, const struct conf *conf, struct err *e);
void shards_fini(struct shards *s);

/* The connections for commands. */
void shards_open(struct shards *s, const struct shards_opts *opts);
void shards_close(struct shards *s);
/* For another connection to a shard; role, ops and owner are still to be set. */
struct redis_link_opts shards_link(const struct shards *s, uint32_t shard,
                                   const struct shards_opts *opts);

/* The one place that maps a channel to a Redis. */
static inline uint32_t shards_of(const struct shards *s, struct span channel)
{
    return engine_shard_of(channel, s->n);
}

/* Sends a message of the cluster by way of one shard, which all nodes listen on: round robin over
 * those that are there, as Centrifugo does it over all. ERR_UNAVAILABLE when none takes it. An
 * error answer goes to the log. */
int shards_publish(struct shards *s, struct buf *command);

/* Whether no command waits for an answer. */
bool shards_are_idle(const struct shards *s);

/* Of all together. */
enum control_redis_state shards_state(const struct shards *s);
