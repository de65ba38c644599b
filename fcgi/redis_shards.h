/* SPDX-License-Identifier: Apache-2.0 */
/* The Redis servers of engine.redis.address, one shard each: where they are, which of them a
 * channel is on, and the connections of one thread to all of them. */
#pragma once

#include "common/engine/engine.h"
#include "fcgi/redis_sync.h"

/* Shared by all threads. */
struct rsync_shards {
    struct rsync_target *targets;
    uint32_t n; /* at least 1 */
    struct redis_urls urls;
    _Atomic uint32_t turn; /* of rsync_shards_next */
};

/* Borrows from the configuration. The error names the option. */
int rsync_shards_init(struct rsync_shards *s, const struct conf *conf, struct err *e);
void rsync_shards_fini(struct rsync_shards *s);

/* The one place that maps a channel to a Redis. */
static inline uint32_t rsync_shards_of(const struct rsync_shards *s, struct span channel)
{
    return engine_shard_of(channel, s->n);
}

/* Where to begin to look for a shard for a message to the cluster, which all nodes hear on any of
 * them: round robin, as Centrifugo does it. */
uint32_t rsync_shards_next(struct rsync_shards *s);

/* What is to be sent to one shard. */
struct rsync_batch {
    struct buf commands;
    size_t count; /* of commands; 0: nothing */
    rsync_reply_fn fn;
    void *arg;
    int rc; /* afterwards: as rsync_run returns it, and its error */
    struct err err;
};

/* One connection to each shard; one thread at a time. */
struct rsync_pool {
    struct rsync_shards *shards;
    struct rsync **conns;
    struct rsync_batch *batches; /* one for each shard, empty between the runs */
    struct pollfd *waits;
};

struct rsync_pool *rsync_pool_new(struct rsync_shards *s);
void rsync_pool_free(struct rsync_pool *p);

/* Runs the batches that have commands, at the same time: all are sent before the first answer is
 * awaited, and a shard that is silent does not keep the others from being heard. Takes the timeout
 * of one run. Empties them. */
void rsync_pool_run(struct rsync_pool *p);
/* Gives buffers back that grew beyond this. */
void rsync_pool_shrink(struct rsync_pool *p, size_t keep_bytes);
