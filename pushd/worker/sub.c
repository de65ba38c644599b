/* SPDX-License-Identifier: Apache-2.0 */
/* One subscription: its life after the start. */
#include "pushd/worker/sub.h"

#include <stdlib.h>

#include "common/base/clk.h"
#include "pushd/worker/conn.h"

struct sub *sub_find(const struct conn *c, struct span channel)
{
    LIST_FOR_EACH(e, &c->subs)
    {
        struct sub *s = LIST_ENTRY(e, struct sub, link);
        if (span_eq(chan_name(s->chan), channel)) {
            return s;
        }
    }
    return NULL;
}

struct bus_op *sub_make_op(const struct sub *s, enum bus_kind kind)
{
    struct bus_op *op = bus_op_new(kind, chan_name(s->chan));
    struct conn *c = s->conn;
    op->worker = c->w->index;
    op->opts = s->opts;
    op->has_info = true;
    op->info = (struct client_info){
        .user = arena_dup(&op->arena, conn_user(c)),
        .client = arena_dup(&op->arena, conn_id(c)),
        .conn_info = c->info.n != 0 ? arena_dup(&op->arena, buf_span(&c->info)) : (struct span){0},
        .chan_info = arena_dup(&op->arena, span_of(s->info, s->info_len)),
    };
    return op;
}

void sub_send_op(const struct sub *s, enum bus_kind kind)
{
    struct bus_op *op = sub_make_op(s, kind);
    bus_post_control(s->conn->w->shared->bus, op->worker, &op->item);
}

/* Operations of this subscription that are under way lose their interest in it. */
static void forget_ops(struct sub *s)
{
    LIST_FOR_EACH_SAFE(e, &s->conn->ops)
    {
        struct bus_op *op = LIST_ENTRY(e, struct bus_op, node);
        if (op->context == s) {
            list_unlink(e);
            op->owner = NULL;
        }
    }
}

void sub_end(struct sub *s)
{
    struct conn *c = s->conn;
    forget_ops(s);
    if (s->has_announced) {
        sub_send_op(s, BUS_PRESENCE_REMOVE);
        metrics_add(c->w->metrics, METRIC_ACTIONS, METRIC_ACTION_REMOVE_PRESENCE, 1);
    }
    if (s->emits_join_leave && s->start == NULL) {
        sub_send_op(s, BUS_LEAVE);
    }
    metrics_add(c->w->metrics, METRIC_ACTIONS, METRIC_ACTION_REMOVE_SUBSCRIPTION, 1);
    sub_start_free(s);
    list_unlink(&s->link);
    c->sub_count--;
    hub_unsubscribe(&c->w->hub, s);
    tags_filter_free(s->filter);
    free(s->info);
    free(s);
}

void sub_keep_info(struct sub *s, struct span info)
{
    free(s->info);
    s->info = info.n != 0 ? span_dup(info) : NULL;
    s->info_len = (uint32_t)info.n;
}

static void log_ended(const struct sub *s, uint32_t code, struct span reason)
{
    struct worker *w = s->conn->w;
    uint32_t dropped;
    if (log_is_on(LOG_LEVEL_INFO) && log_limit_pass(&w->refusals, w->now_ms, &dropped)) {
        log_info(LOG_CLIENT, "unsubscribed by the server", LOG_TEXT("channel", chan_name(s->chan)),
                 LOG_NUM("code", code), LOG_TEXT("text", reason),
                 LOG_TEXT("client", conn_id(s->conn)), LOG_TEXT("user", conn_user(s->conn)),
                 LOG_NUM("suppressed", dropped));
    }
}

void sub_unsubscribe(struct sub *s, uint32_t code, struct span reason)
{
    struct conn *c = s->conn;
    if (s->start != NULL) {
        sub_start_doom(s, code, reason);
        return;
    }
    metrics_add(c->w->metrics, METRIC_SERVER_UNSUBSCRIBES, metrics_code_index(code), 1);
    log_ended(s, code, reason);
    struct unsubscribe_push u = {.code = code, .reason = reason};
    conn_send_push(c, &(struct push){.channel = chan_name(s->chan), .unsubscribe = &u});
    if (conn_is_open(c)) {
        sub_end(s); /* else it is gone with the connection */
    }
}

static void push_unsubscribe(struct sub *s, uint32_t code)
{
    sub_unsubscribe(s, code, span_str(perr_row(code)->text));
}

void sub_insufficient(struct sub *s)
{
    if (s->is_server_side) {
        conn_close_about(s->conn, chan_name(s->chan),
                         &(struct perr_result){PERR_CLOSE_INSUFFICIENT, "position.gap", NULL});
    } else {
        push_unsubscribe(s, PERR_UNSUBSCRIBE_INSUFFICIENT);
    }
}

void sub_fell_behind(struct sub *s)
{
    if (s->start != NULL) {
        s->is_behind = true;
    } else {
        sub_insufficient(s);
    }
}

bool sub_is_behind(const struct sub *s)
{
    const struct chan *c = s->chan;
    return c->top_epoch_id == s->epoch_id && c->top_offset > s->offset;
}

bool sub_is_astray(const struct sub *s)
{
    const struct chan *c = s->chan;
    return c->top_epoch_id != s->epoch_id || (c->top_is_less && c->top_offset < s->offset);
}

static void ask(struct sub *s, enum bus_kind kind, void (*done)(struct bus_op *op), uint64_t known)
{
    struct bus_op *op = bus_op_new(kind, chan_name(s->chan));
    op->opts = s->opts;
    op->furthest = known;
    s->is_checking = true;
    conn_submit(s->conn, op, done, s);
}

/* What the look at the stream saw has arrived by now, or never will. */
static void position_confirmed(struct bus_op *op)
{
    struct sub *s = op->context;
    s->is_checking = false;
    if (op->error == 0 && s->chan->epoch_id == s->epoch_id && op->furthest > s->offset) {
        sub_insufficient(s);
    }
}

/* By the top of the stream, which was read later than the position was last known to be good. */
static void judge_position(struct sub *s)
{
    const struct chan *c = s->chan;
    if (sub_is_astray(s)) {
        sub_insufficient(s);
    } else if (sub_is_behind(s)) {
        /* A publication of this very moment may be on its way by PUB/SUB, which is another
         * connection. */
        ask(s, BUS_SETTLE, position_confirmed, c->top_offset);
    } else {
        s->checked_ms = c->top_ms;
    }
}

static void position_checked(struct bus_op *op)
{
    struct sub *s = op->context;
    s->is_checking = false;
    if (op->error != 0) {
        return; /* Redis is away: looked at again at the next tick */
    }
    struct hub *h = &s->conn->w->hub;
    hub_note_top(h, s->chan, &op->found.top, op->furthest);
    if (s->chan->top_is_less) {
        hub_judge(h, s->chan);
    } else {
        judge_position(s);
    }
}

/* The first subscription of a channel that is due reads the top of the stream, and the others use
 * what it found. */
static void check_position(struct sub *s, int64_t now_ms)
{
    int64_t delay_ms = s->conn->w->conf->client.channel_position_check_delay_ms;
    if (s->is_checking || now_ms - s->checked_ms <= delay_ms) {
        return;
    }
    if (s->chan->top_ms != 0 && now_ms - s->chan->top_ms <= delay_ms) {
        judge_position(s);
    } else {
        ask(s, BUS_HISTORY, position_checked, s->chan->furthest);
    }
}

static bool is_expired(const struct sub *s)
{
    int64_t grace_ms = s->conn->w->conf->client.expired_sub_close_delay_ms;
    return s->expire_at > 0 && clk_wall_ms() > s->expire_at * 1000 + grace_ms;
}

void sub_tick(struct sub *s, int64_t now_ms)
{
    struct conn *c = s->conn;
    if (s->start != NULL) {
        return;
    }
    if (is_expired(s)) {
        if (s->is_server_side) {
            conn_close_about(c, chan_name(s->chan),
                             &(struct perr_result){PERR_CLOSE_SUBSCRIPTION_EXPIRED,
                                                   "subscription.expired", NULL});
        } else {
            push_unsubscribe(s, PERR_UNSUBSCRIBE_EXPIRED);
        }
        return;
    }
    if (s->has_presence) {
        sub_send_op(s, BUS_PRESENCE_ADD);
    }
    if (s->is_positioned) {
        check_position(s, now_ms);
    }
}
