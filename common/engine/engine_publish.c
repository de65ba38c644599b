/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing: publications with and without history, join and leave, control commands. */
#include <hiredis/hiredis.h>

#include "common/base/err.h"
#include "common/base/rnd.h"
#include "common/engine/engine_private.h"
#include "common/engine/rcmd.h"
#include "common/engine/script.h"

#define RESULT_TTL "300" /* seconds that the result of an idempotency key is kept */

static bool has_history(const struct engine_publish *p)
{
    return p->history_size > 0 && p->history_ttl_s > 0;
}

enum engine_publish_form engine_publish_form(const struct engine_publish *p)
{
    return has_history(p) ? PUBLISH_KEPT : p->idempotency_key.n != 0 ? PUBLISH_ONCE : PUBLISH_PLAIN;
}

static void encode_publication(const struct engine_publish *p, struct buf *out)
{
    struct publication pub = {
        .data = p->data,
        .time = p->time_ms,
        .version = p->version,
        .delta = p->delta && !has_history(p), /* with history the frame says it */
    };
    if (p->tags != NULL) {
        pub.tags = *p->tags;
    }
    /* The schema only reads what it encodes, but its member is not const. */
    struct client_info info;
    if (p->info != NULL) {
        info = *p->info;
        pub.info = &info;
    }
    schema_pb_encode(&publication_schema, &pub, out);
}

static void channel_arg(const struct engine *e, struct span channel, struct buf *out)
{
    engine__key_arg(e, ".client.", channel, out);
}

static void result_key_arg(const struct engine *e, const struct engine_publish *p, struct buf *out)
{
    const struct span parts[] = {e->prefix, SPAN(".result."), p->channel, SPAN("."),
                                 p->idempotency_key};
    rcmd_arg_parts(out, parts, ARRAY_LEN(parts));
}

static void build_once(const struct engine *e, const struct engine_publish *p, struct span payload,
                       struct buf *out)
{
    script_begin(out, SCRIPT_PUBLISH_ONCE, p->use_eval, 1, 4);
    result_key_arg(e, p, out);
    rcmd_arg(out, payload);
    channel_arg(e, p->channel, out);
    rcmd_arg_str(out, "publish");
    rcmd_arg_str(out, RESULT_TTL);
}

static void build_with_history(const struct engine *e, const struct engine_publish *p,
                               struct span payload, struct buf *out)
{
    char epoch[RND_EPOCH_LEN + 1];
    rnd_epoch(epoch);
    script_begin(out, e->use_lists ? SCRIPT_PUBLISH_LIST : SCRIPT_PUBLISH_STREAM, p->use_eval, 3,
                 11);
    engine__key_arg(e, e->use_lists ? ".list." : ".stream.", p->channel, out);
    engine__key_arg(e, e->use_lists ? ".list.meta." : ".stream.meta.", p->channel, out);
    result_key_arg(e, p, out);
    rcmd_arg(out, payload);
    rcmd_arg_i64(out, e->use_lists ? p->history_size - 1 : p->history_size);
    rcmd_arg_i64(out, p->history_ttl_s);
    channel_arg(e, p->channel, out);
    rcmd_arg_i64(out, p->history_meta_ttl_s);
    rcmd_arg_str(out, epoch);
    rcmd_arg_str(out, "publish");
    rcmd_arg_str(out, p->idempotency_key.n != 0 ? RESULT_TTL : "");
    rcmd_arg_str(out, p->delta ? "1" : "");
    rcmd_arg_i64(out,
                 (int64_t)p->version); /* as peers write it: from 2^63 on the number is negative */
    rcmd_arg(out, p->version_epoch);
}

void engine_publish_build(const struct engine *e, const struct engine_publish *p, struct buf *out)
{
    struct buf payload = {0};
    encode_publication(p, &payload);
    switch (engine_publish_form(p)) {
    case PUBLISH_KEPT:
        build_with_history(e, p, buf_span(&payload), out);
        break;
    case PUBLISH_ONCE:
        build_once(e, p, buf_span(&payload), out);
        break;
    default:
        rcmd_begin(out, 3);
        rcmd_arg_str(out, "PUBLISH");
        channel_arg(e, p->channel, out);
        rcmd_arg(out, buf_span(&payload));
    }
    buf_free(&payload);
}

int engine_publish_read(const struct redisReply *r, const struct engine_publish *p,
                        struct engine_publish_result *out, struct err *err)
{
    *out = (struct engine_publish_result){0};
    int rc = engine__reply_check(r, err);
    if (rc != 0) {
        return rc;
    }
    if (!has_history(p)) {
        out->suppressed_by_key = p->idempotency_key.n != 0 && r->type == REDIS_REPLY_ARRAY;
        return 0;
    }
    if (r->type != REDIS_REPLY_ARRAY || r->elements < 3 ||
        r->element[1]->type != REDIS_REPLY_STRING ||
        engine__reply_u64(r->element[0], &out->position.offset) != 0) {
        return engine__reply_unexpected("a publish script", err);
    }
    out->position.epoch = engine__reply_text(r->element[1]);
    out->suppressed_by_key = span_eq_str(engine__reply_text(r->element[2]), "1");
    out->suppressed_by_version =
        r->elements > 3 && span_eq_str(engine__reply_text(r->element[3]), "1");
    return 0;
}

static void build_info(const struct engine *e, struct span channel, const char *mark,
                       const struct client_info *info, struct buf *out)
{
    struct buf payload = {0};
    buf_add_str(&payload, mark);
    schema_pb_encode(&client_info_schema, info, &payload);
    rcmd_begin(out, 3);
    rcmd_arg_str(out, "PUBLISH");
    channel_arg(e, channel, out);
    rcmd_arg(out, buf_span(&payload));
    buf_free(&payload);
}

void engine_join_build(const struct engine *e, struct span channel, const struct client_info *info,
                       struct buf *out)
{
    build_info(e, channel, "__j__", info, out);
}

void engine_leave_build(const struct engine *e, struct span channel, const struct client_info *info,
                        struct buf *out)
{
    build_info(e, channel, "__l__", info, out);
}

void engine_raw_publish_build(struct span name, struct span payload, struct buf *out)
{
    rcmd_begin(out, 3);
    rcmd_arg_str(out, "PUBLISH");
    rcmd_arg(out, name);
    rcmd_arg(out, payload);
}
