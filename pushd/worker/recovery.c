/* SPDX-License-Identifier: Apache-2.0 */
/* Whether and how a client catches up with a stream. */
#include "pushd/worker/recovery.h"

#include "common/format/fossil.h"
#include "common/format/jwrite.h"

void recovery_init(struct recovery *r, const struct chan_opts *o, bool is_recoverable,
                   const struct subscribe_request *wish, const struct tags_filter *filter,
                   struct arena *a)
{
    bool is_cache = o->force_recovery_mode == RECOVERY_CACHE;
    *r = (struct recovery){
        .is_wanted = wish->recover || (is_recoverable && is_cache && o->auto_cache_recover),
        .is_possible = is_recoverable,
        .is_cache = is_cache,
        .rejects_unrecoverable =
            is_recoverable && !is_cache && (wish->flag & SUBSCRIBE_REJECT_UNRECOVERED) != 0,
        .offset = wish->offset,
        .epoch = arena_dup(a, wish->epoch),
        .filter = filter,
    };
}

void recovery_ask(const struct recovery *r, int64_t max_publications, struct engine_history *out)
{
    if (r->is_cache) {
        out->reverse = true;
        out->limit = r->filter != NULL ? max_publications : 1;
    } else {
        out->limit = max_publications;
        out->has_since = true;
        out->since.offset = r->offset;
    }
}

static void copy_info(struct publication *to, const struct client_info *from, struct arena *a)
{
    to->info = arena_alloc(a, sizeof(*to->info));
    *to->info = (struct client_info){
        .user = arena_dup(a, from->user),
        .client = arena_dup(a, from->client),
        .conn_info = arena_dup(a, from->conn_info),
        .chan_info = arena_dup(a, from->chan_info),
    };
}

static void copy_publication(struct publication *to, const struct publication *from,
                             struct arena *a)
{
    *to = (struct publication){
        .data = arena_dup(a, from->data),
        .offset = from->offset,
        .version = from->version,
    };
    if (from->info != NULL) {
        copy_info(to, from->info, a);
    }
    const struct kv *tags = from->tags.items;
    struct kv *copy = arena_alloc(a, from->tags.n * sizeof(*copy));
    for (size_t i = 0; i < from->tags.n; i++) {
        copy[i] = (struct kv){arena_dup(a, tags[i].key), arena_dup(a, tags[i].value)};
    }
    to->tags = (struct vec){copy, from->tags.n};
}

static bool passes(const struct recovery *r, const struct publication *p)
{
    return r->filter == NULL || tags_filter_match(r->filter, &p->tags);
}

static bool has_position(const struct recovery *r, const struct engine_position *top)
{
    return r->offset == top->offset && span_eq(r->epoch, top->epoch);
}

/* Client protocol 7.4; the publications come newest first. When none passes the filter it is as if
 * none were kept. */
static bool apply_cache(const struct recovery *r, const struct engine_history_result *found,
                        struct arena *a, struct subscribe_result *out)
{
    const struct publication *pubs = found->publications.items;
    bool has_newest = r->offset > 0 && has_position(r, &found->top);
    size_t i = 0;
    while (i < found->publications.n && !passes(r, &pubs[i])) {
        i++;
    }
    if (i == found->publications.n) {
        return has_newest;
    }
    if (pubs[0].offset != found->top.offset) {
        return false;
    }
    if (!has_newest) {
        out->publications = (struct vec){arena_alloc(a, sizeof(*pubs)), 1};
        copy_publication(out->publications.items, &pubs[i], a);
    }
    return true;
}

/* Client protocol 7.3: history continues the client's position without a hole up to the top. */
static bool apply_stream(const struct recovery *r, const struct engine_history_result *found,
                         struct arena *a, struct subscribe_result *out)
{
    const struct publication *pubs = found->publications.items;
    size_t n = found->publications.n;
    if (r->epoch.n != 0 && !span_eq(r->epoch, found->top.epoch)) {
        return false;
    }
    if (n == 0) {
        return r->offset == found->top.offset;
    }
    if (pubs[0].offset != r->offset + 1 || pubs[n - 1].offset != found->top.offset) {
        return false;
    }
    struct publication *copy = arena_alloc(a, n * sizeof(*copy));
    out->publications.items = copy;
    for (size_t i = 0; i < n; i++) {
        if (passes(r, &pubs[i])) {
            copy_publication(&copy[out->publications.n++], &pubs[i], a);
        }
    }
    return true;
}

bool recovery_apply(const struct recovery *r, const struct engine_history_result *found,
                    struct arena *a, struct subscribe_result *out)
{
    if (!r->is_possible) {
        return false;
    }
    bool recovered = r->is_cache ? apply_cache(r, found, a, out) : apply_stream(r, found, a, out);
    if (recovered) {
        out->recovered = true;
        out->offset = r->offset; /* the client advances by the publications */
    }
    return recovered;
}

struct recovery_fault recovery_explain(const struct recovery *r,
                                       const struct engine_history_result *found)
{
    const struct publication *pubs = found->publications.items;
    size_t n = found->publications.n;
    if (!r->is_possible) {
        return (struct recovery_fault){
            "recovery.off", "force_recovery or allow_recovery, and history, are not set for it"};
    }
    if (r->epoch.n != 0 && !span_eq(r->epoch, found->top.epoch)) {
        return (struct recovery_fault){"recovery.epoch",
                                       "the stream began anew: Redis lost it, history was removed, "
                                       "or history_meta_ttl has passed"};
    }
    if (r->offset > found->top.offset) {
        return (struct recovery_fault){"recovery.ahead",
                                       "the client is ahead of the stream: Redis lost its newest"};
    }
    if (n == 0) {
        return (struct recovery_fault){"recovery.expired", "history_ttl has passed"};
    }
    if (pubs[0].offset != r->offset + 1) {
        return (struct recovery_fault){"recovery.trimmed",
                                       "more was missed than history_size and history_ttl keep"};
    }
    return (struct recovery_fault){"recovery.limit",
                                   "more was missed than client.recovery_max_publication_limit"};
}

bool recovery_gives_base(const struct subscribe_result *result, uint64_t top)
{
    const struct publication *pubs = result->publications.items;
    size_t n = result->publications.n;
    return result->recovered && n != 0 && pubs[n - 1].offset == top;
}

void recovery_make_deltas(struct vec *publications, enum proto_encoding enc, struct arena *a)
{
    struct publication *pubs = publications->items;
    struct span before = {0};
    struct buf made = {0};
    for (size_t i = 0; i < publications->n; i++) {
        struct span whole = pubs[i].data;
        if (before.n != 0) {
            buf_clear(&made);
            fossil_create(before, whole, &made);
            if (made.n < whole.n && (enc != ENC_JSON || span_is_utf8(buf_span(&made)))) {
                pubs[i].data = arena_dup(a, buf_span(&made));
                pubs[i].delta = true;
            }
        }
        before = whole;
        if (enc == ENC_JSON) {
            buf_clear(&made);
            jwrite_string(&made, pubs[i].data);
            pubs[i].data = arena_dup(a, buf_span(&made));
        }
    }
    buf_free(&made);
}
