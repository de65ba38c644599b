/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the registry. For registry*.c only. */
#pragma once

#include "fcgi/registry.h"

#include "common/base/log.h"
#include "common/base/rnd.h"
#include "common/protocol/control.h"

#include <pthread.h>
#include <stdatomic.h>

struct registry_node {
    struct registry_node *next;
    struct api_node node; /* metrics is not used here */
    struct arena arena;   /* the texts of node */
    struct api_node_metrics metrics;
    struct arena metrics_arena;
    int64_t seen_ms;
    bool has_figures; /* a ping came; else only an answer to a survey */
    bool has_metrics;
};

/* What listens at one shard. */
struct registry_listener {
    struct registry *r;
    struct rsync_target *target;
    uint32_t shard;

    bool is_up; /* behind the registry's lock, as the next one */
    bool had_first;

    /* The thread's own. */
    struct rsync *subscriber;
    struct rsync *publisher;
    int64_t pinged_at_ms; /* 0: nothing need be heard */
    int64_t asked_at_ms;  /* the last PING */
    int64_t heard_at_ms;
    bool was_up;

    pthread_t thread;
    bool is_running;
    int wake_fd;
    _Atomic int64_t heartbeat_ms;
};

struct registry {
    const struct engine *engine;
    const char *uid;
    struct registry_listener *listeners; /* one for each shard */
    uint32_t shards;
    _Atomic bool is_stopping;

    pthread_mutex_t lock; /* of the rest */
    pthread_cond_t news;
    struct registry_node *nodes;
    size_t node_count;
    struct survey *surveys;
    uint64_t survey_id;
    uint64_t hello_id;
    struct arena scratch;
    struct log_limit silent_limit;
    int64_t settled_at_ms; /* when what is known counts as complete */
    uint32_t up_count;     /* of listeners */
};

void registry__lock(struct registry *r);
void registry__unlock(struct registry *r);
/* Once a turn of a thread: drops silent nodes. */
void registry__tick(struct registry_listener *l);
void registry__stop(struct registry *r);
