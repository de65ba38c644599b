/* SPDX-License-Identifier: Apache-2.0 */
/* The connect command: who is it, and what is it subscribed to from the start (client protocol,
 * sections 3 and 9). */
#include <stdlib.h>

#include "common/base/clk.h"
#include "common/base/mem.h"
#include "common/policy/channel.h"
#include "pushd/worker/client_cmd.h"
#include "pushd/worker/command.h"
#include "pushd/worker/limits.h"
#include "pushd/worker/sub.h"

/* A connect that waits for its server-side subscriptions. */
struct connecting {
    uint32_t id;
    uint32_t waiting;
    struct arena arena;
    struct vec subs; /* of struct kv_msg -> struct subscribe_result */
    struct perr_result outcome;
    struct span failed;  /* the channel of which it is the outcome; n == 0: none */
    struct buf deferred; /* commands of the cluster, each behind its length */
};

/* What the client proved to be. */
struct identity {
    struct span user;
    struct span info;
    int64_t expire_at;
    const struct token_sub *subs;
    size_t sub_count;
    bool may_request_subs;
};

/* Client protocol 3.3. */
static struct perr_result authenticate(struct conn *c, const struct connect_request *r,
                                       struct identity *out)
{
    const struct conf_client *o = &c->w->conf->client;
    if (r->token.n != 0) {
        struct token_connect *t = arena_zalloc(&c->w->arena, sizeof(*t));
        struct perr_result p = token_read_connect(c->w->shared->connect_tokens, r->token,
                                                  clk_wall_s(), &c->w->arena, t);
        if (p.code == PERR_OK) {
            p = cmd_check_token_subs(c, t);
        }
        if (p.code != PERR_OK) {
            return p;
        }
        if (t->user.n == 0 && o->disallow_anonymous_connection_tokens) {
            return (struct perr_result){
                PERR_CLOSE_PERMISSION_DENIED, "token.anonymous",
                "tokens without a user are refused (disallow_anonymous_connection_tokens)"};
        }
        *out = (struct identity){t->user, t->info,      o->insecure ? 0 : t->expire_at,
                                 t->subs, t->sub_count, true};
    } else if (o->allow_anonymous_connect_without_token || o->insecure) {
        *out = (struct identity){.user = SPAN(""), .may_request_subs = true};
    } else if (c->header_user != NULL) {
        *out = (struct identity){.user = span_str(c->header_user)};
    } else {
        return (struct perr_result){
            PERR_CLOSE_BAD_REQUEST, "token.missing",
            "connect without a token, and anonymous connections are not allowed"};
    }
    return CMD_OK;
}

static struct perr_result check_expiry(struct identity *who, int64_t now_s)
{
    who->expire_at = conn_clamp_expiry(who->expire_at, now_s);
    if (who->expire_at != 0 && who->expire_at <= now_s) {
        return (struct perr_result){PERR_EXPIRED, "connection.expire_at",
                                    "the token's expire_at is in the past"};
    }
    return CMD_OK;
}

static void personal_channel(const struct conn *c, struct span user, struct buf *out)
{
    const struct conf *conf = c->w->conf;
    const char *ns = conf->client.subscribe_to_user_personal_channel.personal_channel_namespace;
    buf_addf(out, "%s%s%s", ns, *ns != '\0' ? conf->channel.namespace_boundary : "",
             conf->channel.user_boundary);
    buf_add_span(out, user);
}

/* Whether the user may have this connection only. */
static bool is_single(const struct conn *c)
{
    const struct conf_client *o = &c->w->conf->client;
    return o->subscribe_to_user_personal_channel.enabled &&
           o->subscribe_to_user_personal_channel.single_connection && conn_user(c).n != 0;
}

/* ---- the outcome ---- */

static void answer(struct conn *c, struct connecting *k)
{
    struct connect_result result = {
        .client = conn_id(c),
        .version = span_str(c->w->shared->version),
        .subs = k->subs,
        .pong = c->wants_pong,
    };
    const struct conf_client *o = &c->w->conf->client;
    if (o->ping_interval_ms > 0 && !c->has_ping_frames) {
        result.ping = (uint32_t)(o->ping_interval_ms / 1000);
    }
    if (c->expire_at > 0) {
        result.expires = true;
        result.ttl = conn_ttl_s(c->expire_at);
    }
    if (o->connect_include_server_time) {
        result.time = clk_wall_ms();
    }
    conn_reply(c, &(struct reply){.id = k->id, .connect = &result});
    log_info(LOG_CLIENT, "connect", LOG_TEXT("client", conn_id(c)), LOG_TEXT("user", conn_user(c)),
             LOG_STR("address", c->address));
    LIST_FOR_EACH_SAFE(e, &c->subs)
    {
        struct sub *s = LIST_ENTRY(e, struct sub, link);
        if (s->start != NULL) {
            sub_release(s);
        }
        if (!conn_is_open(c)) {
            return;
        }
    }
}

static void free_connecting(struct connecting *k)
{
    buf_free(&k->deferred);
    arena_fini(&k->arena);
    free(k);
}

void cmd_connect_defer(struct conn *c, const struct control_command *m)
{
    struct buf *b = &c->connecting->deferred;
    uint32_t n = 0;
    size_t at = b->n;
    buf_add(b, &n, sizeof(n));
    schema_pb_encode(&control_command_schema, m, b);
    n = (uint32_t)(b->n - at - sizeof(n));
    memcpy(b->p + at, &n, sizeof(n));
}

static void apply_deferred(struct conn *c, struct connecting *k)
{
    uint32_t n;
    for (size_t at = 0; at < k->deferred.n && conn_is_open(c); at += sizeof(n) + n) {
        struct control_command m;
        memcpy(&n, k->deferred.p + at, sizeof(n));
        if (schema_pb_decode(&control_command_schema, span_of(k->deferred.p + at + sizeof(n), n),
                             &k->arena, &m, NULL) == 0) {
            command_apply_to(c, &m);
        }
    }
}

/* All subscriptions are done, one way or the other. */
static void complete(struct conn *c, struct connecting *k)
{
    c->connecting = NULL;
    if (!conn_is_open(c)) {
        free_connecting(k); /* doomed meanwhile: it must not come back to life */
        return;
    }
    if (k->outcome.code != PERR_OK) {
        conn_fail_about(c, k->failed, METRIC_METHOD_CONNECT, k->id, &k->outcome);
    } else {
        conn_established(c);
        answer(c, k);
        apply_deferred(c, k);
    }
    free_connecting(k);
    conn_command_done(c);
}

void cmd_connect_cancel(struct conn *c)
{
    if (c->connecting != NULL) {
        free_connecting(c->connecting);
        c->connecting = NULL;
    }
}

static void sub_established(struct conn *c, void *ctx, const struct sub_outcome *o)
{
    struct connecting *k = c->connecting;
    struct kv_msg *slot = ctx;
    if (o->error.code != PERR_OK) {
        if (k->outcome.code == PERR_OK) {
            k->outcome = o->error;
            k->failed = slot->key;
        }
    } else {
        /* The result's parts live until the subscription is released, which is after the answer. */
        *(struct subscribe_result *)slot->msg = *o->result;
    }
    if (--k->waiting == 0) {
        complete(c, k);
    }
}

/* ---- single_connection ---- */

/* Redis said who is in the personal channel, as it was before this connection. */
static void others_counted(struct bus_op *op)
{
    struct conn *c = op->context;
    struct connecting *k = c->connecting;
    if (op->error != 0) {
        if (k->outcome.code == PERR_OK) {
            k->outcome = (struct perr_result){PERR_CLOSE_INTERNAL, "redis.unavailable",
                                              "Redis is not available"};
        }
    } else if (op->stats.num_clients != 0) {
        struct bus_op *only = bus_op_new(BUS_ONLY_CLIENT, SPAN(""));
        only->info.user = arena_dup(&only->arena, conn_user(c));
        only->info.client = arena_dup(&only->arena, conn_id(c));
        bus_post_control(c->w->shared->bus, c->w->index, &only->item);
    }
    if (--k->waiting == 0) {
        complete(c, k);
    }
}

/* Asked before the connection's own presence is on its way, and Redis answers in order: what is
 * counted are others (client protocol 3.4). */
static void count_others(struct conn *c, struct connecting *k)
{
    struct buf name = {0};
    personal_channel(c, conn_user(c), &name);
    struct bus_op *op = bus_op_new(BUS_PRESENCE_STATS, buf_span(&name));
    op->opts = channel_opts(c->w->conf, buf_span(&name));
    buf_free(&name);
    k->waiting++;
    conn_submit(c, op, others_counted, c);
}

/* ---- server-side subscriptions ---- */

/* The client's position, and delta: all that connect.subs says about a subscription. */
static struct subscribe_request requested(const struct connect_request *r, struct span channel)
{
    const struct kv_msg *items = r->subs.items;
    for (size_t i = 0; i < r->subs.n; i++) {
        if (span_eq(items[i].key, channel)) {
            const struct subscribe_request *all = items[i].msg;
            return (struct subscribe_request){.recover = all->recover,
                                              .offset = all->offset,
                                              .epoch = all->epoch,
                                              .delta = all->delta};
        }
    }
    return (struct subscribe_request){0};
}

/* A channel that the connection starts with. */
struct initial {
    struct token_sub options;
    bool is_from_token;
};

static void begin_sub(struct conn *c, struct connecting *k, const struct connect_request *r,
                      const struct initial *sub)
{
    struct kv_msg *slot = &((struct kv_msg *)k->subs.items)[k->subs.n++];
    struct span channel = sub->options.channel;
    struct subscribe_request wish = requested(r, channel);
    slot->key = arena_dup(&k->arena, channel);
    slot->msg = arena_zalloc(&k->arena, sizeof(struct subscribe_result));
    struct sub_params p = {
        .channel = channel,
        .opts = channel_opts(c->w->conf, channel),
        .is_server_side = true,
        .is_from_token = sub->is_from_token,
        .token = &sub->options,
        .wish = &wish,
        .done = sub_established,
        .ctx = slot,
    };
    k->waiting++;
    sub_begin(c, &p);
}

/* Whether a channel that the client itself lists in connect.subs may be subscribed (client
 * protocol 9.4). */
static bool may_request(const struct conn *c, const struct chan_opts *o, struct span channel,
                        struct span user)
{
    const struct conf *conf = c->w->conf;
    if (channel_is_private(conf, channel) || o->subscribe_proxy_enabled ||
        !channel_name_is_valid(conf, o, channel) || channel_is_too_long(conf, channel)) {
        return false;
    }
    bool is_nobodys = user.n == 0 && channel_is_user_limited(conf, o, channel);
    return is_nobodys ? conf->client.insecure : channel_permits_subscribe(conf, o, channel, user);
}

struct sub_list {
    struct initial *items;
    size_t n;
};

static struct initial *list_find(const struct sub_list *l, struct span channel)
{
    for (size_t i = 0; i < l->n; i++) {
        if (span_eq(l->items[i].options.channel, channel)) {
            return &l->items[i];
        }
    }
    return NULL;
}

static void list_add(struct sub_list *l, const struct initial *sub)
{
    if (sub->options.channel.n != 0 && list_find(l, sub->options.channel) == NULL) {
        l->items[l->n++] = *sub;
    }
}

/* Its namespace decides about it, whatever the token says. */
static struct perr_result add_personal(const struct conn *c, struct span user, struct sub_list *l)
{
    struct buf name = {0};
    personal_channel(c, user, &name);
    struct initial personal = {.options.channel = arena_dup(&c->w->arena, buf_span(&name))};
    buf_free(&name);
    if (channel_opts(c->w->conf, personal.options.channel) == NULL) {
        return (struct perr_result){PERR_UNKNOWN_CHANNEL, "channel.namespace",
                                    "the personal channel has a namespace that is not configured"};
    }
    struct initial *known = list_find(l, personal.options.channel);
    if (known != NULL) {
        *known = personal;
    } else {
        list_add(l, &personal);
    }
    return CMD_OK;
}

static struct perr_result add_requested(struct conn *c, const struct connect_request *r,
                                        const struct identity *who, size_t most, struct sub_list *l)
{
    const struct kv_msg *wishes = r->subs.items;
    for (size_t i = 0; i < r->subs.n && l->n < most; i++) {
        const struct chan_opts *co = channel_opts(c->w->conf, wishes[i].key);
        if (co == NULL) {
            return (struct perr_result){PERR_CLOSE_BAD_REQUEST, "channel.namespace",
                                        "connect.subs names a channel of an unknown namespace"};
        }
        if (may_request(c, co, wishes[i].key, who->user)) {
            list_add(l, &(struct initial){.options.channel = wishes[i].key});
        }
    }
    return CMD_OK;
}

/* All channels the connection starts with: token, personal channel, the client's own wishes. */
static struct perr_result collect_subs(struct conn *c, const struct connect_request *r,
                                       const struct identity *who, struct sub_list *out)
{
    const struct conf_client *o = &c->w->conf->client;
    struct perr_result p = CMD_OK;
    /* One more than allowed is enough to be refused: a long list is not compared with itself. */
    size_t most = (size_t)o->channel_limit + 1;
    out->items =
        arena_alloc(&c->w->arena, (who->sub_count + r->subs.n + 1) * sizeof(struct initial));
    for (size_t i = 0; i < who->sub_count && out->n < most; i++) {
        list_add(out, &(struct initial){who->subs[i], true});
    }
    if (o->subscribe_to_user_personal_channel.enabled && who->user.n != 0) {
        p = add_personal(c, who->user, out);
    }
    if (p.code == PERR_OK && who->may_request_subs) {
        p = add_requested(c, r, who, most, out);
    }
    if (p.code == PERR_OK && out->n >= most) { /* the personal channel may be one more still */
        p = (struct perr_result){PERR_CLOSE_CHANNEL_LIMIT, "channel.limit",
                                 "more server-side subscriptions than client.channel_limit"};
    }
    return p;
}

/* What it counts is given back when the connection leaves. */
static struct perr_result enter_user(struct conn *c, struct span user)
{
    int64_t limit = c->w->conf->client.user_connection_limit;
    if (limit <= 0 || user.n == 0) {
        return CMD_OK;
    }
    if (!limits_enter_user(c->w->shared->limits, user, limit)) {
        return (struct perr_result){
            PERR_CLOSE_CONNECTION_LIMIT, "user.connection_limit",
            "this user has client.user_connection_limit connections already"};
    }
    c->is_limited = true;
    return CMD_OK;
}

struct perr_result cmd_connect(struct conn *c, uint32_t id, const void *request)
{
    const struct connect_request *r = request;
    struct identity who = {0};
    struct sub_list subs = {0};
    struct perr_result p = authenticate(c, r, &who);
    if (p.code == PERR_OK) {
        p = collect_subs(c, r, &who, &subs);
    }
    if (p.code == PERR_OK) {
        p = enter_user(c, who.user);
    }
    if (p.code == PERR_OK) {
        p = check_expiry(&who, clk_wall_s());
        if (p.code != PERR_OK && c->is_limited) {
            limits_leave_user(c->w->shared->limits, who.user);
            c->is_limited = false;
        }
    }
    if (p.code != PERR_OK) {
        return p;
    }
    c->state = CONN_CONNECTING;
    c->is_busy = true;
    buf_clear(&c->info);
    buf_add_span(&c->info, who.info);
    hub_add_user(&c->w->hub, c, who.user);
    conn_set_expiry(c, who.expire_at);
    struct connecting *k = mem_zalloc(sizeof(*k));
    k->id = id;
    k->subs.items = arena_alloc(&k->arena, subs.n * sizeof(struct kv_msg));
    c->connecting = k;
    k->waiting = 1; /* held until all have begun */
    if (is_single(c)) {
        count_others(c, k);
    }
    for (size_t i = 0; i < subs.n && conn_is_open(c); i++) {
        begin_sub(c, k, r, &subs.items[i]);
    }
    if (c->connecting == k && --k->waiting == 0) {
        complete(c, k);
    }
    return CMD_OK;
}
