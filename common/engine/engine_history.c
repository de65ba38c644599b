/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and removing history, in streams and in lists. */
#include <hiredis/hiredis.h>

#include "common/base/err.h"
#include "common/base/rnd.h"
#include "common/engine/engine_private.h"
#include "common/engine/rcmd.h"
#include "common/engine/script.h"

/* Where a read begins: false when nothing can lie there. 0 means from the end that the order begins
 * with. */
static bool first_offset(const struct engine_history *h, uint64_t *first)
{
    *first = 0;
    if (!h->has_since) {
        return true;
    }
    if (h->reverse) {
        *first = h->since.offset - 1;
        return h->since.offset > 1;
    }
    *first = h->since.offset + 1;
    return h->since.offset < UINT64_MAX;
}

static void build_stream(const struct engine *e, const struct engine_history *h, const char *epoch,
                         struct buf *out)
{
    uint64_t first;
    bool wants = first_offset(h, &first) && h->limit != 0;
    char text[24];
    struct buf digits = {.p = text, .cap = sizeof(text), .max = sizeof(text)};
    buf_add_u64(&digits, first);
    script_begin(out, SCRIPT_HISTORY_STREAM, h->use_eval, 2, 6);
    engine__key_arg(e, ".stream.", h->channel, out);
    engine__key_arg(e, ".stream.meta.", h->channel, out);
    rcmd_arg_str(out, wants ? "1" : "0");
    rcmd_arg(out, buf_span(&digits));
    rcmd_arg_i64(out, h->limit > 0 ? h->limit : 0);
    rcmd_arg_str(out, h->reverse ? "1" : "0");
    rcmd_arg_i64(out, h->history_meta_ttl_s);
    rcmd_arg_str(out, epoch);
}

static void build_list(const struct engine *e, const struct engine_history *h, const char *epoch,
                       struct buf *out)
{
    script_begin(out, SCRIPT_HISTORY_LIST, h->use_eval, 2, 4);
    engine__key_arg(e, ".list.", h->channel, out);
    engine__key_arg(e, ".list.meta.", h->channel, out);
    rcmd_arg_str(out, h->limit != 0 ? "1" : "0");
    rcmd_arg_str(out, h->limit != 0 ? "-1" : "0");
    rcmd_arg_i64(out, e->history_meta_ttl_s);
    rcmd_arg_str(out, epoch);
}

void engine_history_build(const struct engine *e, const struct engine_history *h, struct buf *out)
{
    char epoch[RND_EPOCH_LEN + 1];
    rnd_epoch(epoch);
    if (e->use_lists) {
        build_list(e, h, epoch, out);
    } else {
        build_stream(e, h, epoch, out);
    }
}

void engine_history_remove_build(const struct engine *e, struct span channel, struct buf *out)
{
    rcmd_begin(out, 2);
    rcmd_arg_str(out, "DEL");
    engine__key_arg(e, e->use_lists ? ".list." : ".stream.", channel, out);
}

static int decode_publication(struct span body, uint64_t offset, struct arena *a,
                              struct publication *out)
{
    int rc = schema_pb_decode(&publication_schema, arena_dup(a, body), a, out, NULL);
    if (rc == 0 && out->offset == 0) {
        out->offset = offset;
    }
    return rc;
}

/* One entry of XRANGE: id and flat fields. */
static int read_entry(const struct redisReply *r, struct arena *a, struct publication *out)
{
    if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
        r->element[1]->type != REDIS_REPLY_ARRAY) {
        return ERR_SYNTAX;
    }
    struct span id = engine__reply_text(r->element[0]);
    uint64_t offset;
    if (id.p == NULL || span_to_u64(span_of(id.p, span_find(id, '-', 0)), &offset) != 0) {
        return ERR_SYNTAX;
    }
    const struct redisReply *fields = r->element[1];
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        if (span_eq_str(engine__reply_text(fields->element[i]), "d")) {
            return decode_publication(engine__reply_text(fields->element[i + 1]), offset, a, out);
        }
    }
    return ERR_SYNTAX;
}

static int read_stream(const struct redisReply *entries, struct arena *a, struct vec *out)
{
    struct publication *items = arena_alloc(a, (entries->elements + 1) * sizeof(*items));
    for (size_t i = 0; i < entries->elements; i++) {
        if (read_entry(entries->element[i], a, &items[i]) != 0) {
            return ERR_SYNTAX;
        }
    }
    *out = (struct vec){.items = items, .n = entries->elements};
    return 0;
}

static bool is_wanted(const struct engine_history *h, uint64_t offset)
{
    return !h->has_since || (h->reverse ? offset < h->since.offset : offset > h->since.offset);
}

/* Items come newest first and all of them; since, limit and order are ours to apply. */
static int read_list(const struct redisReply *list, const struct engine_history *h, struct arena *a,
                     struct vec *out)
{
    size_t n = list->elements;
    size_t limit = h->limit < 0 || (uint64_t)h->limit > n ? n : (size_t)h->limit;
    struct publication *items = arena_alloc(a, (limit + 1) * sizeof(*items));
    size_t count = 0;
    for (size_t i = 0; i < n && count < limit; i++) {
        struct span item = engine__reply_text(list->element[h->reverse ? i : n - 1 - i]);
        struct engine_message m;
        if (engine_message_parse(item, &m) != 0 || m.kind != MESSAGE_PUBLICATION) {
            return ERR_SYNTAX;
        }
        if (is_wanted(h, m.position.offset)) {
            if (decode_publication(m.body, m.position.offset, a, &items[count]) != 0) {
                return ERR_SYNTAX;
            }
            count++;
        }
    }
    *out = (struct vec){.items = items, .n = count};
    return 0;
}

int engine_history_read(const struct engine *e, const struct redisReply *r,
                        const struct engine_history *h, struct arena *a,
                        struct engine_history_result *out, struct err *err)
{
    *out = (struct engine_history_result){0};
    int rc = engine__reply_check(r, err);
    if (rc != 0) {
        return rc;
    }
    if (r->type != REDIS_REPLY_ARRAY || r->elements < 2 ||
        r->element[1]->type != REDIS_REPLY_STRING ||
        engine__reply_u64(r->element[0], &out->top.offset) != 0) {
        return engine__reply_unexpected("a history script", err);
    }
    out->top.epoch = arena_dup(a, engine__reply_text(r->element[1]));
    if (h->has_since && h->since.epoch.n != 0 && !span_eq(h->since.epoch, out->top.epoch)) {
        return err_set(err, ERR_UNRECOVERABLE,
                       "unrecoverable position: the stream's epoch is %.*s, not %.*s",
                       SPAN_FMT(out->top.epoch),
                       (int)(h->since.epoch.n < 64 ? h->since.epoch.n : 64), h->since.epoch.p);
    }
    if (r->elements < 3 || r->element[2]->type != REDIS_REPLY_ARRAY) {
        return 0;
    }
    rc = e->use_lists ? read_list(r->element[2], h, a, &out->publications)
                      : read_stream(r->element[2], a, &out->publications);
    return rc == 0 ? 0 : engine__reply_unexpected("a history script", err);
}
