/* SPDX-License-Identifier: Apache-2.0 */
/* The workers' requests that are one command to Redis each. */
#include "pushd/control/service.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "common/base/clk.h"
#include "common/base/hash.h"
#include "common/base/mem.h"

#define UNCOUNTED (-1)

/* How one kind of request becomes a command, and what its answer means. */
struct row {
    const char *name;
    void (*build)(const struct control *c, struct bus_op *op, bool use_eval, struct buf *out);
    int (*read)(const struct control *c, struct bus_op *op, const struct redisReply *reply,
                struct err *e);
    int sent; /* label of METRIC_MESSAGES_SENT, or UNCOUNTED */
    bool is_answered;
};

/* A request on its way; others that want the same hang on it. */
struct call {
    struct control *control;
    struct shard *shard;
    struct bus_op *op;
    int64_t deadline_ms;
    bool use_eval;
};

static int64_t seconds(int64_t ms)
{
    return ms <= 0 ? 0 : (ms - 1) / 1000 + 1;
}

static struct engine_publish publish_of(const struct bus_op *op, bool use_eval)
{
    return (struct engine_publish){
        .channel = op->channel,
        .data = op->data,
        .info = op->has_info ? &op->info : NULL,
        .time_ms = clk_wall_ms(),
        .history_size = op->opts->history_size,
        .history_ttl_s = seconds(op->opts->history_ttl_ms),
        .history_meta_ttl_s = seconds(op->opts->history_meta_ttl_ms),
        .delta = op->opts->delta_publish,
        .use_eval = use_eval,
    };
}

static void build_publish(const struct control *c, struct bus_op *op, bool use_eval,
                          struct buf *out)
{
    const struct engine_publish p = publish_of(op, use_eval);
    engine_publish_build(&c->engine, &p, out);
}

static int read_publish(const struct control *c, struct bus_op *op, const struct redisReply *reply,
                        struct err *e)
{
    (void)c;
    const struct engine_publish p = publish_of(op, false);
    int rc = engine_publish_read(reply, &p, &op->published, e);
    op->published.position.epoch = arena_dup(&op->arena, op->published.position.epoch);
    return rc;
}

static void build_history(const struct control *c, struct bus_op *op, bool use_eval,
                          struct buf *out)
{
    op->history.channel = op->channel;
    op->history.history_meta_ttl_s = seconds(op->opts->history_meta_ttl_ms);
    op->history.use_eval = use_eval;
    engine_history_build(&c->engine, &op->history, out);
}

static int read_history(const struct control *c, struct bus_op *op, const struct redisReply *reply,
                        struct err *e)
{
    return engine_history_read(&c->engine, reply, &op->history, &op->arena, &op->found, e);
}

static struct engine_presence presence_of(const struct bus_op *op, bool use_eval)
{
    return (struct engine_presence){
        .channel = op->channel,
        .client = op->info.client,
        .user = op->info.user,
        .info = &op->info,
        .now_s = clk_wall_s(),
        .use_eval = use_eval,
    };
}

static void build_presence_add(const struct control *c, struct bus_op *op, bool use_eval,
                               struct buf *out)
{
    const struct engine_presence p = presence_of(op, use_eval);
    engine_presence_add_build(&c->engine, &p, out);
}

static void build_presence_remove(const struct control *c, struct bus_op *op, bool use_eval,
                                  struct buf *out)
{
    const struct engine_presence p = presence_of(op, use_eval);
    engine_presence_remove_build(&c->engine, &p, out);
}

static void build_presence_get(const struct control *c, struct bus_op *op, bool use_eval,
                               struct buf *out)
{
    const struct engine_presence p = presence_of(op, use_eval);
    engine_presence_get_build(&c->engine, &p, out);
}

static void build_presence_stats(const struct control *c, struct bus_op *op, bool use_eval,
                                 struct buf *out)
{
    const struct engine_presence p = presence_of(op, use_eval);
    engine_presence_stats_build(&c->engine, &p, out);
}

static int read_presence(const struct control *c, struct bus_op *op, const struct redisReply *reply,
                         struct err *e)
{
    (void)c;
    return engine_presence_get_read(reply, &op->arena, &op->presence, e);
}

static int read_stats(const struct control *c, struct bus_op *op, const struct redisReply *reply,
                      struct err *e)
{
    return engine_presence_stats_read(&c->engine, reply, &op->stats, e);
}

static void build_join(const struct control *c, struct bus_op *op, bool use_eval, struct buf *out)
{
    (void)use_eval;
    engine_join_build(&c->engine, op->channel, &op->info, out);
}

static void build_leave(const struct control *c, struct bus_op *op, bool use_eval, struct buf *out)
{
    (void)use_eval;
    engine_leave_build(&c->engine, op->channel, &op->info, out);
}

static int read_nothing(const struct control *c, struct bus_op *op, const struct redisReply *reply,
                        struct err *e)
{
    (void)c;
    (void)op;
    return engine_ok_read(reply, e);
}

static const struct row rows[] = {
    [BUS_PUBLISH] = {"publish", build_publish, read_publish, METRIC_TYPE_PUBLICATION, true},
    [BUS_HISTORY] = {"history", build_history, read_history, UNCOUNTED, true},
    [BUS_PRESENCE_ADD] = {"presence add", build_presence_add, read_nothing, UNCOUNTED, true},
    [BUS_PRESENCE_REMOVE] = {"presence remove", build_presence_remove, read_nothing, UNCOUNTED,
                             true},
    [BUS_PRESENCE_GET] = {"presence", build_presence_get, read_presence, UNCOUNTED, true},
    [BUS_PRESENCE_STATS] = {"presence stats", build_presence_stats, read_stats, UNCOUNTED, true},
    [BUS_JOIN] = {"join", build_join, read_nothing, METRIC_TYPE_JOIN, false},
    [BUS_LEAVE] = {"leave", build_leave, read_nothing, METRIC_TYPE_LEAVE, false},
};

/* ---- requests that share a command ---- */

/* When many clients come back at once, they ask for the same history. A reading that has not left
 * for Redis yet is as good for those that ask now; one that has left may miss what was published
 * before their subscription. Nothing leaves before the turn of the loop ends. */
static bool is_same(const struct bus_op *a, const struct bus_op *b)
{
    const struct engine_history *x = &a->history;
    const struct engine_history *y = &b->history;
    return a->opts == b->opts && x->limit == y->limit && x->has_since == y->has_since &&
           x->since.offset == y->since.offset && x->reverse == y->reverse &&
           span_eq(x->since.epoch, y->since.epoch) && span_eq(a->channel, b->channel);
}

static unsigned recent_place(const struct bus_op *op)
{
    return (unsigned)((hash_span(op->channel) + op->history.since.offset) % RECENT_CALLS);
}

void service_begin_turn(struct control *c)
{
    c->recent.turn++;
}

static void remember(struct control *c, struct call *call)
{
    unsigned i = recent_place(call->op);
    c->recent.call[i] = call;
    c->recent.turn_of[i] = c->recent.turn;
}

static void forget(struct control *c, const struct call *call)
{
    unsigned i = recent_place(call->op);
    if (c->recent.call[i] == call) {
        c->recent.call[i] = NULL;
    }
}

static bool join_call(struct control *c, struct bus_op *op)
{
    unsigned i = recent_place(op);
    const struct call *call = c->recent.call[i];
    if (call == NULL || c->recent.turn_of[i] != c->recent.turn || !is_same(call->op, op)) {
        return false;
    }
    op->also = call->op->also;
    call->op->also = op;
    return true;
}

/* ---- requests and answers ---- */

static void finish(struct control *c, struct bus_op *op, int error)
{
    if (!rows[op->item.kind].is_answered) {
        bus_op_free(op);
        return;
    }
    op->error = error;
    bus_post_worker(c->bus, op->worker, &op->item);
}

/* What the answer of Redis means for one request. */
static int read_answer(const struct control *c, struct shard *shard, struct bus_op *op,
                       const struct redisReply *reply)
{
    const struct row *row = &rows[op->item.kind];
    struct err e = {0};
    int error = row->read(c, op, reply, &e);
    if (error != 0 && error != ERR_UNRECOVERABLE) {
        redis_story_answer(&shard->story, row->name, e.text);
        metrics_add(c->metrics, METRIC_REDIS_REFUSALS, 0, 1);
    }
    return error;
}

static int submit(struct call *call);

static void on_answer(void *arg, int error, const struct redisReply *reply)
{
    struct call *call = arg;
    struct control *c = call->control;
    bool is_read = error == 0;
    if (error == 0 && engine_is_noscript(reply) && !call->use_eval) {
        /* A Redis that lost its scripts gets the text, within the time that the request has left.
         */
        call->use_eval = true;
        error = submit(call);
        if (error == 0) {
            return;
        }
        is_read = false;
    }
    forget(c, call);
    struct bus_op *op = call->op;
    struct shard *shard = call->shard;
    free(call);
    while (op != NULL) {
        struct bus_op *also = op->also;
        finish(c, op, is_read ? read_answer(c, shard, op, reply) : error);
        op = also;
    }
}

static int submit(struct call *call)
{
    struct control *c = call->control;
    buf_clear(&c->scratch);
    rows[call->op->item.kind].build(c, call->op, call->use_eval, &c->scratch);
    return redis_conn_submit(&call->shard->commands, &c->scratch, call->deadline_ms, on_answer,
                             call);
}

void service_take(struct control *c, struct bus_op *op)
{
    const struct row *row = &rows[op->item.kind];
    struct shard *shard = &c->shards.items[shards_of(&c->shards, op->channel)];
    if (!redis_conn_is_ready(&shard->commands)) {
        finish(c, op, ERR_UNAVAILABLE);
        return;
    }
    bool may_share = op->item.kind == BUS_HISTORY;
    if (may_share && join_call(c, op)) {
        return;
    }
    struct call *call = mem_alloc(sizeof(*call));
    *call = (struct call){.control = c,
                          .shard = shard,
                          .op = op,
                          .deadline_ms = clk_mono_ms() + c->conf->pushd.redis_timeout_ms};
    int rc = submit(call);
    if (rc != 0) {
        free(call);
        finish(c, op, rc);
        return;
    }
    if (may_share) {
        remember(c, call);
    }
    if (row->sent != UNCOUNTED) {
        metrics_add(c->metrics, METRIC_MESSAGES_SENT, (unsigned)row->sent, 1);
    }
}
