/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the cluster for the connections of a user. */
#include "pushd/worker/command.h"

#include <stdlib.h>

#include "common/base/clk.h"
#include "common/base/mem.h"
#include "common/policy/channel.h"
#include "pushd/worker/client_cmd.h"
#include "pushd/worker/conn.h"
#include "pushd/worker/sub.h"

/* Who a command is for. */
struct target {
    struct span user;
    struct span client; /* n == 0: any */
    struct span
        session; /* bidirectional connections have none, so one that is given excludes them */
    bool all_users;
};

typedef void (*apply_fn)(struct conn *c, const struct control_command *m);

static bool is_target(const struct conn *c, const struct target *t)
{
    return conn_is_open(c) && c->user != NULL && t->session.n == 0 &&
           (t->client.n == 0 || span_eq(t->client, conn_id(c)));
}

/* A push must not come before the connect reply, and a client that is about to be connected must
 * not miss the command. */
static void apply(struct conn *c, apply_fn fn, const struct control_command *m)
{
    if (c->state == CONN_CONNECTING && m->disconnect == NULL) {
        cmd_connect_defer(c, m);
    } else {
        fn(c, m);
    }
}

static void for_each(struct worker *w, const struct target *t, apply_fn fn,
                     const struct control_command *m)
{
    if (t->all_users) {
        LIST_FOR_EACH_SAFE(e, &w->conns)
        {
            struct conn *c = LIST_ENTRY(e, struct conn, link);
            if (is_target(c, t)) {
                apply(c, fn, m);
            }
        }
        return;
    }
    struct user *u = hub_find_user(&w->hub, t->user);
    if (u == NULL) {
        return;
    }
    /* Collected first: fn may close connections, and the last one takes the user with it. */
    struct conn **all = mem_alloc(u->count * sizeof(*all));
    size_t n = 0;
    LIST_FOR_EACH(e, &u->conns)
    {
        all[n++] = LIST_ENTRY(e, struct conn, user_link);
    }
    for (size_t i = 0; i < n; i++) {
        if (is_target(all[i], t)) {
            apply(all[i], fn, m);
        }
    }
    free(all);
}

/* Applications choose the code. Those above 4999 are none of RFC 6455, but the reference sends them
 * and clients reconnect on them. */
static bool is_sendable(uint32_t code)
{
    return code <= UINT16_MAX && (code >= 5000 || ws_close_code_is_valid(code));
}

static void apply_disconnect(struct conn *c, const struct control_command *m)
{
    const struct control_disconnect *d = m->disconnect;
    const struct span *keep = d->whitelist.items;
    for (size_t i = 0; i < d->whitelist.n; i++) {
        if (span_eq(keep[i], conn_id(c))) {
            return;
        }
    }
    /* Codes that may not stand in a close frame would make clients reconnect. */
    uint32_t code = is_sendable(d->code) ? d->code : PERR_CLOSE_FORCE;
    metrics_add(c->w->metrics, METRIC_SERVER_DISCONNECTS, metrics_code_index(code), 1);
    conn_close(c, code, d->reason);
}

static void apply_unsubscribe(struct conn *c, const struct control_command *m)
{
    const struct control_unsubscribe *u = m->unsubscribe;
    struct sub *s = u->channel.n != 0 ? sub_find(c, u->channel) : NULL;
    if (s != NULL) {
        sub_unsubscribe(s, u->code, u->reason);
        return;
    }
    metrics_add(c->w->metrics, METRIC_SERVER_UNSUBSCRIBES, metrics_code_index(u->code), 1);
    struct unsubscribe_push push = {.code = u->code, .reason = u->reason};
    conn_send_push(c, &(struct push){.channel = u->channel, .unsubscribe = &push});
}

static void subscribed(struct conn *c, void *ctx, const struct sub_outcome *o)
{
    (void)ctx;
    if (o->error.code != PERR_OK) {
        if (perr_is_disconnect(o->error.code)) {
            conn_close_about(c, o->channel, &o->error);
        }
        return;
    }
    const struct subscribe_result *result = o->result;
    struct subscribe_push push = {
        .recoverable = result->recoverable,
        .epoch = result->epoch,
        .offset = result->offset,
        .positioned = result->positioned,
        .data = result->data,
    };
    conn_send_push(c, &(struct push){.channel = o->channel, .subscribe = &push});
    /* The push has no room for what was recovered, and clients advance by publications. */
    struct publication *pubs = result->publications.items;
    size_t n = result->publications.n;
    for (size_t i = 0; i < n && conn_is_open(c); i++) {
        conn_send_push(c, &(struct push){.channel = o->channel, .pub = &pubs[i]});
    }
    if (conn_is_open(c)) {
        sub_release(o->sub);
    }
}

static enum token_override override_of(bool value)
{
    return value ? OVERRIDE_TRUE : OVERRIDE_FALSE;
}

static void apply_subscribe(struct conn *c, const struct control_command *m)
{
    const struct control_subscribe *d = m->subscribe;
    const struct chan_opts *o = channel_opts(c->w->conf, d->channel);
    bool is_over = d->expire_at > 0 && d->expire_at <= clk_wall_s();
    if (d->channel.n == 0 || o == NULL || is_over || sub_find(c, d->channel) != NULL) {
        return;
    }
    if (c->sub_count >= c->w->conf->client.channel_limit) {
        conn_close_perr(c, &(struct perr_result){PERR_CLOSE_CHANNEL_LIMIT, "channel.limit", NULL});
        return;
    }
    struct token_sub options = {
        .channel = d->channel,
        .info = d->channel_info,
        .data = d->data,
        .presence = override_of(d->emit_presence),
        .join_leave = override_of(d->emit_join_leave),
        .force_push_join_leave = override_of(d->push_join_leave),
        .force_recovery = override_of(d->recover),
        .force_positioning = override_of(d->position),
    };
    struct subscribe_request wish = {0};
    if (d->recover_since != NULL) {
        wish.recover = true;
        wish.offset = d->recover_since->offset;
        wish.epoch = d->recover_since->epoch;
    }
    struct sub_params p = {
        .channel = d->channel,
        .opts = o,
        .is_server_side = true,
        .token = &options,
        .expire_at = conn_clamp_expiry(d->expire_at, clk_wall_s()),
        .wish = &wish,
        .done = subscribed,
    };
    sub_begin(c, &p);
}

static void apply_refresh(struct conn *c, const struct control_command *m)
{
    const struct control_refresh *r = m->refresh;
    if (r->expired) {
        conn_close_perr(c, &(struct perr_result){PERR_CLOSE_EXPIRED, "refresh.expired", NULL});
        return;
    }
    int64_t now_s = clk_wall_s();
    if (r->expire_at > 0 && r->expire_at <= now_s) {
        conn_close_perr(c, &(struct perr_result){PERR_CLOSE_EXPIRED, "refresh.expired", NULL});
        return;
    }
    if (r->expire_at > 0 && r->info.n != 0) {
        buf_clear(&c->info);
        buf_add_span(&c->info, r->info);
    }
    int64_t expire_at = conn_clamp_expiry(r->expire_at, now_s);
    conn_set_expiry(c, expire_at);
    struct refresh_push push = {0};
    if (expire_at > 0) {
        push.expires = true;
        push.ttl = conn_ttl_s(expire_at);
    }
    conn_send_push(c, &(struct push){.refresh = &push});
}

/* Who is meant, and what is to be done; NULL when it is nothing. */
static apply_fn aim(const struct control_command *m, struct target *t)
{
    const struct filter_node *labels = NULL;
    apply_fn fn = NULL;
    if (m->unsubscribe != NULL) {
        const struct control_unsubscribe *u = m->unsubscribe;
        *t = (struct target){u->user, u->client, u->session, u->all_users};
        labels = u->label_filter;
        fn = apply_unsubscribe;
    } else if (m->subscribe != NULL) {
        const struct control_subscribe *s = m->subscribe;
        *t = (struct target){s->user, s->client, s->session, s->all_users};
        labels = s->label_filter;
        fn = apply_subscribe;
    } else if (m->disconnect != NULL) {
        const struct control_disconnect *d = m->disconnect;
        *t = (struct target){d->user, d->client, d->session, d->all_users};
        labels = d->label_filter;
        fn = apply_disconnect;
    } else if (m->refresh != NULL) {
        const struct control_refresh *r = m->refresh;
        *t = (struct target){r->user, r->client, r->session, r->all_users};
        labels = r->label_filter;
        fn = apply_refresh;
    }
    /* Connections have no labels here; without the filter the command would hit everybody. */
    return labels == NULL ? fn : NULL;
}

void command_apply(struct worker *w, const struct control_command *m)
{
    struct target t;
    apply_fn fn = aim(m, &t);
    if (fn != NULL) {
        for_each(w, &t, fn, m);
    }
}

void command_apply_to(struct conn *c, const struct control_command *m)
{
    struct target t;
    apply_fn fn = aim(m, &t);
    if (fn != NULL) {
        fn(c, m);
    }
}

struct channel_search {
    struct bus_channels *q;
};

static bool add_channel(struct htab_node *node, void *arg)
{
    struct channel_search *search = arg;
    struct bus_channels *q = search->q;
    const struct chan *c = CONTAINER_OF(node, struct chan, node);
    if (c->sub_count == 0 || (q->pattern.n != 0 && !glob_match(q->pattern, chan_name(c)))) {
        return true;
    }
    struct kv_msg *item = &((struct kv_msg *)q->found.items)[q->found.n++];
    struct channel_info *info = arena_alloc(&q->arena, sizeof(*info));
    info->num_clients = c->sub_count;
    item->key = arena_dup(&q->arena, chan_name(c));
    item->msg = info;
    return true;
}

void command_channels(struct worker *w, struct bus_channels *q)
{
    q->found.items = arena_alloc(&q->arena, w->hub.chans.count * sizeof(struct kv_msg));
    q->found.n = 0;
    struct channel_search search = {.q = q};
    htab_each(&w->hub.chans, add_channel, &search);
}
