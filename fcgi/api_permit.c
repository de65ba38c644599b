/* SPDX-License-Identifier: Apache-2.0 */
/* What the key of a request may do. */
#include "fcgi/api.h"

#include "common/base/clk.h"
#include "common/base/log.h"
#include "common/policy/api_key.h"

#define SHOWN_MAX 100

static const char *scope_name(unsigned scope)
{
    return scope == API_SCOPE_PUBLISH ? "publish" : scope == API_SCOPE_READ ? "read" : "admin";
}

static struct perr_result refuse(struct api_ctx *c, const char *reason, struct buf *text)
{
    const char *detail = arena_strdup(&c->arena, buf_span(text));
    uint32_t suppressed = 0;
    buf_free(text);
    if (log_is_on(LOG_LEVEL_INFO) &&
        log_limit_pass(&c->refusal_limit, clk_mono_ms(), &suppressed)) {
        log_info(LOG_API, "request refused", LOG_STR("reason", reason),
                 LOG_STR("key", c->key->name), LOG_STR("detail", detail),
                 LOG_TEXT("address", c->address), LOG_NUM("suppressed", suppressed));
    }
    return api__error(PERR_PERMISSION_DENIED, reason, detail);
}

struct perr_result api__permit_channel(struct api_ctx *c, struct span channel)
{
    struct buf b = {0};
    if (LIKELY(api_key_has_channel(c->key, channel))) {
        return api__ok();
    }
    size_t n = channel.n < SHOWN_MAX ? channel.n : SHOWN_MAX;
    buf_addf(&b, "channels of the key %s in pushd.api_keys do not cover \"%.*s\"", c->key->name,
             (int)n, channel.n != 0 ? channel.p : "");
    return refuse(c, "key.channel", &b);
}

struct perr_result api__permit(struct api_ctx *c, const struct api_method *m, const void *request)
{
    const struct conf_api_key *k = c->key;
    struct buf b = {0};
    if (LIKELY(k == NULL)) {
        return api__ok();
    }
    if ((k->scope_bits & m->scope) == 0) {
        buf_addf(&b, "%s needs the scope %s, which the key %s in pushd.api_keys has not", m->name,
                 scope_name(m->scope), k->name);
        return refuse(c, "key.scope", &b);
    }
    if (m->reach == API_REACH_CHANNEL) {
        return api__permit_channel(
            c, *(const struct span *)(const void *)((const char *)request + m->channel));
    }
    if (m->reach == API_REACH_USER && api_key_is_limited(k)) {
        buf_addf(&b,
                 "%s concerns all channels of a user, and the key %s in pushd.api_keys is limited "
                 "to some",
                 m->name, k->name);
        return refuse(c, "key.channel", &b);
    }
    return api__ok();
}

struct perr_result api__run(struct api_ctx *c, const struct api_method *m, const void *request,
                            struct buf *out)
{
    struct perr_result rc = api__permit(c, m, request);
    return rc.code == 0 ? m->run(c, request, out) : rc;
}
