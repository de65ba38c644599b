/* SPDX-License-Identifier: Apache-2.0 */
/* publish and broadcast. Several publications go to Redis in pipelines. */
#include "fcgi/api.h"

#include "common/base/clk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/policy/channel.h"
#include "fcgi/auth.h"

/* How much is sent before the replies are read. A bound is needed because each channel of a
 * broadcast costs its own copy of the data; beyond some 100 kB a longer pipeline gains nothing. */
#define PIPELINE_BYTES (256 * 1024)

/* How many requests are looked at together. */
#define GROUP_MAX 16

/* What goes to one shard. */
struct pipeline {
    struct api_ctx *c;
    struct api_publication_item *items;
    uint32_t shard;
    size_t at; /* the item whose reply comes next */
    size_t end;
    size_t noscript_count;
};

struct perr_result api__publish_prepare(struct api_ctx *c, const struct api_publish *p,
                                        bool is_broadcast, struct api_publication_item *item)
{
    const struct chan_opts *o = NULL;
    struct span data = p->data;
    *item = (struct api_publication_item){
        .key = c->key, .arena = &c->arena, .request = {.channel = p->channel}};
    struct perr_result rc = api__channel(c, p->channel, &o);
    if (rc.code != 0) {
        return rc;
    }
    if (!is_broadcast && o->subscription_type != SUBSCRIPTION_STREAM) {
        return api__error(PERR_BAD_REQUEST, "channel.subscription_type",
                          "its subscription_type is not stream");
    }
    if (!is_broadcast) {
        rc = api__payload(c, p->data, p->b64data, &data);
    }
    if (rc.code != 0) {
        return rc;
    }
    if (data.n == 0 && o->publication_data_format != DATA_FORMAT_BINARY) {
        return api__error(PERR_BAD_REQUEST, "data.missing", "data is required");
    }
    if (!channel_data_is_valid(o, data)) {
        return api__error(PERR_BAD_REQUEST, "data.format",
                          "data does not follow publication_data_format");
    }
    item->shard = api__shard_of(c, p->channel);
    bool has_history = !p->skip_history && channel_has_history(o);
    item->request = (struct engine_publish){
        .channel = p->channel,
        .data = data,
        .tags = p->tags.n != 0 ? &p->tags : NULL,
        .time_ms = clk_wall_ms(),
        .history_size = has_history ? o->history_size : 0,
        .history_ttl_s = has_history ? (o->history_ttl_ms + 999) / 1000 : 0,
        .history_meta_ttl_s = o->history_meta_ttl_ms / 1000,
        .idempotency_key = p->idempotency_key,
        .delta = p->delta || o->delta_publish,
        .version = p->version,
        .version_epoch = p->version_epoch,
    };
    return api__ok();
}

static bool is_waiting(const struct pipeline *p, const struct api_publication_item *item)
{
    return item->shard == p->shard && !item->is_done;
}

static void fail_item(struct api_publication_item *item, const struct err *e)
{
    item->error =
        api__error(PERR_INTERNAL, "redis.error", arena_strdup(item->arena, span_str(e->text)));
    item->is_done = true;
}

static void on_reply(const struct redisReply *reply, size_t index, void *arg)
{
    struct pipeline *p = arg;
    (void)index;
    while (!is_waiting(p, &p->items[p->at])) { /* there is one: this is its reply */
        p->at++;
    }
    struct api_publication_item *item = &p->items[p->at++];
    if (engine_is_noscript(reply)) {
        item->request.use_eval = true;
        p->noscript_count++;
        return;
    }
    struct err e = {0};
    int rc = engine_publish_read(reply, &item->request, &item->result, &e);
    item->is_done = true;
    if (rc != 0) {
        api__log_redis(p->c, e.text);
        fail_item(item, &e);
        return;
    }
    item->result.position.epoch =
        arena_dup(item->arena, item->result.position.epoch); /* it dies with the reply */
    log_info(LOG_API, "publish", LOG_TEXT("channel", item->request.channel),
             LOG_NUM("bytes", item->request.data.n),
             LOG_NUM("offset", item->result.position.offset),
             LOG_STR("key", auth_key_name(item->key)));
}

static void fail_rest(struct pipeline *p, int rc, struct err *e)
{
    api__tell_connection(rc, e);
    for (size_t i = p->at; i < p->end; i++) {
        if (is_waiting(p, &p->items[i])) {
            fail_item(&p->items[i], e);
        }
    }
}

/* Runs what stands in the batches of all shards; `p` has room for a pipeline each. Returns how many
 * scripts were not known. */
static size_t run_batches(struct pipeline *p, const struct pipeline *common)
{
    struct rsync_pool *pool = common->c->redis;
    size_t noscript = 0;
    for (uint32_t i = 0; i < pool->shards->n; i++) {
        p[i] = *common;
        p[i].shard = i;
        pool->batches[i].fn = on_reply;
        pool->batches[i].arg = &p[i];
    }
    rsync_pool_run(pool);
    for (uint32_t i = 0; i < pool->shards->n; i++) {
        if (pool->batches[i].rc != 0) {
            fail_rest(&p[i], pool->batches[i].rc, &pool->batches[i].err);
        }
        noscript += p[i].noscript_count;
    }
    return noscript;
}

/* Sends the items [from, ..) that are not done, as many as fit; returns where it stopped. */
static size_t run_some(struct api_ctx *c, struct api_publication_item *items, size_t from, size_t n,
                       struct pipeline *pipelines, size_t *noscript)
{
    size_t bytes = 0;
    size_t i = from;
    for (; i < n && bytes < PIPELINE_BYTES; i++) {
        struct rsync_batch *batch = &c->redis->batches[items[i].shard];
        if (!items[i].is_done) {
            size_t before = batch->commands.n;
            engine_publish_build(&c->api->engine, &items[i].request, &batch->commands);
            bytes += batch->commands.n - before;
            batch->count++;
        }
    }
    *noscript +=
        run_batches(pipelines, &(struct pipeline){.c = c, .items = items, .at = from, .end = i});
    return i;
}

void api__publish_run(struct api_ctx *c, struct api_publication_item *items, size_t n)
{
    struct pipeline one;
    uint32_t shards = c->api->shards->n;
    struct pipeline *pipelines =
        shards == 1 ? &one : arena_alloc(&c->arena, shards * sizeof(*pipelines));
    for (int attempt = 0; attempt < 2; attempt++) {
        size_t noscript = 0;
        size_t at = 0;
        while (at < n) {
            at = run_some(c, items, at, n, pipelines, &noscript);
        }
        if (noscript == 0) {
            return;
        }
    }
    struct err e;
    err_set(&e, ERR_UNAVAILABLE, "Redis does not keep its scripts");
    for (size_t i = 0; i < n; i++) {
        if (!items[i].is_done) {
            fail_item(&items[i], &e);
        }
    }
}

void api__publish_run_in_order(struct api_ctx *c, struct api_publication_item *items, size_t n)
{
    struct {
        bool form[PUBLISH_FORMS];
    } *known = arena_zalloc(&c->arena, c->api->shards->n * sizeof(*known)); /* to each shard */
    for (size_t i = 0; n > 1 && i < n; i++) {
        bool *is_known = &known[items[i].shard].form[engine_publish_form(&items[i].request)];
        if (!items[i].is_done) {
            items[i].request.use_eval = !*is_known;
            *is_known = true;
        }
    }
    api__publish_run(c, items, n);
}

void api__publish_write(const struct api_publication_item *item, struct buf *out)
{
    const struct engine_position *position = &item->result.position;
    struct api_position p = {.offset = position->offset, .epoch = position->epoch};
    schema_json_encode(&api_position_schema, &p, out);
}

struct perr_result api__publish(struct api_ctx *c, const void *request, struct buf *out)
{
    struct api_publication_item item;
    struct perr_result rc = api__publish_prepare(c, request, false, &item);
    if (rc.code != 0) {
        return rc;
    }
    api__publish_run(c, &item, 1);
    if (item.error.code == 0) {
        api__publish_write(&item, out);
    }
    return item.error;
}

void api_publish_group(struct api_ctx *const *contexts, size_t n)
{
    struct api_publication_item items[GROUP_MAX];
    for (size_t from = 0; from < n; from += GROUP_MAX) {
        size_t count = n - from < GROUP_MAX ? n - from : GROUP_MAX;
        for (size_t i = 0; i < count; i++) {
            items[i] = contexts[from + i]->publication;
        }
        api__publish_run(contexts[0], items, count);
        for (size_t i = 0; i < count; i++) {
            contexts[from + i]->publication = items[i];
        }
    }
}

static void write_responses(struct api_ctx *c, const struct api_publication_item *items, size_t n,
                            struct buf *out)
{
    buf_add_str(out, "{\"responses\":[");
    for (size_t i = 0; i < n; i++) {
        if (i != 0) {
            buf_add_char(out, ',');
        }
        if (items[i].error.code == 0) {
            buf_add_str(out, "{\"result\":");
            api__publish_write(&items[i], out);
        } else {
            api__log_error(c, "broadcast", items[i].request.channel, &items[i].error);
            buf_add_str(out, "{\"error\":");
            api__write_error(&items[i].error, out);
        }
        buf_add_char(out, '}');
    }
    buf_add_str(out, "]}");
}

struct perr_result api__broadcast(struct api_ctx *c, const void *request, struct buf *out)
{
    const struct api_broadcast *b = request;
    const struct span *channels = b->channels.items;
    struct span data;
    if (b->channels.n == 0) {
        return api__error(PERR_BAD_REQUEST, "channels.missing", "channels is required");
    }
    struct perr_result rc = api__payload(c, b->data, b->b64data, &data); /* once for all of them */
    if (rc.code != 0) {
        return rc;
    }
    struct api_publish p = {
        .data = data,
        .skip_history = b->skip_history,
        .tags = b->tags,
        .idempotency_key = b->idempotency_key,
        .delta = b->delta,
        .version = b->version,
        .version_epoch = b->version_epoch,
    };
    struct api_publication_item *items = arena_alloc(&c->arena, b->channels.n * sizeof(*items));
    for (size_t i = 0; i < b->channels.n; i++) {
        p.channel = channels[i];
        items[i] = (struct api_publication_item){0};
        rc = api__permit_channel(c, p.channel);
        if (rc.code == 0) {
            rc = api__publish_prepare(c, &p, true, &items[i]);
        }
        items[i].request.tags = b->tags.n != 0 ? &b->tags : NULL;
        items[i].error = rc;
        items[i].is_done = rc.code != 0;
    }
    api__publish_run(c, items, b->channels.n);
    write_responses(c, items, b->channels.n, out);
    return api__ok();
}
