/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: bodies of API requests. The first byte chooses the method; Redis is away, so nothing
 * leaves the process. Each body is tried without limits and with a key that has some. */
#include "common/format/jscan.h"
#include "fcgi/registry.h"
#include "tests/fuzz/fuzz_util.h"

#include "fcgi/api.h"

#define FOREVER_MS (INT64_C(1) << 40)

static const char config[] =
    "{\"http_api\":{\"key\":\"key\"},\"engine\":{\"redis\":{\"address\":\"/x,/y\"}},"
    "\"channel\":{\"namespaces\":["
    "{\"name\":\"hist\",\"history_size\":3,\"history_ttl\":\"60s\",\"presence\":true},"
    "{\"name\":\"obj\",\"publication_data_format\":\"json_object\"},"
    "{\"name\":\"map\",\"subscription_type\":\"map\"}]},\"pushd\":{\"api_keys\":[{\"name\":\"few\","
    "\"key\":\"0123456789abcdef\",\"scopes\":[\"publish\",\"read\"],\"channels\":[\"hist:\"]}]}}";

static struct rsync_shards shards;
static struct api api;
static struct api_ctx ctx;
static struct response response;

static void set_up(void)
{
    if (api.conf != NULL) {
        return;
    }
    log_threshold = LOG_LEVEL_NONE;
    struct err e = {0};
    struct conf_load_opts opts = {.text = config, .text_len = strlen(config)};
    api.conf = conf_load(&opts, &e);
    fuzz_require(api.conf != NULL, e.text);
    log_threshold = LOG_LEVEL_NONE;
    fuzz_require(rsync_shards_init(&shards, api.conf, &e) == 0, e.text);
    for (uint32_t i = 0; i < shards.n; i++) {
        rsync_target_trip(&shards.targets[i], FOREVER_MS, FOREVER_MS, "away");
    }
    engine_init(&api.engine, api.conf);
    rnd_uuid(api.uid);
    api.shards = &shards;
    api.registry = registry_new(
        &(struct registry_opts){.shards = &shards, .engine = &api.engine, .uid = api.uid});
    for (uint32_t i = 0; i < shards.n; i++) {   /* else each question waits for the others */
        registry_set_up(api.registry, i, true); /* knows no nodes */
    }
    api_ctx_init(&ctx, &api);
    ctx.redis = rsync_pool_new(&shards);
}

static void require_json_lines(struct span body)
{
    struct span line;
    while (span_split(&body, '\n', &line)) {
        fuzz_require(jscan_is_valid(line), "an answer is JSON");
    }
}

static void try_request(const uint8_t *data, size_t size, const struct conf_api_key *key)
{
    /* The table of methods, and behind it batch and the single endpoint. */
    size_t which = (size_t)(data[0] | 0x20) % (api_method_count + 2);
    if (which < api_method_count && api_methods[which].run == api__channels) {
        which = api_method_count; /* it would wait for answers that were never asked for */
    }
    struct route route = {.kind = which < api_method_count    ? ROUTE_METHOD
                                  : which == api_method_count ? ROUTE_BATCH
                                                              : ROUTE_LEGACY};
    route.method = route.kind == ROUTE_METHOD ? &api_methods[which] : NULL;
    struct request r = {
        .method = SPAN("POST"), .path = SPAN("/api/x"), .body = span_of(data + 1, size - 1)};
    api_begin(&ctx);
    ctx.key = key;
    response_clear(&response);
    switch (api_publish_begin(&ctx, &r, &route, &response)) {
    case API_PREPARED: {
        struct api_ctx *one = &ctx;
        api_publish_group(&one, 1);
        api_publish_end(&ctx, &r, &response);
        break;
    }
    case API_ANSWERED:
        break;
    case API_OTHER:
        api_execute(&ctx, &r, &route, &response);
        break;
    }
    fuzz_require(response.status == 200 || response.status == 400 ||
                     (response.status == 403 && key != NULL),
                 "the status is 200 or 400, or 403 with a limited key");
    fuzz_require(response.content_type != NULL, "an answer has a type");
    if (response.status != 400) {
        require_json_lines(buf_span(&response.body));
    } else {
        fuzz_require(span_eq_str(buf_span(&response.body), "Bad Request\n"),
                     "a refusal has the reference's words");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    set_up();
    if (size != 0) {
        try_request(data, size, NULL);
        try_request(data, size, &api.conf->pushd.api_keys[0]);
    }
    return 0;
}
