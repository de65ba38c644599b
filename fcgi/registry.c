/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes of the cluster, and answers to surveys. What is behind the lock; registry_thread.c
 * brings the messages. */
#include "fcgi/registry_own.h"

#include "common/base/clk.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* After (re)connecting: how long answers to the first survey may take until what is known counts as
 * complete. */
#define SETTLE_MS   150
#define NODE_TTL_MS 7000
#define MAX_NODES   4096
#define MAX_ANSWERS 8192

struct survey_answer {
    struct survey_answer *next;
    struct span uid;
    uint32_t code;
    struct span data;
    char bytes[];
};

void registry__lock(struct registry *r)
{
    pthread_mutex_lock(&r->lock);
}

void registry__unlock(struct registry *r)
{
    pthread_mutex_unlock(&r->lock);
}

/* Waits for news; false when the deadline has passed. */
static bool wait_news(struct registry *r, int64_t deadline_ms)
{
    struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    return pthread_cond_timedwait(&r->news, &r->lock, &until) != ETIMEDOUT &&
           clk_mono_ms() < deadline_ms;
}

/* ---- nodes ---- */

static void free_node(struct registry_node *n)
{
    arena_fini(&n->arena);
    arena_fini(&n->metrics_arena);
    free(n);
}

static struct registry_node *find_node(struct registry *r, struct span uid)
{
    for (struct registry_node *n = r->nodes; n != NULL; n = n->next) {
        if (span_eq(n->node.uid, uid)) {
            return n;
        }
    }
    return NULL;
}

/* The node of that uid, new if needed; NULL when there are too many. Kept sorted, so that answers
 * have a stable order. */
static struct registry_node *want_node(struct registry *r, struct span uid)
{
    struct registry_node *n = find_node(r, uid);
    if (n != NULL || uid.n == 0 || r->node_count >= MAX_NODES) {
        return n;
    }
    struct registry_node **at = &r->nodes;
    while (*at != NULL && span_cmp((*at)->node.uid, uid) < 0) {
        at = &(*at)->next;
    }
    n = mem_zalloc(sizeof(*n));
    n->node.uid = arena_dup(&n->arena, uid);
    n->next = *at;
    *at = n;
    r->node_count++;
    return n;
}

static void drop_node(struct registry *r, struct registry_node **at, const char *why)
{
    struct registry_node *n = *at;
    log_info(LOG_NODE, "node left", LOG_TEXT("node", n->node.uid), LOG_TEXT("name", n->node.name),
             LOG_STR("reason", why));
    *at = n->next;
    free_node(n);
    r->node_count--;
    pthread_cond_broadcast(&r->news);
}

static void remove_node(struct registry *r, struct span uid)
{
    for (struct registry_node **at = &r->nodes; *at != NULL; at = &(*at)->next) {
        if (span_eq((*at)->node.uid, uid)) {
            drop_node(r, at, "shutdown");
            return;
        }
    }
}

static void expire_nodes(struct registry *r, int64_t now)
{
    struct registry_node **at = &r->nodes;
    while (*at != NULL) {
        if (r->up_count != 0 && now - (*at)->seen_ms > NODE_TTL_MS) {
            drop_node(r, at, "silent");
        } else {
            at = &(*at)->next;
        }
    }
}

static void keep_metrics(struct registry_node *n, const struct node_metrics *m)
{
    const struct kv_dbl *from = m->items.items;
    arena_reset(&n->metrics_arena);
    struct kv_dbl *items = arena_alloc(&n->metrics_arena, (m->items.n + 1) * sizeof(*items));
    for (size_t i = 0; i < m->items.n; i++) {
        items[i] = (struct kv_dbl){.key = arena_dup(&n->metrics_arena, from[i].key),
                                   .value = from[i].value};
    }
    n->metrics = (struct api_node_metrics){.interval = m->interval,
                                           .items = {.items = items, .n = m->items.n}};
    schema_map_sort(&n->metrics.items, sizeof(*items));
    n->has_metrics = true;
}

static void on_ping(struct registry *r, struct span uid, const struct node_ping *p, int64_t now)
{
    struct registry_node *n = want_node(r, uid);
    if (n == NULL) {
        return;
    }
    if (!n->has_figures) {
        log_info(LOG_NODE, "node found", LOG_TEXT("node", uid), LOG_TEXT("name", p->name),
                 LOG_TEXT("version", p->version));
    }
    arena_reset(&n->arena); /* the uid of the message is a copy of its own */
    n->node = (struct api_node){
        .uid = arena_dup(&n->arena, uid),
        .name = arena_dup(&n->arena, p->name),
        .version = arena_dup(&n->arena, p->version),
        .num_clients = p->num_clients,
        .num_users = p->num_users,
        .num_channels = p->num_channels,
        .uptime = p->uptime,
        .num_subs = p->num_subs,
    };
    n->has_figures = true;
    n->seen_ms = now;
    if (p->metrics != NULL) { /* sent once a minute only; the last one stays */
        keep_metrics(n, p->metrics);
    }
}

/* ---- surveys ---- */

static void keep_answer(struct survey *s, struct span uid, const struct survey_response *answer)
{
    size_t count = 0;
    struct survey_answer **at = &s->answers;
    for (; *at != NULL; at = &(*at)->next) {
        if (span_eq((*at)->uid, uid) || ++count >= MAX_ANSWERS) {
            return;
        }
    }
    struct survey_answer *a = mem_zalloc(sizeof(*a) + uid.n + answer->data.n);
    memcpy(a->bytes, uid.p, uid.n);
    a->uid = span_of(a->bytes, uid.n);
    a->code = answer->code;
    if (answer->data.n != 0) {
        memcpy(a->bytes + uid.n, answer->data.p, answer->data.n);
    }
    a->data = span_of(a->bytes + uid.n, answer->data.n);
    *at = a;
}

static void on_answer(struct registry *r, struct span uid, const struct survey_response *answer,
                      int64_t now)
{
    struct registry_node *n = want_node(r, uid);
    if (n != NULL) {
        n->seen_ms = now;
    }
    struct node_ping ping;
    if (answer->id == r->hello_id && answer->code == 0 && answer->data.n != 0) {
        if (schema_pb_decode(&node_ping_schema, answer->data, &r->scratch, &ping, NULL) == 0) {
            on_ping(r, uid, &ping, now);
        }
        return;
    }
    for (struct survey *s = r->surveys; s != NULL && uid.n != 0; s = s->next) {
        if (s->id == answer->id) {
            keep_answer(s, uid, answer);
            return;
        }
    }
}

static bool has_answered(const struct survey *s, struct span uid)
{
    for (const struct survey_answer *a = s->answers; a != NULL; a = a->next) {
        if (span_eq(a->uid, uid)) {
            return true;
        }
    }
    return false;
}

static bool all_answered(const struct registry *r, const struct survey *s)
{
    for (const struct registry_node *n = r->nodes; n != NULL; n = n->next) {
        if (!has_answered(s, n->node.uid)) {
            return false;
        }
    }
    return true;
}

int registry_survey_begin(struct registry *r, struct survey *s)
{
    registry__lock(r);
    int rc = r->up_count != 0 ? 0 : ERR_UNAVAILABLE;
    if (rc == 0) {
        *s = (struct survey){.id = ++r->survey_id, .next = r->surveys};
        r->surveys = s;
    }
    registry__unlock(r);
    return rc;
}

static void log_silent(struct registry *r, const struct survey *s)
{
    int64_t now = clk_mono_ms();
    for (const struct registry_node *n = r->nodes; n != NULL; n = n->next) {
        uint32_t suppressed = 0;
        if (!has_answered(s, n->node.uid) && log_limit_pass(&r->silent_limit, now, &suppressed)) {
            log_warn(LOG_NODE, "a node does not answer, the call goes on without it",
                     LOG_TEXT("node", n->node.uid), LOG_TEXT("name", n->node.name),
                     LOG_NUM("heard_ms_ago", now - n->seen_ms), LOG_NUM("suppressed", suppressed));
        }
    }
}

int registry_survey_collect(struct registry *r, struct survey *s, int64_t deadline_ms,
                            survey_answer_fn fn, void *arg)
{
    int rc = 0;
    registry__lock(r);
    for (;;) {
        int64_t now = clk_mono_ms();
        if (r->up_count == 0) {
            rc = ERR_UNAVAILABLE;
            break;
        }
        bool is_complete = all_answered(r, s);
        if (is_complete && now >= r->settled_at_ms) {
            break;
        }
        if (now >= deadline_ms) {
            log_silent(r, s);
            rc = s->answers != NULL || is_complete ? 0 : ERR_TIMEOUT;
            break;
        }
        wait_news(r,
                  is_complete && r->settled_at_ms < deadline_ms ? r->settled_at_ms : deadline_ms);
    }
    for (const struct survey_answer *a = s->answers; rc == 0 && a != NULL; a = a->next) {
        fn(a->code, a->data, arg);
    }
    registry__unlock(r);
    return rc;
}

void registry_survey_end(struct registry *r, struct survey *s)
{
    registry__lock(r);
    for (struct survey **at = &r->surveys; *at != NULL; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            break;
        }
    }
    registry__unlock(r);
    while (s->answers != NULL) {
        struct survey_answer *a = s->answers;
        s->answers = a->next;
        free(a);
    }
}

/* ---- messages and state ---- */

void registry_handle(struct registry *r, struct span message)
{
    struct control_command cmd;
    int64_t now = clk_mono_ms();
    registry__lock(r);
    arena_reset(&r->scratch);
    bool is_ours =
        schema_pb_decode(&control_command_schema, message, &r->scratch, &cmd, NULL) != 0 ||
        cmd.uid.n == 0 || span_eq_str(cmd.uid, r->uid);
    if (!is_ours) {
        if (cmd.node != NULL) {
            on_ping(r, cmd.uid, cmd.node, now);
        } else if (cmd.shutdown != NULL) {
            remove_node(r, cmd.uid);
        } else if (cmd.survey_response != NULL) {
            on_answer(r, cmd.uid, cmd.survey_response, now);
        }
        pthread_cond_broadcast(&r->news);
    }
    registry__unlock(r);
}

static bool had_first(const struct registry *r)
{
    for (uint32_t i = 0; i < r->shards; i++) {
        if (!r->listeners[i].had_first) {
            return false;
        }
    }
    return true;
}

void registry_set_up(struct registry *r, uint32_t shard, bool is_up)
{
    struct registry_listener *l = &r->listeners[shard];
    int64_t now = clk_mono_ms();
    registry__lock(r);
    if (is_up != l->is_up) {
        r->up_count += is_up ? 1 : UINT32_MAX;
        /* We were or are deaf to what comes this way: whoever is alive gets the time for a ping. */
        for (struct registry_node *n = r->nodes; n != NULL; n = n->next) {
            n->seen_ms = now;
        }
    }
    l->had_first = true;
    if (!had_first(r)) {
        r->settled_at_ms = INT64_MAX;
    } else if ((is_up && !l->is_up) || r->settled_at_ms == INT64_MAX) {
        r->settled_at_ms = now + SETTLE_MS;
    }
    l->is_up = is_up;
    pthread_cond_broadcast(&r->news);
    registry__unlock(r);
}

bool registry_is_up(struct registry *r)
{
    registry__lock(r);
    bool is_up = r->up_count != 0;
    registry__unlock(r);
    return is_up;
}

void registry__tick(struct registry_listener *l)
{
    int64_t now = clk_mono_ms();
    atomic_store_explicit(&l->heartbeat_ms, now, memory_order_relaxed);
    registry__lock(l->r);
    expire_nodes(l->r, now);
    registry__unlock(l->r);
}

int64_t registry_heartbeat_ms(struct registry *r)
{
    int64_t oldest = INT64_MAX;
    for (uint32_t i = 0; i < r->shards; i++) {
        int64_t at = atomic_load_explicit(&r->listeners[i].heartbeat_ms, memory_order_relaxed);
        oldest = at < oldest ? at : oldest;
    }
    return oldest;
}

static bool all_have_figures(const struct registry *r)
{
    for (const struct registry_node *n = r->nodes; n != NULL; n = n->next) {
        if (!n->has_figures) {
            return false;
        }
    }
    return true;
}

static struct api_node_metrics *copy_metrics(const struct api_node_metrics *m, struct arena *a)
{
    struct api_node_metrics *copy = arena_alloc(a, sizeof(*copy));
    const struct kv_dbl *from = m->items.items;
    struct kv_dbl *items = arena_alloc(a, (m->items.n + 1) * sizeof(*items));
    for (size_t i = 0; i < m->items.n; i++) {
        items[i] = (struct kv_dbl){.key = arena_dup(a, from[i].key), .value = from[i].value};
    }
    *copy = (struct api_node_metrics){.interval = m->interval,
                                      .items = {.items = items, .n = m->items.n}};
    return copy;
}

static void copy_nodes(const struct registry *r, struct arena *a, struct vec *nodes)
{
    struct api_node *out = arena_alloc(a, (r->node_count + 1) * sizeof(*out));
    *nodes = (struct vec){.items = out};
    for (const struct registry_node *n = r->nodes; n != NULL; n = n->next) {
        struct api_node *copy = &out[nodes->n++];
        *copy = n->node;
        copy->uid = arena_dup(a, n->node.uid);
        copy->name = arena_dup(a, n->node.name);
        copy->version = arena_dup(a, n->node.version);
        copy->metrics = n->has_metrics ? copy_metrics(&n->metrics, a) : NULL;
    }
}

int registry_nodes(struct registry *r, int64_t timeout_ms, struct arena *a, struct vec *nodes)
{
    int64_t deadline = clk_mono_ms() + timeout_ms;
    int rc = ERR_UNAVAILABLE;
    registry__lock(r);
    while (r->up_count != 0) {
        int64_t now = clk_mono_ms();
        bool is_complete = all_have_figures(r);
        if ((is_complete && now >= r->settled_at_ms) || now >= deadline) {
            expire_nodes(r, now);
            copy_nodes(r, a, nodes);
            rc = 0;
            break;
        }
        wait_news(r, is_complete && r->settled_at_ms < deadline ? r->settled_at_ms : deadline);
    }
    registry__unlock(r);
    return rc;
}

void registry_wait_first(struct registry *r, int64_t timeout_ms)
{
    int64_t deadline = clk_mono_ms() + timeout_ms;
    registry__lock(r);
    while (!had_first(r) && wait_news(r, deadline)) {
    }
    registry__unlock(r);
}

/* ---- life ---- */

struct registry *registry_new(const struct registry_opts *opts)
{
    struct registry *r = mem_zalloc(sizeof(*r));
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->news, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&r->lock, NULL);
    r->engine = opts->engine;
    r->uid = opts->uid;
    r->shards = opts->shards->n;
    r->listeners = mem_zalloc(r->shards * sizeof(*r->listeners));
    for (uint32_t i = 0; i < r->shards; i++) {
        r->listeners[i] = (struct registry_listener){
            .r = r, .target = &opts->shards->targets[i], .shard = i, .wake_fd = -1};
    }
    rnd_bytes(&r->survey_id, sizeof(r->survey_id));
    r->survey_id >>=
        16; /* ids count up from here; answers to a former process of ours do not fit */
    r->hello_id = ++r->survey_id;
    r->silent_limit = (struct log_limit){.period_ms = 1000, .burst = 5};
    return r;
}

void registry_free(struct registry *r)
{
    if (r == NULL) {
        return;
    }
    registry__stop(r);
    while (r->nodes != NULL) {
        struct registry_node *n = r->nodes;
        r->nodes = n->next;
        free_node(n);
    }
    arena_fini(&r->scratch);
    pthread_cond_destroy(&r->news);
    pthread_mutex_destroy(&r->lock);
    free(r->listeners);
    free(r);
}
