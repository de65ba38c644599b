/* SPDX-License-Identifier: Apache-2.0 */
/* One subscription. */
#include "pushd/worker/sub.h"

#include <stdlib.h>

#include "common/base/clk.h"
#include "common/base/mem.h"
#include "common/policy/channel.h"
#include "pushd/worker/conn.h"

/* More messages than this arriving while a subscription is being established mean that Redis hangs: give up. */
#define HELD_MAX 4096

/* What a subscription needs only until it is established. */
struct sub_start {
    struct arena arena;
    sub_done_fn done;
    void *ctx;
    unsigned waiting;        /* answers still to come */
    bool announced_presence;
    struct perr_result outcome;
    struct subscribe_result result;
    bool recover;
    bool rejects_unrecoverable;
    uint64_t since_offset;
    struct span since_epoch;
    struct msg **held;       /* arrived meanwhile, in order */
    uint32_t held_count;
    uint32_t held_cap;
};

struct sub *sub_find(const struct conn *c, struct span channel)
{
    LIST_FOR_EACH(e, &c->subs) {
        struct sub *s = LIST_ENTRY(e, struct sub, link);
        if (span_eq(chan_name(s->chan), channel)) {
            return s;
        }
    }
    return NULL;
}

void sub_client_info(const struct sub *s, struct client_info *out)
{
    *out = (struct client_info){
        .user = conn_user(s->conn),
        .client = conn_id(s->conn),
        .conn_info = s->conn->info.n != 0 ? buf_span(&s->conn->info) : (struct span){0},
        .chan_info = span_of(s->info, s->info_len),
    };
}

static struct bus_op *make_op(const struct sub *s, enum bus_kind kind)
{
    struct bus_op *op = bus_op_new(kind, chan_name(s->chan));
    op->opts = s->opts;
    struct client_info info;
    sub_client_info(s, &info);
    op->has_info = true;
    op->info.user = arena_dup(&op->arena, info.user);
    op->info.client = arena_dup(&op->arena, info.client);
    op->info.conn_info = arena_dup(&op->arena, info.conn_info);
    op->info.chan_info = arena_dup(&op->arena, info.chan_info);
    return op;
}

/* Sent without waiting for its end. */
static void send_op(const struct sub *s, enum bus_kind kind)
{
    struct bus_op *op = make_op(s, kind);
    op->worker = s->conn->w->index;
    bus_post_control(s->conn->w->shared->bus, op->worker, &op->item);
}

static void free_start(struct sub *s)
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

/* Operations of this subscription that are under way lose their interest in it. */
static void forget_ops(struct sub *s)
{
    LIST_FOR_EACH_SAFE(e, &s->conn->ops) {
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
    if (s->has_presence && (s->start == NULL || s->start->announced_presence)) {
        send_op(s, BUS_PRESENCE_REMOVE);
        metrics_add(c->w->metrics, METRIC_ACTIONS, METRIC_ACTION_REMOVE_PRESENCE, 1);
    }
    if (s->emits_join_leave && s->start == NULL) {
        send_op(s, BUS_LEAVE);
    }
    metrics_add(c->w->metrics, METRIC_ACTIONS, METRIC_ACTION_REMOVE_SUBSCRIPTION, 1);
    free_start(s);
    list_unlink(&s->link);
    c->sub_count--;
    hub_unsubscribe(&c->w->hub, s);
    free(s->info);
    free(s);
}

static bool overridden(enum token_override o, bool value)
{
    return o == OVERRIDE_NONE ? value : o == OVERRIDE_TRUE;
}

/* Which features the subscription gets: the namespace, the token's overrides, the client's wishes. */
static void choose_options(struct sub *s, const struct sub_params *p)
{
    static const struct token_sub none;
    const struct chan_opts *o = p->opts;
    const struct token_sub *t = p->token != NULL ? p->token : &none;
    struct channel_subject who = {.user = conn_user(s->conn), .is_subscribed = true};
    const struct conf *conf = s->conn->w->conf;
    bool history = channel_has_history(o) && channel_permits(conf, o, RIGHT_HISTORY, &who);
    bool forced_recovery = overridden(t->force_recovery, o->force_recovery);
    s->is_recoverable = forced_recovery || (p->wants_recoverable && (o->allow_recovery || history));
    s->is_positioned = s->is_recoverable || overridden(t->force_positioning, o->force_positioning) ||
                       (p->wants_positioned && (o->allow_positioning || history));
    s->has_presence = overridden(t->presence, o->presence);
    s->emits_join_leave = overridden(t->join_leave, o->join_leave);
    s->gets_join_leave = overridden(t->force_push_join_leave, o->force_push_join_leave) ||
                         (p->wants_join_leave && s->emits_join_leave && o->presence &&
                          channel_permits(conf, o, RIGHT_PRESENCE, &who));
}

static void keep_info(struct sub *s, struct span info)
{
    if (info.n != 0) {
        s->info = span_dup(info);
        s->info_len = (uint32_t)info.n;
    }
}

/* ---- establishing ---- */

static void finish(struct sub *s)
{
    struct sub_start *st = s->start;
    struct conn *c = s->conn;
    sub_done_fn done = st->done;
    void *ctx = st->ctx;
    if (st->outcome.code != PERR_OK) {
        struct perr_result outcome = st->outcome;
        sub_end(s);
        done(c, NULL, ctx, &outcome, NULL);
        return;
    }
    st->result.positioned = s->is_positioned;
    st->result.recoverable = s->is_recoverable;
    metrics_add(c->w->metrics, METRIC_ACTIONS, METRIC_ACTION_ADD_SUBSCRIPTION, 1);
    metrics_add(c->w->metrics, METRIC_SUBSCRIPTIONS_ACCEPTED, 0, 1);
    log_info(LOG_CLIENT, "subscribe", LOG_TEXT("channel", chan_name(s->chan)), LOG_TEXT("client", conn_id(c)),
             LOG_TEXT("user", conn_user(c)));
    st->outcome = (struct perr_result){0};
    done(c, s, ctx, &st->outcome, &st->result);
}

static void part_done(struct sub *s, int error)
{
    struct sub_start *st = s->start;
    if (error != 0 && st->outcome.code == PERR_OK) {
        st->outcome = (struct perr_result){PERR_CLOSE_INTERNAL, "redis.unavailable", NULL};
    }
    if (--st->waiting == 0) {
        finish(s);
    }
}

static void presence_added(struct bus_op *op)
{
    part_done(op->context, op->error);
}

/* Copies the publications that a client missed into the answer. */
static void keep_publications(struct sub_start *st, const struct vec *found)
{
    const struct publication *pubs = found->items;
    struct publication *copy = arena_alloc(&st->arena, found->n * sizeof(*copy));
    for (size_t i = 0; i < found->n; i++) {
        copy[i] = (struct publication){
            .data = arena_dup(&st->arena, pubs[i].data),
            .offset = pubs[i].offset,
            .version = pubs[i].version,
        };
        if (pubs[i].info != NULL) {
            copy[i].info = arena_alloc(&st->arena, sizeof(struct client_info));
            *copy[i].info = (struct client_info){
                .user = arena_dup(&st->arena, pubs[i].info->user),
                .client = arena_dup(&st->arena, pubs[i].info->client),
                .conn_info = arena_dup(&st->arena, pubs[i].info->conn_info),
                .chan_info = arena_dup(&st->arena, pubs[i].info->chan_info),
            };
        }
        const struct kv *tags = pubs[i].tags.items;
        struct kv *tag_copy = arena_alloc(&st->arena, pubs[i].tags.n * sizeof(*tag_copy));
        for (size_t k = 0; k < pubs[i].tags.n; k++) {
            tag_copy[k] = (struct kv){arena_dup(&st->arena, tags[k].key), arena_dup(&st->arena, tags[k].value)};
        }
        copy[i].tags = (struct vec){tag_copy, pubs[i].tags.n};
    }
    st->result.publications = (struct vec){copy, found->n};
}

/* Whether the history that was read continues the client's position without a hole up to the top (client protocol 7.3). */
static bool is_recovered(const struct sub_start *st, const struct engine_history_result *found)
{
    if (st->since_epoch.n != 0 && !span_eq(st->since_epoch, found->top.epoch)) {
        return false;
    }
    if (found->publications.n == 0) {
        return st->since_offset == found->top.offset;
    }
    const struct publication *pubs = found->publications.items;
    return pubs[0].offset == st->since_offset + 1 &&
           pubs[found->publications.n - 1].offset == found->top.offset;
}

static void history_read(struct bus_op *op)
{
    struct sub *s = op->context;
    struct sub_start *st = s->start;
    if (op->error != 0 && op->error != ERR_UNRECOVERABLE) {
        part_done(s, op->error);
        return;
    }
    const struct engine_history_result *found = &op->found;
    struct span epoch = found->top.epoch;
    s->epoch_id = hub_epoch_id(s->chan, epoch);
    s->offset = found->top.offset;
    s->checked_ms = s->conn->w->now_ms;
    st->result.epoch = arena_dup(&st->arena, epoch);
    st->result.offset = found->top.offset;
    if (st->recover) {
        st->result.was_recovering = true;
        bool recovered = op->error == 0 && is_recovered(st, found);
        metrics_add(s->conn->w->metrics, METRIC_RECOVER, recovered, 1);
        if (recovered) {
            st->result.recovered = true;
            st->result.offset = st->since_offset; /* the client advances by the publications */
            keep_publications(st, &found->publications);
        } else if (st->rejects_unrecoverable) {
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
    bool recovers = st->recover && s->is_recoverable;
    if (recovers) {
        /* One more than allowed shows that too many were missed. The epoch is compared here, so that a lost position still tells
         * the current one. */
        op->history.limit = s->conn->w->conf->client.recovery_max_publication_limit;
        op->history.has_since = true;
        op->history.since.offset = st->since_offset;
    }
    st->recover = st->recover && (recovers || s->is_positioned);
    st->waiting++;
    conn_submit(s->conn, op, history_read, s);
}

/* The channel is ready: what else is needed from Redis goes out at once. */
static void proceed(struct sub *s)
{
    struct sub_start *st = s->start;
    st->waiting = 1; /* held until all are out */
    if (s->has_presence) {
        st->announced_presence = true;
        st->waiting++;
        metrics_add(s->conn->w->metrics, METRIC_ACTIONS, METRIC_ACTION_ADD_PRESENCE, 1);
        conn_submit(s->conn, make_op(s, BUS_PRESENCE_ADD), presence_added, s);
    }
    if (s->is_positioned) {
        read_history(s);
    } else if (st->recover) {
        st->result.was_recovering = true;
    }
    part_done(s, 0);
}

void sub_channel_ready(struct sub *s, int error)
{
    if (error != 0) {
        s->start->outcome = (struct perr_result){PERR_CLOSE_INTERNAL, "redis.unavailable", NULL};
        finish(s);
    } else if (s->start->waiting == 0) {
        proceed(s);
    }
}

void sub_begin(struct conn *c, const struct sub_params *p)
{
    struct sub *s = mem_zalloc(sizeof(*s));
    struct sub_start *st = mem_zalloc(sizeof(*st));
    s->conn = c;
    s->opts = p->opts;
    s->start = st;
    s->is_server_side = p->is_server_side;
    s->is_from_token = p->is_from_token;
    s->expire_at = p->expire_at;
    list_append(&c->subs, &s->link);
    c->sub_count++;
    choose_options(s, p);
    st->done = p->done;
    st->ctx = p->ctx;
    st->recover = p->recover;
    st->rejects_unrecoverable = p->rejects_unrecoverable;
    st->since_offset = p->since_offset;
    st->since_epoch = arena_dup(&st->arena, p->since_epoch);
    if (p->token != NULL) {
        keep_info(s, p->token->info);
        st->result.data = arena_dup(&st->arena, p->token->data);
    }
    hub_subscribe(&c->w->hub, s, p->channel);
    if (s->chan->state == CHAN_READY) {
        proceed(s);
    }
}

/* ---- live ---- */

static void insufficient(struct sub *s)
{
    struct conn *c = s->conn;
    if (s->is_server_side) {
        conn_close_perr(c, &(struct perr_result){PERR_CLOSE_INSUFFICIENT, "position.gap", NULL});
        return;
    }
    metrics_add(c->w->metrics, METRIC_SERVER_UNSUBSCRIBES, metrics_code_index(PERR_UNSUBSCRIBE_INSUFFICIENT), 1);
    struct unsubscribe_push u = {.code = PERR_UNSUBSCRIBE_INSUFFICIENT, .reason = SPAN("insufficient state")};
    struct push p = {.channel = chan_name(s->chan), .unsubscribe = &u};
    conn_send_push(c, &p);
    sub_end(s);
}

enum verdict { DELIVER, SKIP, GAP };

/* Client protocol 7.5. */
static enum verdict check_position(struct sub *s, const struct msg *m)
{
    if (!s->is_positioned || m->position.offset == 0) {
        return DELIVER;
    }
    int64_t lag = s->conn->w->conf->client.channel_position_max_time_lag_ms;
    if (lag > 0 && m->time_ms != 0 && clk_wall_ms() - m->time_ms > lag) {
        return GAP;
    }
    if (s->epoch_id != s->chan->epoch_id) {
        return GAP;
    }
    if (m->position.offset <= s->offset) {
        return SKIP;
    }
    if (m->position.offset != s->offset + 1) {
        return GAP;
    }
    s->offset = m->position.offset;
    s->checked_ms = s->conn->w->now_ms;
    return DELIVER;
}

static void hold(struct sub *s, struct msg *m)
{
    struct sub_start *st = s->start;
    if (st->held_count == HELD_MAX) {
        conn_close_perr(s->conn, &(struct perr_result){PERR_CLOSE_SLOW, "subscribe.slow", NULL});
        return;
    }
    if (st->held_count == st->held_cap) {
        st->held_cap = st->held_cap == 0 ? 4 : st->held_cap * 2;
        st->held = mem_realloc(st->held, st->held_cap * sizeof(st->held[0]));
    }
    st->held[st->held_count++] = msg_ref(m);
}

void sub_deliver(struct sub *s, struct msg *m, struct delivery *by_encoding[ENC_COUNT])
{
    if (UNLIKELY(s->start != NULL)) {
        hold(s, m);
        return;
    }
    struct conn *c = s->conn;
    if (m->kind != MESSAGE_PUBLICATION && !s->gets_join_leave) {
        return;
    }
    enum verdict v = check_position(s, m);
    if (UNLIKELY(v != DELIVER)) {
        if (v == GAP) {
            insufficient(s);
        }
        return;
    }
    if (by_encoding[c->enc] == NULL) {
        const struct msg_frame *frame = msg_frame_get(m, c->enc);
        if (frame == NULL) {
            if (c->enc == ENC_JSON && !m->is_json) {
                conn_close_perr(c, &(struct perr_result){PERR_CLOSE_INAPPROPRIATE_PROTOCOL, "payload.not_json",
                                                         "a publication is not JSON; use the protobuf protocol"});
            }
            return;
        }
        by_encoding[c->enc] = delivery_of_msg(&c->w->deliveries, m, frame);
    }
    conn_push(c, by_encoding[c->enc]);
}

void sub_release(struct sub *s)
{
    struct sub_start *st = s->start;
    struct conn *c = s->conn;
    s->start = NULL;
    if (s->emits_join_leave) {
        send_op(s, BUS_JOIN);
    }
    /* The subscription may end itself at any of these; nothing of it is touched after that. */
    struct span channel = arena_dup(&st->arena, chan_name(s->chan));
    for (uint32_t i = 0; i < st->held_count; i++) {
        if (conn_is_open(c) && sub_find(c, channel) == s) {
            struct delivery *by_encoding[ENC_COUNT] = {0};
            sub_deliver(s, st->held[i], by_encoding);
            if (by_encoding[c->enc] != NULL) {
                delivery_unref(&c->w->deliveries, by_encoding[c->enc]);
            }
        }
        msg_unref(st->held[i]);
    }
    free(st->held);
    arena_fini(&st->arena);
    free(st);
}

/* ---- maintenance ---- */

static void position_checked(struct bus_op *op)
{
    struct sub *s = op->context;
    s->is_checking = false;
    if (op->error != 0) {
        return; /* Redis is away: looked at again at the next tick */
    }
    if (hub_epoch_id(s->chan, op->found.top.epoch) != s->epoch_id || op->found.top.offset > s->offset) {
        insufficient(s);
        return;
    }
    s->checked_ms = s->conn->w->now_ms;
}

void sub_tick(struct sub *s, int64_t now_ms)
{
    struct conn *c = s->conn;
    if (s->start != NULL) {
        return;
    }
    if (s->has_presence) {
        send_op(s, BUS_PRESENCE_ADD);
    }
    const struct conf_client *o = &c->w->conf->client;
    if (s->expire_at > 0 && clk_wall_ms() > s->expire_at * 1000 + o->expired_sub_close_delay_ms) {
        if (s->is_server_side) {
            conn_close_perr(c, &(struct perr_result){PERR_CLOSE_SUBSCRIPTION_EXPIRED, "subscription.expired", NULL});
            return;
        }
        struct unsubscribe_push u = {.code = PERR_UNSUBSCRIBE_EXPIRED, .reason = SPAN("subscription expired")};
        struct push p = {.channel = chan_name(s->chan), .unsubscribe = &u};
        conn_send_push(c, &p);
        sub_end(s);
        return;
    }
    if (s->is_positioned && !s->is_checking && now_ms - s->checked_ms > o->channel_position_check_delay_ms) {
        s->is_checking = true;
        struct bus_op *op = bus_op_new(BUS_HISTORY, chan_name(s->chan));
        op->opts = s->opts;
        conn_submit(c, op, position_checked, s);
    }
}
