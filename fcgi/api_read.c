/* SPDX-License-Identifier: Apache-2.0 */
/* presence, presence_stats, history, history_remove, rpc: what is read from (or removed in) Redis.
 */
#include "fcgi/api.h"

#include "common/base/clk.h"
#include "common/base/err.h"
#include "common/policy/channel.h"

struct presence_call {
    struct engine_presence request;
    struct vec found; /* of struct kv_msg -> struct client_info */
    struct presence_stats_result stats;
};

static struct perr_result check_presence(const struct api_ctx *c, const struct api_channel *r,
                                         struct presence_call *p)
{
    const struct chan_opts *o = NULL;
    struct perr_result rc = api__channel(c, r->channel, &o);
    if (rc.code == 0 && !o->presence) {
        rc = api__error(PERR_NOT_AVAILABLE, "presence.off", "presence is off in this namespace");
    }
    *p = (struct presence_call){.request = {.channel = r->channel, .now_s = clk_wall_s()}};
    return rc;
}

static void build_presence(const struct engine *e, void *request, bool use_eval, struct buf *out)
{
    struct presence_call *p = request;
    p->request.use_eval = use_eval;
    engine_presence_get_build(e, &p->request, out);
}

static int read_presence(struct api_ctx *c, const struct redisReply *reply, void *request,
                         struct err *e)
{
    struct presence_call *p = request;
    return engine_presence_get_read(reply, &c->arena, &p->found, e);
}

static struct api_client_info *api_info_of(const struct client_info *i, struct arena *a)
{
    struct api_client_info *out = arena_alloc(a, sizeof(*out));
    *out = (struct api_client_info){
        .user = i->user,
        .client = i->client,
        .conn_info = i->conn_info,
        .chan_info = i->chan_info,
    };
    return out;
}

/* Encodes a result unless a payload in it cannot stand in JSON. */
static void encode(struct api_ctx *c, const struct schema *s, const void *msg, struct buf *out)
{
    if (schema_payloads_are_json(s, msg)) {
        schema_json_encode(s, msg, out);
    } else {
        c->is_unencodable = true;
    }
}

struct perr_result api__presence(struct api_ctx *c, const void *request, struct buf *out)
{
    struct presence_call p;
    struct perr_result rc = check_presence(c, request, &p);
    if (rc.code != 0) {
        return rc;
    }
    int failed =
        api__engine(c, api__shard_of(c, p.request.channel), build_presence, read_presence, &p);
    if (failed != 0) {
        return api__engine_error(c, failed);
    }
    struct kv_msg *items = p.found.items;
    schema_map_sort(&p.found, sizeof(*items));
    for (size_t i = 0; i < p.found.n; i++) {
        items[i].msg = api_info_of(items[i].msg, &c->arena);
    }
    struct api_presence_result result = {.presence = p.found};
    encode(c, &api_presence_result_schema, &result, out);
    return api__ok();
}

static void build_stats(const struct engine *e, void *request, bool use_eval, struct buf *out)
{
    struct presence_call *p = request;
    p->request.use_eval = use_eval;
    engine_presence_stats_build(e, &p->request, out);
}

static int read_stats(struct api_ctx *c, const struct redisReply *reply, void *request,
                      struct err *e)
{
    struct presence_call *p = request;
    return engine_presence_stats_read(&c->api->engine, reply, &p->stats, e);
}

struct perr_result api__presence_stats(struct api_ctx *c, const void *request, struct buf *out)
{
    struct presence_call p;
    struct perr_result rc = check_presence(c, request, &p);
    if (rc.code != 0) {
        return rc;
    }
    int failed = api__engine(c, api__shard_of(c, p.request.channel), build_stats, read_stats, &p);
    if (failed != 0) {
        return api__engine_error(c, failed);
    }
    schema_json_encode(&presence_stats_result_schema, &p.stats, out);
    return api__ok();
}

struct history_call {
    struct engine_history request;
    struct engine_history_result found;
};

static struct perr_result check_history(const struct api_ctx *c, struct span channel,
                                        const struct chan_opts **o)
{
    struct perr_result rc = api__channel(c, channel, o);
    if (rc.code == 0 && !channel_has_history(*o)) {
        rc = api__error(PERR_NOT_AVAILABLE, "history.off",
                        "history_size and history_ttl of this namespace are not set");
    }
    return rc;
}

static void build_history(const struct engine *e, void *request, bool use_eval, struct buf *out)
{
    struct history_call *h = request;
    h->request.use_eval = use_eval;
    engine_history_build(e, &h->request, out);
}

static int read_history(struct api_ctx *c, const struct redisReply *reply, void *request,
                        struct err *e)
{
    struct history_call *h = request;
    return engine_history_read(&c->api->engine, reply, &h->request, &c->arena, &h->found, e);
}

static void write_history(struct api_ctx *c, const struct engine_history_result *h, struct buf *out)
{
    struct publication *from = h->publications.items;
    struct api_publication *to = arena_alloc(&c->arena, (h->publications.n + 1) * sizeof(*to));
    for (size_t i = 0; i < h->publications.n; i++) {
        schema_map_sort(&from[i].tags, sizeof(struct kv));
        to[i] = (struct api_publication){
            .data = from[i].data,
            .info = from[i].info != NULL ? api_info_of(from[i].info, &c->arena) : NULL,
            .offset = from[i].offset,
            .tags = from[i].tags,
        };
    }
    struct api_history_result result = {
        .publications = {.items = to, .n = h->publications.n},
        .epoch = h->top.epoch,
        .offset = h->top.offset,
    };
    encode(c, &api_history_result_schema, &result, out);
}

struct perr_result api__history(struct api_ctx *c, const void *request, struct buf *out)
{
    const struct api_history *r = request;
    const struct chan_opts *o = NULL;
    struct perr_result rc = check_history(c, r->channel, &o);
    if (rc.code != 0) {
        return rc;
    }
    if (r->reverse && r->since != NULL && r->since->offset == 0) {
        return api__error(PERR_INTERNAL, "history.reverse_zero",
                          "reverse needs a since.offset above 0");
    }
    struct history_call h = {
        .request =
            {
                .channel = r->channel,
                .limit = r->limit,
                .has_since = r->since != NULL,
                .reverse = r->reverse,
                .history_meta_ttl_s = o->history_meta_ttl_ms / 1000,
            },
    };
    if (r->since != NULL) {
        h.request.since =
            (struct engine_position){.offset = r->since->offset, .epoch = r->since->epoch};
    }
    int failed = api__engine(c, api__shard_of(c, r->channel), build_history, read_history, &h);
    if (failed != 0) {
        return api__engine_error(c, failed);
    }
    write_history(c, &h.found, out);
    return api__ok();
}

static void build_remove(const struct engine *e, void *request, bool use_eval, struct buf *out)
{
    (void)use_eval; /* no script */
    engine_history_remove_build(e, *(const struct span *)request, out);
}

static int read_ok(struct api_ctx *c, const struct redisReply *reply, void *request, struct err *e)
{
    (void)c;
    (void)request;
    return engine_ok_read(reply, e);
}

struct perr_result api__history_remove(struct api_ctx *c, const void *request, struct buf *out)
{
    const struct api_channel *r = request;
    const struct chan_opts *o = NULL;
    struct perr_result rc = check_history(c, r->channel, &o);
    if (rc.code != 0) {
        return rc;
    }
    struct span channel = r->channel;
    int failed = api__engine(c, api__shard_of(c, channel), build_remove, read_ok, &channel);
    if (failed != 0) {
        return api__engine_error(c, failed);
    }
    buf_add_str(out, "{}");
    return api__ok();
}

struct perr_result api__rpc(struct api_ctx *c, const void *request, struct buf *out)
{
    const struct api_rpc *r = request;
    (void)c;
    (void)out;
    if (r->method.n == 0) {
        return api__error(PERR_BAD_REQUEST, "rpc.method_missing", "method is required");
    }
    return api__error(PERR_METHOD_NOT_FOUND, "rpc.unknown_method", NULL);
}
