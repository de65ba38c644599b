/* SPDX-License-Identifier: Apache-2.0 */
/* info, stats, channels: what only the nodes know. */
#include "fcgi/api.h"

#include "common/base/clk.h"
#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/htab.h"
#include "common/policy/api_key.h"
#include "common/policy/channel.h"
#include "common/protocol/control.h"
#include "fcgi/registry.h"

/* How long a call waits for nodes: for figures of nodes that are known by name only (shortly after
 * our start), and for answers. */
#define WAIT_MS 1000

static struct perr_result no_cluster(void)
{
    return api__error(PERR_INTERNAL, "cluster.down",
                      "push-api hears no nodes, because Redis is not reachable");
}

static int find_nodes(struct api_ctx *c, struct vec *nodes)
{
    return registry_nodes(c->api->registry, WAIT_MS, &c->arena, nodes);
}

struct perr_result api__info(struct api_ctx *c, const void *request, struct buf *out)
{
    struct api_info_result result = {0};
    (void)request;
    if (find_nodes(c, &result.nodes) != 0) {
        return no_cluster();
    }
    schema_json_encode(&api_info_result_schema, &result, out);
    return api__ok();
}

struct perr_result api__stats(struct api_ctx *c, const void *request, struct buf *out)
{
    struct api_info_result result = {0};
    uint64_t clients = 0;
    uint64_t users = 0;
    uint64_t channels = 0;
    (void)request;
    if (find_nodes(c, &result.nodes) != 0) {
        return no_cluster();
    }
    const struct api_node *nodes = result.nodes.items;
    for (size_t i = 0; i < result.nodes.n; i++) {
        clients += nodes[i].num_clients;
        users += nodes[i].num_users;
        channels += nodes[i].num_channels;
    }
    schema_json_encode(&api_info_result_schema, &result, out);
    out->n--; /* the closing brace */
    buf_add_str(out, ",\"num_clients\":");
    buf_add_u64(out, clients);
    buf_add_str(out, ",\"num_users\":");
    buf_add_u64(out, users);
    buf_add_str(out, ",\"num_channels\":");
    buf_add_u64(out, channels);
    buf_add_str(out, ",\"num_nodes\":");
    buf_add_u64(out, result.nodes.n);
    buf_add_char(out, '}');
    return api__ok();
}

/* The sum of the answers. */
struct channel_sum {
    struct htab_node node;
    struct api_channel_info info;
};

struct collection {
    struct arena *arena;
    const struct conf_api_key *key; /* who asks, and sees no channels of others */
    struct htab channels;
    struct vec list; /* of struct kv_msg -> struct api_channel_info */
    bool has_failed;
};

static void add_channel(struct collection *k, struct span name, uint32_t num_clients)
{
    uint64_t hash = hash_span(name);
    struct htab_node *found = htab_find(&k->channels, name, hash);
    if (found == NULL) {
        struct channel_sum *sum = arena_zalloc(k->arena, sizeof(*sum));
        found = &sum->node;
        htab_add(&k->channels, found, arena_dup(k->arena, name), hash);
    }
    CONTAINER_OF(found, struct channel_sum, node)->info.num_clients += num_clients;
}

static void on_answer(uint32_t code, struct span data, void *arg)
{
    struct collection *k = arg;
    struct arena scratch = {0};
    struct channels_answer answer;
    if (code != 0 ||
        schema_pb_decode(&channels_answer_schema, data, &scratch, &answer, NULL) != 0) {
        k->has_failed = true;
    } else {
        const struct kv_msg *items = answer.channels.items;
        for (size_t i = 0; i < answer.channels.n; i++) {
            const struct channel_info *info = items[i].msg;
            if (api_key_has_channel(k->key, items[i].key)) {
                add_channel(k, items[i].key, info != NULL ? info->num_clients : 0);
            }
        }
    }
    arena_fini(&scratch);
}

static bool list_channel(struct htab_node *node, void *arg)
{
    struct collection *k = arg;
    struct kv_msg *items = k->list.items;
    items[k->list.n++] = (struct kv_msg){
        .key = node->key, .msg = &CONTAINER_OF(node, struct channel_sum, node)->info};
    return true;
}

static void write_channels(struct collection *k, struct buf *out)
{
    k->list.items = arena_alloc(k->arena, (k->channels.count + 1) * sizeof(struct kv_msg));
    htab_each(&k->channels, list_channel, k);
    schema_map_sort(&k->list, sizeof(struct kv_msg));
    struct api_channels_result result = {.channels = k->list};
    schema_json_encode(&api_channels_result_schema, &result, out);
}

static struct perr_result ask(struct api_ctx *c, struct span pattern, struct survey *s,
                              struct collection *k)
{
    struct registry *r = c->api->registry;
    int64_t deadline = clk_mono_ms() + WAIT_MS;
    struct channels_survey question = {.pattern = pattern};
    struct buf data = {0};
    schema_pb_encode(&channels_survey_schema, &question, &data);
    struct survey_request request = {.id = s->id, .op = SPAN("channels"), .data = buf_span(&data)};
    struct perr_result rc = api__control(c, &(struct control_command){.survey_request = &request});
    buf_free(&data);
    if (rc.code != 0) {
        return rc;
    }
    int failed = registry_survey_collect(r, s, deadline, on_answer, k);
    if (failed == ERR_UNAVAILABLE) {
        return no_cluster();
    }
    if (failed != 0) {
        return api__error(PERR_INTERNAL, "survey.timeout",
                          "no node answered in time; are they alive? Their logs know");
    }
    return k->has_failed ? api__error(PERR_INTERNAL, "survey.failed", "a node could not answer")
                         : api__ok();
}

struct perr_result api__channels(struct api_ctx *c, const void *request, struct buf *out)
{
    const struct api_channels *r = request;
    struct survey s;
    struct collection k = {.arena = &c->arena, .key = c->key};
    if (r->pattern.n != 0 && !glob_is_valid(r->pattern)) {
        return api__error(PERR_INTERNAL, "channels.pattern", "the pattern is malformed");
    }
    if (registry_survey_begin(c->api->registry, &s) != 0) {
        return no_cluster();
    }
    struct perr_result rc = ask(c, r->pattern, &s, &k);
    registry_survey_end(c->api->registry, &s);
    if (rc.code == 0) {
        write_channels(&k, out);
    }
    htab_fini(&k.channels);
    return rc;
}
