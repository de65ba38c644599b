/* SPDX-License-Identifier: Apache-2.0 */
/* Names in Redis, and what all replies have in common. */
#include <hiredis/hiredis.h>

#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/engine/engine_private.h"
#include "common/engine/rcmd.h"
#include "common/engine/script.h"

void engine_init(struct engine *e, const struct conf *c)
{
    script_setup();
    *e = (struct engine){
        .prefix = span_str(c->engine.redis.prefix),
        .use_lists = c->engine.redis.history_use_lists,
        .history_meta_ttl_s = engine__seconds(c->channel.history_meta_ttl_ms),
        .presence_ttl_s = engine__seconds(c->engine.redis.presence_ttl_ms),
        .presence_hash_field_ttl = c->engine.redis.presence_hash_field_ttl,
        .presence_user_mapping = c->engine.redis.presence_user_mapping,
    };
}

uint32_t engine_shard_of(struct span channel, uint32_t shards)
{
    if (LIKELY(shards <= 1)) {
        return 0;
    }
    uint64_t key = hash_fnv1a64(channel);
    int64_t bucket = 0;
    int64_t next = 0;
    while (next < (int64_t)shards) {
        bucket = next;
        key = key * UINT64_C(2862933555777941757) + 1;
        next = (int64_t)((double)(bucket + 1) *
                         ((double)(INT64_C(1) << 31) / (double)((key >> 33) + 1)));
    }
    return (uint32_t)bucket;
}

void engine__key_arg(const struct engine *e, const char *kind, struct span channel, struct buf *out)
{
    const struct span parts[] = {e->prefix, span_str(kind), channel};
    rcmd_arg_parts(out, parts, ARRAY_LEN(parts));
}

static void add_name(const struct engine *e, const char *kind, struct span rest, struct buf *out)
{
    buf_add_span(out, e->prefix);
    buf_add_str(out, kind);
    buf_add_span(out, rest);
}

void engine_channel_name(const struct engine *e, struct span channel, struct buf *out)
{
    add_name(e, ".client.", channel, out);
}

bool engine_channel_of(const struct engine *e, struct span name, struct span *channel)
{
    if (!span_starts(name, e->prefix)) {
        return false;
    }
    struct span rest = span_from(name, e->prefix.n);
    if (!span_starts(rest, SPAN(".client."))) {
        return false;
    }
    *channel = span_from(rest, sizeof(".client.") - 1);
    return true;
}

void engine_control_name(const struct engine *e, struct buf *out)
{
    add_name(e, ".control", SPAN(""), out);
}

void engine_node_name(const struct engine *e, struct span uid, struct buf *out)
{
    add_name(e, ".node.", uid, out);
}

void engine_probe_name(const struct engine *e, struct span uid, struct buf *out)
{
    add_name(e, ".node.", uid, out);
    buf_add_str(out, ".probe");
}

void engine_shard_name(const struct engine *e, struct buf *out)
{
    add_name(e, ".shard.0", SPAN(""), out);
}

int engine__reply_check(const struct redisReply *r, struct err *err)
{
    if (r == NULL) {
        return err_set(err, ERR_UNAVAILABLE, "the connection to Redis was lost");
    }
    if (r->type == REDIS_REPLY_ERROR) {
        struct span text = engine_error_text(r);
        const char *advice = engine_error_advice(text);
        return err_set(err, ERR_UNAVAILABLE, "Redis answered: %.*s%s%s",
                       (int)(text.n < 300 ? text.n : 300), text.p, advice != NULL ? "; " : "",
                       advice != NULL ? advice : "");
    }
    return 0;
}

struct span engine__reply_text(const struct redisReply *r)
{
    return r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS
               ? span_of(r->str, (size_t)r->len)
               : (struct span){0};
}

int engine__reply_u64(const struct redisReply *r, uint64_t *out)
{
    switch (r->type) {
    case REDIS_REPLY_INTEGER:
        *out = (uint64_t)r->integer;
        return 0;
    case REDIS_REPLY_STRING:
        return span_to_u64(engine__reply_text(r), out);
    case REDIS_REPLY_NIL:
        *out = 0;
        return 0;
    default:
        return ERR_SYNTAX;
    }
}

int engine__reply_unexpected(const char *command, struct err *err)
{
    return err_set(err, ERR_SYNTAX,
                   "Redis gave an unexpected answer to %s; does another program use keys with the "
                   "same prefix?",
                   command);
}

int engine_ok_read(const struct redisReply *r, struct err *err)
{
    return engine__reply_check(r, err);
}

bool engine_is_noscript(const struct redisReply *r)
{
    return r != NULL && r->type == REDIS_REPLY_ERROR &&
           span_starts(span_of(r->str, (size_t)r->len), SPAN("NOSCRIPT"));
}
