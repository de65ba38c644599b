/* SPDX-License-Identifier: Apache-2.0 */
/* The commands refresh and sub_refresh: a new token for what is about to expire (client
 * protocol 5.9, 5.10). */
#include <stdlib.h>

#include "common/base/clk.h"
#include "pushd/worker/client_cmd.h"
#include "pushd/worker/sub.h"

/* Whether the token lists other server-side channels than the connection has from its last token.
 */
static bool changes_subs(const struct conn *c, const struct token_connect *t)
{
    for (size_t i = 0; i < t->sub_count; i++) {
        if (sub_find(c, t->subs[i].channel) == NULL) {
            return true;
        }
    }
    LIST_FOR_EACH(e, &c->subs)
    {
        const struct sub *s = LIST_ENTRY(e, struct sub, link);
        bool listed = !s->is_from_token;
        for (size_t i = 0; !listed && i < t->sub_count; i++) {
            listed = span_eq(t->subs[i].channel, chan_name(s->chan));
        }
        if (!listed) {
            return true;
        }
    }
    return false;
}

struct perr_result cmd_refresh(struct conn *c, uint32_t id, const void *request)
{
    const struct refresh_request *r = request;
    if (r->token.n == 0) {
        return (struct perr_result){PERR_CLOSE_BAD_REQUEST, "token.missing",
                                    "refresh without a token"};
    }
    struct token_connect *t = arena_zalloc(&c->w->arena, sizeof(*t));
    int64_t now_s = clk_wall_s();
    struct perr_result p =
        token_read_connect(c->w->shared->connect_tokens, r->token, now_s, &c->w->arena, t);
    if (p.code == PERR_TOKEN_EXPIRED) {
        p.code = PERR_CLOSE_EXPIRED;
    } else if (p.code == PERR_OK) {
        p = cmd_check_token_subs(c, t);
    }
    if (p.code != PERR_OK) {
        return p;
    }
    if (!span_eq(t->user, conn_user(c))) {
        return (struct perr_result){PERR_CLOSE_INVALID_TOKEN, "token.user",
                                    "the token is for another user"};
    }
    if (changes_subs(c, t)) {
        return (struct perr_result){
            PERR_CLOSE_INSUFFICIENT, "token.subs",
            "the new token lists other channels; connect again to get them"};
    }
    t->expire_at = conn_clamp_expiry(t->expire_at, now_s);
    if (t->expire_at != 0 && t->expire_at <= now_s) {
        return (struct perr_result){PERR_EXPIRED, "connection.expire_at",
                                    "the token's expire_at is in the past"};
    }
    if (t->info.n != 0) {
        buf_clear(&c->info);
        buf_add_span(&c->info, t->info);
    }
    conn_set_expiry(c, t->expire_at);
    struct refresh_result result = {0};
    if (t->expire_at != 0) {
        result.expires = true;
        result.ttl = conn_ttl_s(t->expire_at);
    }
    conn_reply(c, &(struct reply){.id = id, .refresh = &result});
    return CMD_OK;
}

static struct perr_result match_sub_token(const struct conn *c, const struct sub_refresh_request *r,
                                          const struct token_subscribe *t)
{
    if (!span_eq(t->channel, r->channel) || !span_eq(t->user, conn_user(c)) ||
        (t->client.n != 0 && !span_eq(t->client, conn_id(c)))) {
        return (struct perr_result){PERR_CLOSE_INVALID_TOKEN, "token.channel",
                                    "the token is for another channel, user or client"};
    }
    return CMD_OK;
}

/* What may be said about the command before its token is looked at. */
static struct perr_result check_sub_refresh(const struct sub_refresh_request *r,
                                            const struct sub *s)
{
    if (s == NULL) {
        return (struct perr_result){PERR_PERMISSION_DENIED, "subscribe.missing",
                                    "not subscribed to this channel"};
    }
    if (s->is_server_side) {
        return (struct perr_result){PERR_CLOSE_BAD_REQUEST, "subscribe.server_side",
                                    "the server made this subscription, no token refreshes it"};
    }
    if (r->token.n == 0) {
        return (struct perr_result){PERR_BAD_REQUEST, "token.missing",
                                    "sub_refresh without a token"};
    }
    return CMD_OK;
}

struct perr_result cmd_sub_refresh(struct conn *c, uint32_t id, const void *request)
{
    const struct sub_refresh_request *r = request;
    if (r->channel.n == 0) {
        return (struct perr_result){PERR_CLOSE_BAD_REQUEST, "channel.empty",
                                    "sub_refresh without a channel"};
    }
    struct sub *s = sub_find(c, r->channel);
    struct perr_result p = check_sub_refresh(r, s);
    if (p.code != PERR_OK) {
        return p;
    }
    struct token_subscribe *t = arena_zalloc(&c->w->arena, sizeof(*t));
    int64_t now_s = clk_wall_s();
    p = token_read_subscribe(c->w->shared->subscribe_tokens, r->token, now_s, &c->w->arena, t);
    if (p.code == PERR_OK) {
        p = match_sub_token(c, r, t);
    }
    if (p.code != PERR_OK) {
        return p;
    }
    if (t->expire_at != 0 && t->expire_at <= now_s) {
        return (struct perr_result){PERR_EXPIRED, "subscription.expire_at",
                                    "expire_at is in the past"};
    }
    s->expire_at = conn_clamp_expiry(t->expire_at, now_s);
    sub_keep_info(s, t->options.info);
    struct sub_refresh_result result = {0};
    if (s->expire_at != 0) {
        result.expires = true;
        result.ttl = conn_ttl_s(s->expire_at);
    }
    conn_reply(c, &(struct reply){.id = id, .sub_refresh = &result});
    return CMD_OK;
}
