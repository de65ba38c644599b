/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the registry. For registry*.c only. */
#pragma once

#include "fcgi/registry.h"

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

struct registry {
    struct rsync_target *target;
    const struct engine *engine;
    const char *uid;

    pthread_mutex_t lock; /* of everything up to the next empty line */
    pthread_cond_t news;
    struct registry_node *nodes;
    size_t node_count;
    struct survey *surveys;
    uint64_t survey_id;
    uint64_t hello_id;
    struct arena scratch;
    int64_t settled_at_ms;
    bool is_up;
    bool had_first;

    pthread_t thread;
    bool is_running;
    int wake_fd;
    _Atomic bool is_stopping;
    _Atomic int64_t heartbeat_ms;
};

void registry__lock(struct registry *r);
void registry__unlock(struct registry *r);
/* Once a turn of the thread: drops silent nodes. */
void registry__tick(struct registry *r);
void registry__stop(struct registry *r);
