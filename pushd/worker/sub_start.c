/* SPDX-License-Identifier: Apache-2.0 */
/* How a subscription comes to be: the channel, presence, the position, recovery; then the answer,
 * then live messages. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/policy/channel.h"
#include "pushd/worker/conn.h"
#include "pushd/worker/recovery.h"
#include "pushd/worker/sub.h"

/* More messages than this arriving while a subscription is being established mean that Redis hangs:
 * give up. */
#define HELD_MAX 4096

/* What a subscription needs only until it is established. */
struct sub_start {
    struct arena arena;
    sub_done_fn done;
    void *ctx;
    unsigned waiting; /* answers still to come */
    struct perr_result outcome;
    struct subscribe_result result;
    struct recovery recovery;
    struct msg **held; /* arrived meanwhile, in order */
    uint32_t held_count;
    uint32_t held_cap;
    bool is_doomed; /* ends right after the answer, with these */
    uint32_t end_code;
    struct span end_reason; /* in the arena */
};

void sub_start_free(struct sub *s)
{
    struct sub_start *st = s->start;
    if (st == NULL) {
        return;
    }
    for (uint32_t i = 0; i < st->held_count; i++) {
        msg_unref(st->held[i]);
    }
    free(st->held);
    arena_fini(&st->arena);
    free(st);
    s->start = NULL;
}

void sub_start_doom(struct sub *s, uint32_t code, struct span reason)
{
    struct sub_start *st = s->start;
    st->is_doomed = true;
    st->end_code = code;
    st->end_reason = arena_dup(&st->arena, reason);
}

static bool overridden(enum token_override o, bool value)
{
    return o == OVERRIDE_NONE ? value : o == OVERRIDE_TRUE;
}

static bool allows_delta(const struct chan_opts *o, struct span wanted)
{
    if (!span_eq_str(wanted, "fossil")) {
        return false;
    }
    for (size_t i = 0; i < o->allowed_delta_types.n; i++) {
        if (strcmp(o->allowed_delta_types.items[i], "fossil") == 0) {
            return true;
        }
    }
    return false;
}

/* Which features the subscription gets: the namespace, the token's overrides, the client's wishes.
 */
static void choose_options(struct sub *s, const struct sub_params *p,
                           const struct subscribe_request *wish)
{
    static const struct token_sub none;
    const struct chan_opts *o = p->opts;
    const struct token_sub *t = p->token != NULL ? p->token : &none;
    struct channel_subject who = {.user = conn_user(s->conn), .is_subscribed = true};
    const struct conf *conf = s->conn->w->conf;
    bool history = channel_permits(conf, o, RIGHT_HISTORY, &who);
    s->is_recoverable = overridden(t->force_recovery, o->force_recovery) ||
                        (wish->recoverable && (o->allow_recovery || history));
    s->is_positioned = s->is_recoverable ||
                       overridden(t->force_positioning, o->force_positioning) ||
                       (wish->positioned && (o->allow_positioning || history));
    s->has_presence = overridden(t->presence, o->presence);
    s->emits_join_leave = overridden(t->join_leave, o->join_leave);
    s->gets_join_leave =
        overridden(t->force_push_join_leave, o->force_push_join_leave) ||
        (wish->join_leave && o->join_leave && channel_permits(conf, o, RIGHT_PRESENCE, &who));
    s->has_delta = allows_delta(o, wish->delta);
    s->is_compact = !s->is_server_side && o->allow_channel_compaction &&
                    (wish->flag & SUBSCRIBE_COMPACTION) != 0;
}

static void finish(struct sub *s)
{
    struct sub_start *st = s->start;
    struct conn *c = s->conn;
    sub_done_fn done = st->done;
    void *ctx = st->ctx;
    if (st->outcome.code != PERR_OK) {
        struct buf name = {0};
        buf_add_span(&name, chan_name(s->chan));
        struct sub_outcome failed = {.channel = buf_span(&name), .error = st->outcome};
        sub_end(s);
        done(c, ctx, &failed);
        buf_free(&name);
        return;
    }
    st->result.positioned = s->is_positioned;
    st->result.recoverable = s->is_recoverable;
    st->result.delta = s->has_delta;
    st->result.id = s->is_compact ? s->chan->id : 0;
    metrics_add(c->w->metrics, METRIC_ACTIONS, METRIC_ACTION_ADD_SUBSCRIPTION, 1);
    metrics_add(c->w->metrics, METRIC_SUBSCRIPTIONS_ACCEPTED, 0, 1);
    log_info(LOG_CLIENT, "subscribe", LOG_TEXT("channel", chan_name(s->chan)),
             LOG_TEXT("client", conn_id(c)), LOG_TEXT("user", conn_user(c)));
    done(c, ctx,
         &(struct sub_outcome){.channel = chan_name(s->chan), .sub = s, .result = &st->result});
}

static void part_done(struct sub *s, int error)
{
    struct sub_start *st = s->start;
    if (error != 0 && st->outcome.code == PERR_OK) {
        st->outcome = (struct perr_result){PERR_CLOSE_INTERNAL, "redis.unavailable",
                                           "Redis is not available"};
    }
    if (--st->waiting == 0) {
        finish(s);
    }
}

static void presence_added(struct bus_op *op)
{
    part_done(op->context, op->error);
}

/* The client is told, too, but not why. */
static void log_not_recovered(const struct sub *s, const struct engine_history_result *found)
{
    const struct recovery *r = &s->start->recovery;
    struct worker *w = s->conn->w;
    uint32_t dropped;
    if (r->is_cache || !log_is_on(LOG_LEVEL_INFO) ||
        !log_limit_pass(&w->refusals, w->now_ms, &dropped)) {
        return;
    }
    struct recovery_fault f = recovery_explain(r, found);
    log_info(LOG_CLIENT, "not recovered", LOG_TEXT("channel", chan_name(s->chan)),
             LOG_STR("reason", f.reason), LOG_STR("text", f.detail), LOG_NUM("offset", r->offset),
             LOG_TEXT("epoch", r->epoch), LOG_NUM("top_offset", found->top.offset),
             LOG_TEXT("top_epoch", found->top.epoch), LOG_TEXT("client", conn_id(s->conn)),
             LOG_TEXT("user", conn_user(s->conn)), LOG_NUM("suppressed", dropped));
}

static void history_read(struct bus_op *op)
{
    struct sub *s = op->context;
    struct sub_start *st = s->start;
    if (op->error != 0) {
        part_done(s, op->error);
        return;
    }
    struct engine_position top = op->found.top;
    struct hub *h = &s->conn->w->hub;
    s->epoch_id = hub_note_top(h, s->chan, &top, op->furthest);
    if (s->chan->top_is_less) {
        hub_judge(h, s->chan);
    }
    s->offset = top.offset;
    s->checked_ms = s->conn->w->now_ms;
    s->is_behind = false;
    st->result.epoch = arena_dup(&st->arena, top.epoch);
    st->result.offset = top.offset;
    if (st->recovery.is_wanted) {
        st->result.was_recovering = true;
        bool recovered = recovery_apply(&st->recovery, &op->found, &st->arena, &st->result);
        metrics_add(s->conn->w->metrics, METRIC_RECOVER, recovered, 1);
        if (!recovered) {
            log_not_recovered(s, &op->found);
        }
        s->has_base = recovery_gives_base(&st->result, top.offset);
        if (s->has_delta) {
            recovery_make_deltas(&st->result.publications, s->conn->enc, &st->arena);
        }
        if (!recovered && st->recovery.rejects_unrecoverable) {
            st->outcome = (struct perr_result){PERR_UNRECOVERABLE_POSITION, "position.lost", NULL};
        }
    }
    part_done(s, 0);
}

static void read_history(struct sub *s)
{
    struct sub_start *st = s->start;
    struct bus_op *op = bus_op_new(BUS_HISTORY, chan_name(s->chan));
    op->opts = s->opts;
    op->furthest = s->chan->furthest;
    if (st->recovery.is_wanted && st->recovery.is_possible) {
        recovery_ask(&st->recovery, s->conn->w->conf->client.recovery_max_publication_limit,
                     &op->history);
    }
    st->waiting++;
    conn_submit(s->conn, op, history_read, s);
}

/* The channel is ready: what else is needed from Redis goes out at once. */
static void proceed(struct sub *s)
{
    struct sub_start *st = s->start;
    st->waiting = 1; /* held until all are out */
    if (s->has_presence) {
        s->has_announced = true;
        st->waiting++;
        metrics_add(s->conn->w->metrics, METRIC_ACTIONS, METRIC_ACTION_ADD_PRESENCE, 1);
        conn_submit(s->conn, sub_make_op(s, BUS_PRESENCE_ADD), presence_added, s);
    }
    if (s->is_positioned) {
        read_history(s);
    } else if (st->recovery.is_wanted) {
        static const struct engine_history_result nothing;
        st->result.was_recovering = true;
        log_not_recovered(s, &nothing);
    }
    part_done(s, 0);
}

void sub_channel_ready(struct sub *s, int error)
{
    if (error != 0) {
        s->start->outcome = (struct perr_result){PERR_CLOSE_INTERNAL, "redis.unavailable",
                                                 "Redis is not available"};
        finish(s);
    } else if (s->start->waiting == 0) {
        proceed(s);
    }
}

void sub_begin(struct conn *c, const struct sub_params *p)
{
    static const struct subscribe_request nothing;
    const struct subscribe_request *wish = p->wish != NULL ? p->wish : &nothing;
    struct sub *s = mem_zalloc(sizeof(*s));
    struct sub_start *st = mem_zalloc(sizeof(*st));
    s->conn = c;
    s->opts = p->opts;
    s->start = st;
    s->filter = p->filter;
    s->is_server_side = p->is_server_side;
    s->is_from_token = p->is_from_token;
    s->expire_at = p->expire_at;
    list_append(&c->subs, &s->link);
    c->sub_count++;
    choose_options(s, p, wish);
    st->done = p->done;
    st->ctx = p->ctx;
    recovery_init(&st->recovery, p->opts, s->is_recoverable, wish, s->filter, &st->arena);
    if (p->token != NULL) {
        sub_keep_info(s, p->token->info);
        st->result.data = arena_dup(&st->arena, p->token->data);
    }
    hub_subscribe(&c->w->hub, s, p->channel);
    if (s->chan->state == CHAN_READY) {
        proceed(s);
    }
}

void sub_hold(struct sub *s, struct msg *m)
{
    struct sub_start *st = s->start;
    if (st->held_count == HELD_MAX) {
        conn_close_slow(s->conn, METRIC_SLOW_SUBSCRIBE);
        return;
    }
    if (st->held_count == st->held_cap) {
        st->held_cap = st->held_cap == 0 ? 4 : st->held_cap * 2;
        st->held = mem_realloc(st->held, st->held_cap * sizeof(st->held[0]));
    }
    st->held[st->held_count++] = msg_ref(m);
}

static void deliver_held(struct sub *s, struct msg *m, struct arena *a)
{
    struct delivery_pool *pool = &s->conn->w->deliveries;
    if (m->position.offset != 0) {
        hub_epoch_id(s->chan, m->position.epoch); /* history may have told of another one since */
    }
    struct dispatch d;
    dispatch_init(&d, s->conn->w, s->chan, m, a);
    sub_deliver(s, &d);
    dispatch_fini(&d, pool);
}

void sub_release(struct sub *s)
{
    struct sub_start *st = s->start;
    struct conn *c = s->conn;
    s->start = NULL;
    if (s->emits_join_leave) {
        sub_send_op(s, BUS_JOIN);
    }
    /* The subscription may end itself at any of these; nothing of it is touched after that. */
    struct span channel = arena_dup(&st->arena, chan_name(s->chan));
    for (uint32_t i = 0; i < st->held_count; i++) {
        if (conn_is_open(c) && sub_find(c, channel) == s) {
            deliver_held(s, st->held[i], &st->arena);
        }
        msg_unref(st->held[i]);
    }
    if (conn_is_open(c) && sub_find(c, channel) == s) {
        if (st->is_doomed) {
            sub_unsubscribe(s, st->end_code, st->end_reason);
        } else if (s->is_behind) {
            sub_insufficient(s);
        }
    }
    free(st->held);
    arena_fini(&st->arena);
    free(st);
}
