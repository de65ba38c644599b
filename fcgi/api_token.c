/* SPDX-License-Identifier: Apache-2.0 */
/* The token endpoints: a session of the application in, a token for the client out. */
#include "fcgi/api.h"

#include "common/base/clk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/format/jscan.h"
#include "common/format/jwrite.h"
#include "fcgi/query.h"
#include "fcgi/session.h"
#include "fcgi/template.h"

/* Every refusal has its own status, line in the log and text, so that nobody has to guess which of
 * the causes it is. */
struct refusal {
    int status;
    const char *log;     /* message that people search for */
    const char *message; /* in the body */
};

static const struct refusal not_configured = {
    503,
    "CENTRIFUGO_TOKEN_HMAC_SECRET_KEY not configured",
    "CENTRIFUGO_TOKEN_HMAC_SECRET_KEY not configured",
};
static const struct refusal no_subscription_key = {
    503,
    "client.subscription_token.hmac_secret_key not configured",
    "client.subscription_token.hmac_secret_key not configured",
};
static const struct refusal signed_elsewhere = {
    503,
    "token refused: jwks_public_endpoint is configured",
    "tokens come from another server",
};
static const struct refusal not_authenticated = {401, "token refused: not authenticated",
                                                 "not authenticated"};
static const struct refusal no_organization = {403, "token refused: no organization access",
                                               "no organization access"};
static const struct refusal not_permitted = {403, "token refused: channel not permitted",
                                             "channel not permitted"};
static const struct refusal bad_channel = {400, "token refused: no channel given",
                                           "channel is required"};
static const struct refusal too_many_channels = {
    500,
    "token refused: too many channels",
    "too many channels for one token",
};
static const struct refusal no_sessions = {503, "token refused: sessions not reachable",
                                           "sessions are not reachable"};

struct token_call {
    struct api_ctx *c;
    const struct request *r;
    struct response *out;
    const struct conf_token *own; /* what pushd checks the token by */
    struct session session;
    struct vec channels; /* of struct span */
};

static void refuse(const struct token_call *t, const struct refusal *f, const char *reason,
                   const char *detail)
{
    uint32_t suppressed = 0;
    enum log_level level = f->status == 503 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
    if (log_is_on(level) && log_limit_pass(&t->c->refusal_limit, clk_mono_ms(), &suppressed)) {
        LOG_AT(level, LOG_API, f->log, LOG_STR("reason", reason),
               LOG_STR("detail", detail != NULL ? detail : ""), LOG_TEXT("user", t->session.user),
               LOG_TEXT("address", t->r->remote_addr), LOG_NUM("suppressed", suppressed));
    }
    response_json(t->out, f->status);
    t->out->reason = reason;
    t->out->no_store = true;
    struct buf *b = &t->out->body;
    buf_add_str(b, "{\"error\":{\"code\":");
    buf_add_i64(b, f->status);
    buf_add_str(b, ",\"reason\":");
    jwrite_string(b, span_str(reason));
    buf_add_str(b, ",\"message\":");
    jwrite_string(b, span_str(f->message));
    buf_add_str(b, "}}");
}

/* Whether pushd would take a token that is signed by us; else it is answered. */
static bool can_sign(const struct token_call *t)
{
    if (t->own->jwks_public_endpoint[0] != '\0') {
        refuse(t, &signed_elsewhere, "token.jwks",
               "pushd takes tokens with keys of jwks_public_endpoint only, and we have none of "
               "their private keys");
        return false;
    }
    if (t->own->hmac_secret_key[0] != '\0') {
        return true;
    }
    if (t->own == &t->c->api->conf->client.token) {
        refuse(t, &not_configured, "token.no_key",
               "set client.token.hmac_secret_key or the environment variable");
    } else {
        refuse(t, &no_subscription_key, "token.no_key",
               "client.subscription_token is enabled, so it needs a key of its own");
    }
    return false;
}

/* Identifies the session and its channels; answers and returns false when there is no token to be
 * had. */
static bool identify(struct token_call *t)
{
    const struct conf *k = t->c->api->conf;
    if (!can_sign(t)) {
        return false;
    }
    switch (session_read(t->c, t->r, &t->session)) {
    case SESSION_OK:
        break;
    case SESSION_UNAVAILABLE:
        refuse(t, &no_sessions, "session.redis", "Redis did not answer");
        return false;
    case SESSION_NONE:
        refuse(t, &not_authenticated, t->session.reason, t->session.detail);
        return false;
    }
    if (t->session.has_too_many_orgs) {
        refuse(t, &no_organization, "session.too_many_orgs",
               "the session names more organisations than channels can be made for");
        return false;
    }
    if (k->pushd.token.require_org && t->session.orgs.n == 0) {
        refuse(t, &no_organization, "session.no_org", "the session names no organisation");
        return false;
    }
    const char *wrong =
        template_expand(k, t->session.user, &t->session.orgs, &t->c->arena, &t->channels);
    if (wrong != NULL) {
        refuse(t, &no_organization, "token.template", wrong);
        return false;
    }
    return true;
}

/* {"name":..} of pushd.token.info_fields, without what the session does not have. */
static struct span info_of(const struct token_call *t)
{
    const struct conf_strings *paths = &t->c->api->conf->pushd.token.info_fields;
    struct buf b = {0};
    for (size_t i = 0; i < paths->n; i++) {
        struct span value;
        if (session_field(&t->session, paths->items[i], &t->c->arena, &value)) {
            buf_add_char(&b, b.n == 0 ? '{' : ',');
            jwrite_string(&b, span_str(conf_info_name(paths->items[i])));
            buf_add_char(&b, ':');
            buf_add_span(&b, value);
        }
    }
    if (b.n == 0) {
        return (struct span){0};
    }
    buf_add_char(&b, '}');
    struct span info = arena_dup(&t->c->arena, buf_span(&b));
    buf_free(&b);
    return info;
}

static void refuse_mint(const struct token_call *t, int rc, const char *text)
{
    if (rc == ERR_MISSING) {
        refuse(t, &not_configured, "token.no_key", text);
    } else if (rc == ERR_LIMIT) { /* no server would take it */
        refuse(t, &too_many_channels, "token.too_long",
               "set pushd.token.channels_as to \"permission\"");
    } else {
        refuse(t, &not_authenticated, "token.mint", text);
    }
}

static void write_token(struct token_call *t, struct token_mint *m, bool with_channels)
{
    const struct conf_token *own = t->own;
    const struct conf *k = t->c->api->conf;
    struct err e = {0};
    m->user = t->session.user;
    m->user_claim = span_str(own->user_id_claim);
    m->audience = span_str(own->audience);
    m->issuer = span_str(own->issuer);
    m->iat = clk_wall_s();
    m->exp = m->iat + k->pushd.token.ttl_ms / 1000;
    response_json(t->out, 200);
    t->out->no_store = true;
    struct buf *b = &t->out->body;
    buf_add_str(b, "{\"token\":\"");
    int rc = token_mint(m, span_str(own->hmac_secret_key), b, &e);
    if (rc != 0) {
        buf_clear(b);
        refuse_mint(t, rc, e.text);
        return;
    }
    buf_add_str(b, "\",\"expires_in\":");
    buf_add_i64(b, m->exp - m->iat);
    const struct span *channels = t->channels.items;
    for (size_t i = 0; with_channels && i < t->channels.n; i++) {
        buf_add_str(b, i == 0 ? ",\"channels\":[" : ",");
        jwrite_string(b, channels[i]);
    }
    buf_add_str(b, with_channels && t->channels.n != 0 ? "]}" : "}");
}

void api__token(struct api_ctx *c, const struct request *r, struct response *out)
{
    const struct conf *k = c->api->conf;
    struct token_call t = {.c = c, .r = r, .out = out, .own = &k->client.token};
    if (!identify(&t)) {
        return;
    }
    struct token_mint m = {.info_json = info_of(&t)};
    if (!k->pushd.token.channels_as_permission) {
        m.channels = t.channels.items;
        m.channel_count = t.channels.n;
    }
    write_token(&t, &m, true);
}

/* The channel asked for: ?channel=.. or {"channel":".."}. */
static struct span wanted_channel(struct api_ctx *c, const struct request *r)
{
    struct span channel = query_get(r->query, "channel", &c->arena);
    if (channel.n != 0 || !span_eq_str(r->method, "POST")) {
        return channel;
    }
    struct api_channel body;
    size_t consumed;
    return schema_json_decode(&api_channel_schema, r->body, &c->arena, &body, &consumed, NULL) == 0
               ? body.channel
               : (struct span){0};
}

void api__subscription_token(struct api_ctx *c, const struct request *r, struct response *out)
{
    const struct conf *k = c->api->conf;
    bool has_own = k->client.subscription_token.enabled;
    struct token_call t = {.c = c,
                           .r = r,
                           .out = out,
                           .own = has_own ? &k->client.subscription_token : &k->client.token};
    if (!identify(&t)) {
        return;
    }
    struct span channel = wanted_channel(c, r);
    if (channel.n == 0) {
        refuse(&t, &bad_channel, "channel.missing", "?channel=NAME or {\"channel\":\"NAME\"}");
        return;
    }
    const struct span *channels = t.channels.items;
    bool is_permitted = false;
    for (size_t i = 0; i < t.channels.n; i++) {
        is_permitted = is_permitted || span_eq(channels[i], channel);
    }
    if (!is_permitted) {
        refuse(&t, &not_permitted, "channel.not_permitted",
               "no template of pushd.token.channels leads to this channel");
        return;
    }
    struct token_mint m = {.channel = channel};
    write_token(&t, &m, false);
}
