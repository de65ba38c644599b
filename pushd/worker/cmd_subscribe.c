/* SPDX-License-Identifier: Apache-2.0 */
/* The commands subscribe and unsubscribe (client protocol 5.1, 5.2). */
#include <stdlib.h>

#include "common/base/clk.h"
#include "common/policy/channel.h"
#include "pushd/worker/client_cmd.h"
#include "pushd/worker/sub.h"

#define TYPE_SHARED_POLL 4

/* Step 1. */
static struct perr_result route(const struct subscribe_request *r, const struct chan_opts *o)
{
    bool is_poll = o != NULL && o->subscription_type == SUBSCRIPTION_SHARED_POLL;
    if (r->type == TYPE_SHARED_POLL && !is_poll) {
        return (struct perr_result){PERR_NOT_AVAILABLE, "subscription.type",
                                    "the namespace is not shared_poll"};
    }
    if (is_poll && r->type != TYPE_SHARED_POLL) {
        return (struct perr_result){PERR_BAD_REQUEST, "subscription.type",
                                    "the namespace is shared_poll"};
    }
    return CMD_OK;
}

/* Step 9. */
static struct perr_result check_type(const struct subscribe_request *r, const struct chan_opts *o)
{
    if (r->type != (int32_t)o->subscription_type) {
        return (struct perr_result){PERR_PERMISSION_DENIED, "subscription.type",
                                    "the namespace has another subscription_type"};
    }
    if (o->subscription_type != SUBSCRIPTION_STREAM) {
        return (struct perr_result){PERR_NOT_AVAILABLE, "subscription.type",
                                    "map and shared_poll subscriptions are not supported yet"};
    }
    return CMD_OK;
}

/* Steps 4 to 6. */
static struct perr_result check_limits(const struct conn *c, struct span channel)
{
    if (channel_is_too_long(c->w->conf, channel)) {
        return (struct perr_result){PERR_BAD_REQUEST, "channel.length",
                                    "the name is longer than channel.max_length"};
    }
    if (sub_find(c, channel) != NULL) {
        return (struct perr_result){PERR_ALREADY_SUBSCRIBED, "subscribe.twice", NULL};
    }
    if (c->sub_count >= c->w->conf->client.channel_limit) {
        return (struct perr_result){PERR_LIMIT_EXCEEDED, "channel.limit",
                                    "more subscriptions than client.channel_limit"};
    }
    return CMD_OK;
}

/* Steps 1 to 9. */
static struct perr_result check(const struct conn *c, const struct subscribe_request *r,
                                const struct chan_opts **o)
{
    if (r->channel.n == 0) {
        return (struct perr_result){PERR_CLOSE_BAD_REQUEST, "channel.empty",
                                    "subscribe without a channel"};
    }
    struct perr_result p = route(r, channel_opts(c->w->conf, r->channel));
    if (p.code != PERR_OK) {
        return p;
    }
    if (r->type < 0 || r->type > TYPE_SHARED_POLL) {
        return (struct perr_result){PERR_CLOSE_INTERNAL, "subscription.type",
                                    "an unknown subscription type"};
    }
    if (r->delta.n != 0 && !span_eq_str(r->delta, "fossil")) {
        return (struct perr_result){PERR_CLOSE_BAD_REQUEST, "subscribe.delta",
                                    "delta must be fossil"};
    }
    p = check_limits(c, r->channel);
    if (p.code == PERR_OK) {
        p = cmd_check_channel(c, r->channel, o);
    }
    return p.code == PERR_OK ? check_type(r, *o) : p;
}

/* Step 11. */
static struct perr_result check_token(const struct conn *c, const struct subscribe_request *r,
                                      struct token_subscribe *t)
{
    struct perr_result p = token_read_subscribe(c->w->shared->subscribe_tokens, r->token,
                                                clk_wall_s(), &c->w->arena, t);
    if (p.code == PERR_CLOSE_INVALID_TOKEN) {
        p.code = PERR_PERMISSION_DENIED;
    }
    if (p.code != PERR_OK) {
        return p;
    }
    if (!span_eq(t->channel, r->channel)) {
        return (struct perr_result){PERR_CLOSE_INVALID_TOKEN, "token.channel",
                                    "the token is for another channel"};
    }
    if (!span_eq(t->user, conn_user(c))) {
        return (struct perr_result){PERR_CLOSE_INVALID_TOKEN, "token.user",
                                    "the token is for another user"};
    }
    if (t->client.n != 0 && !span_eq(t->client, conn_id(c))) {
        return (struct perr_result){PERR_CLOSE_INVALID_TOKEN, "token.client",
                                    "the token is for another client"};
    }
    return CMD_OK;
}

/* Steps 10 to 18. `t` is filled when a token decides. */
static struct perr_result authorize(const struct conn *c, const struct subscribe_request *r,
                                    const struct chan_opts *o, struct token_subscribe *t)
{
    const struct conf *conf = c->w->conf;
    if (r->token.n != 0) {
        struct perr_result p = check_token(c, r, t);
        if (p.code == PERR_OK && t->expire_at != 0 && t->expire_at <= clk_wall_s()) {
            p = (struct perr_result){PERR_EXPIRED, "subscription.expire_at",
                                     "expire_at is in the past"};
        }
        return p;
    }
    if (channel_is_private(conf, r->channel)) {
        return (struct perr_result){PERR_PERMISSION_DENIED, "channel.private",
                                    "a private channel needs a subscription token"};
    }
    if (o->subscribe_proxy_enabled && !channel_is_user_limited(conf, o, r->channel)) {
        return (struct perr_result){PERR_NOT_AVAILABLE, "subscribe.proxy",
                                    "the namespace leaves it to a proxy, which is not there"};
    }
    if (channel_permits_subscribe(conf, o, r->channel, conn_user(c))) {
        return CMD_OK;
    }
    return (struct perr_result){
        PERR_PERMISSION_DENIED, "subscribe.permission",
        "no token, and the namespace does not set allow_subscribe_for_client"};
}

/* The command's id travels in the pointer: nothing else is needed to answer. */
static void established(struct conn *c, void *ctx, const struct sub_outcome *o)
{
    uint32_t id = (uint32_t)(uintptr_t)ctx;
    if (o->error.code != PERR_OK) {
        conn_fail_about(c, o->channel, METRIC_METHOD_SUBSCRIBE, id, &o->error);
    } else {
        struct subscribe_result answer = *o->result;
        if (o->sub->expire_at > 0) {
            answer.expires = true;
            answer.ttl = conn_ttl_s(o->sub->expire_at);
        }
        conn_reply(c, &(struct reply){.id = id, .subscribe = &answer});
        if (conn_is_open(c)) {
            sub_release(o->sub);
        }
    }
    conn_command_done(c);
}

/* Step 19. */
static struct perr_result make_filter(const struct subscribe_request *r, const struct chan_opts *o,
                                      struct tags_filter **out)
{
    if (!o->allow_tags_filter) {
        return (struct perr_result){PERR_BAD_REQUEST, "subscribe.filter",
                                    "the namespace does not set allow_tags_filter"};
    }
    const char *fault;
    *out = tags_filter_new(r->tf, &fault);
    return *out != NULL ? CMD_OK
                        : (struct perr_result){PERR_BAD_REQUEST, "subscribe.filter", fault};
}

struct perr_result cmd_subscribe(struct conn *c, uint32_t id, const void *request)
{
    const struct subscribe_request *r = request;
    const struct chan_opts *o;
    struct perr_result p = check(c, r, &o);
    if (p.code != PERR_OK) {
        return p;
    }
    struct token_subscribe *t = arena_zalloc(&c->w->arena, sizeof(*t));
    p = authorize(c, r, o, t);
    if (p.code != PERR_OK) {
        return p;
    }
    struct tags_filter *filter = NULL;
    if (r->tf != NULL) {
        p = make_filter(r, o, &filter);
        if (p.code != PERR_OK) {
            return p;
        }
    }
    c->is_busy = true;
    sub_begin(c, &(struct sub_params){
                     .channel = r->channel,
                     .opts = o,
                     .token = r->token.n != 0 ? &t->options : NULL,
                     .expire_at = t->expire_at,
                     .wish = r,
                     .filter = filter,
                     .done = established,
                     .ctx = (void *)(uintptr_t)id,
                 });
    return CMD_OK;
}

struct perr_result cmd_unsubscribe(struct conn *c, uint32_t id, const void *request)
{
    const struct unsubscribe_request *r = request;
    if (r->channel.n == 0) {
        return (struct perr_result){PERR_CLOSE_BAD_REQUEST, "channel.empty",
                                    "unsubscribe without a channel"};
    }
    struct sub *s = sub_find(c, r->channel);
    if (s != NULL) {
        log_info(LOG_CLIENT, "unsubscribe", LOG_TEXT("channel", r->channel),
                 LOG_TEXT("client", conn_id(c)), LOG_TEXT("user", conn_user(c)));
        sub_end(s);
    }
    struct empty nothing = {0};
    conn_reply(c, &(struct reply){.id = id, .unsubscribe = &nothing});
    return CMD_OK;
}
