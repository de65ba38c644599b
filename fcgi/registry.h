/* SPDX-License-Identifier: Apache-2.0 */
/* What push-api knows of the nodes of the cluster: a background thread for each Redis listens to
 * their pings and collects answers to surveys. A node talks by way of any of them.
 *
 * push-api itself is no node: it never pings, so that nobody waits for its answers. At each
 * (re)connection one survey is sent, which every node answers at once, so that the nodes are known
 * before their next ping. */
#pragma once

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/engine/engine.h"
#include "common/protocol/api.h"
#include "fcgi/redis_shards.h"

struct registry;

struct registry_opts {
    struct rsync_shards *shards; /* borrowed; registry_start sets the wake_fd of its targets */
    const struct engine *engine; /* borrowed */
    const char *uid;             /* of this process, borrowed */
};

struct registry *registry_new(const struct registry_opts *opts);
/* Starts the threads. ERR_IO. */
int registry_start(struct registry *r, struct err *e);
/* Ends the threads that run, and frees. Nobody may be in a call. */
void registry_free(struct registry *r);

/* Waits until the first attempt to reach each Redis has succeeded or failed. */
void registry_wait_first(struct registry *r, int64_t timeout_ms);

/* Whether a subscriber is connected, so that what is known is current. Any thread. */
bool registry_is_up(struct registry *r);
/* Since when all threads have turned, in clk_mono_ms: for the watchdog. */
int64_t registry_heartbeat_ms(struct registry *r);

/* Fills a vec of struct api_node, sorted by uid, copied to the arena. Waits up to timeout_ms for
 * nodes that answered a survey and have not told their figures yet. ERR_UNAVAILABLE while all
 * subscribers are down. Any thread. */
int registry_nodes(struct registry *r, int64_t timeout_ms, struct arena *a, struct vec *nodes);

/* ---- surveys ---- */

/* One question to all nodes. Begin it, publish the request, collect, end it. */
struct survey {
    uint64_t id;
    struct survey *next;
    struct survey_answer *answers;
};

/* ERR_UNAVAILABLE while all subscribers are down. From now on answers are collected. Any thread. */
int registry_survey_begin(struct registry *r, struct survey *s);
/* Calls fn (under the registry's lock) for each answer once all nodes that the registry knows have
 * answered, or at the deadline (of clk_mono_ms): a node that was killed has nothing to tell, and is
 * known for some seconds more; the log names who was silent. ERR_TIMEOUT when nobody answered,
 * ERR_UNAVAILABLE when the last subscriber broke meanwhile. */
typedef void (*survey_answer_fn)(uint32_t code, struct span data, void *arg);
int registry_survey_collect(struct registry *r, struct survey *s, int64_t deadline_ms,
                            survey_answer_fn fn, void *arg);
void registry_survey_end(struct registry *r, struct survey *s);

/* ---- for tests ---- */

/* Takes one control message as if it had arrived. */
void registry_handle(struct registry *r, struct span message);
/* As after the subscriptions at one shard were acknowledged, or lost. */
void registry_set_up(struct registry *r, uint32_t shard, bool is_up);
