/* SPDX-License-Identifier: Apache-2.0 */
/* What the keys of pushd.api_keys may do, in every form of the API. */
#include "tests/unit/unit.h"

#include "common/base/clk.h"
#include "common/protocol/control.h"
#include "fcgi/registry.h"
#include "tests/unit/fcgi_fixture.h"
#include "tests/unit/redis_server.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#define WAIT_MS 1000 /* of a call of channels, for a node */

static const char config[] =
    "{\"http_api\":{\"key\":\"key\"},\"channel\":{\"namespaces\":["
    "{\"name\":\"hist\",\"history_size\":3,\"history_ttl\":\"60s\",\"presence\":true}]},"
    "\"pushd\":{\"api_keys\":["
    "{\"name\":\"writer\",\"key\":\"writer-0123456789\",\"scopes\":[\"publish\"]},"
    "{\"name\":\"reader\",\"key\":\"reader-0123456789\",\"scopes\":[\"read\"]},"
    "{\"name\":\"both\",\"key\":\"both-0123456789\",\"scopes\":[\"read\",\"publish\"],"
    "\"channels\":[\"hist:a\",\"news\"]},"
    "{\"name\":\"boss\",\"key\":\"boss-0123456789\",\"scopes\":[\"admin\"]},"
    "{\"name\":\"vice\",\"key\":\"vice-0123456789\",\"scopes\":[\"admin\"],"
    "\"channels\":[\"hist:a\"]}]}}";

static struct redis_server server;
static struct fcgi_fixture f;
static int status;

static int set_up(void **state)
{
    (void)state;
    fcgi_fixture_open_with_redis(&f, &server, config);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fcgi_fixture_close_with_redis(&f, &server);
    return 0;
}

static const char *post_as(const char *name, const char *uri, const char *body)
{
    char key[64];
    snprintf(key, sizeof(key), "HTTP_X_API_KEY=%s-0123456789", name);
    char *variables[] = {key, NULL};
    status = fcgi_call(&f, "POST", uri, body, variables);
    return fcgi_body(&f);
}

/* A request of every method that names the channel hist:a1 where it can. */
static const struct {
    const char *name;
    const char *body;
} calls[] = {
    {"publish", "{\"channel\":\"hist:a1\",\"data\":1}"},
    {"broadcast", "{\"channels\":[\"hist:a1\"],\"data\":1}"},
    {"subscribe", "{\"channel\":\"hist:a1\",\"user\":\"u\"}"},
    {"unsubscribe", "{\"channel\":\"hist:a1\",\"user\":\"u\"}"},
    {"disconnect", "{\"user\":\"u\"}"},
    {"refresh", "{\"user\":\"u\"}"},
    {"history", "{\"channel\":\"hist:a1\"}"},
    {"history_remove", "{\"channel\":\"hist:a1\"}"},
    {"presence", "{\"channel\":\"hist:a1\"}"},
    {"presence_stats", "{\"channel\":\"hist:a1\"}"},
    {"info", "{}"},
    {"stats", "{}"},
    {"rpc", "{\"method\":\"m\"}"},
    {"channels", "{}"},
};

static bool is_in(const char *list, const char *word)
{
    struct span rest = span_str(list);
    struct span one;
    while (span_split(&rest, ' ', &one)) {
        if (span_eq_str(one, word)) {
            return true;
        }
    }
    return false;
}

static void each_scope_has_its_methods(void **state)
{
    static const char all[] = "publish broadcast subscribe unsubscribe disconnect refresh history "
                              "history_remove presence presence_stats info stats rpc channels";
    static const char reading[] = "history presence presence_stats info stats channels";
    static const struct {
        const char *key;
        const char *methods;
    } rows[] = {
        {"writer", "publish broadcast"},
        {"reader", reading},
        {"both", "publish broadcast history presence presence_stats info stats channels"},
        {"boss", all},
        {"vice", "publish broadcast subscribe unsubscribe history history_remove presence "
                 "presence_stats info stats rpc channels"},
    };
    (void)state;
    registry_set_up(f.api.registry, 0, true);
    assert_int_equal(ARRAY_LEN(calls), api_method_count);
    for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
        for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
            char uri[64];
            snprintf(uri, sizeof(uri), "/api/%s", calls[i].name);
            bool is_allowed = is_in(rows[k].methods, calls[i].name);
            const char *body = post_as(rows[k].key, uri, calls[i].body);
            if ((strstr(body, "permission denied") == NULL) != is_allowed ||
                (status == 200) != is_allowed) {
                fail_msg("%s by %s: %d %s", calls[i].name, rows[k].key, status, body);
            }
        }
    }
    registry_set_up(f.api.registry, 0, false);
}

static void a_refusal_says_what_is_missing_but_not_the_key(void **state)
{
    (void)state;
    assert_string_equal(post_as("reader", "/api/publish", "{\"channel\":\"a\",\"data\":1}"),
                        "{\"error\":{\"code\":103,\"message\":\"permission denied: publish needs "
                        "the scope publish, which the key reader in pushd.api_keys has not\"}}");
    assert_int_equal(status, 403);
    assert_string_equal(f.response.reason, "key.scope");
    assert_string_equal(post_as("both", "/api/publish", "{\"channel\":\"hist:b\",\"data\":1}"),
                        "{\"error\":{\"code\":103,\"message\":\"permission denied: channels of the "
                        "key both in pushd.api_keys do not cover \\\"hist:b\\\"\"}}");
    assert_int_equal(status, 403);
    assert_string_equal(f.response.reason, "key.channel");
    assert_non_null(
        strstr(post_as("vice", "/api/disconnect", "{\"user\":\"u\"}"), "all channels of a user"));
    post_as("vice", "/api/unsubscribe", "{\"user\":\"u\"}"); /* of no channel */
    assert_int_equal(status, 403);
    char key[] = "HTTP_X_API_KEY=reader-0123456789";
    char mode[] = "HTTP_X_CENTRIFUGO_ERROR_MODE=transport";
    char *variables[] = {key, mode, NULL};
    assert_int_equal(
        fcgi_call(&f, "POST", "/api/publish", "{\"channel\":\"a\",\"data\":1}", variables), 403);
    assert_ptr_equal(strstr(fcgi_body(&f), "{\"code\":103,"), fcgi_body(&f));
    post_as("nobody", "/api/publish", "{\"channel\":\"a\",\"data\":1}");
    assert_int_equal(status, 401);
}

static void several_channels_are_looked_at_one_by_one(void **state)
{
    (void)state;
    const char *body = post_as(
        "both", "/api/broadcast",
        "{\"channels\":[\"hist:a\",\"hist:b\",\"news:no\",\"\",\"newsy\",\"x\"],\"data\":1}");
    const char *const order[] = {
        "{\"result\":{\"offset\":", "\"code\":103,", "hist:b", "\"code\":102,", "\"code\":103,",
        "{\"result\":{}}",          "\"code\":103,"};
    assert_int_equal(status, 200);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        body = strstr(body, order[i]);
        assert_non_null(body);
        body++;
    }
    assert_non_null(
        strstr(post_as("boss", "/api/history", "{\"channel\":\"hist:b\"}"), "\"offset\":0"));
}

static void a_batch_and_lines_refuse_command_by_command(void **state)
{
    (void)state;
    const char *body =
        post_as("both", "/api/batch",
                "{\"commands\":[{\"publish\":{\"channel\":\"hist:a\",\"data\":1}},"
                "{\"publish\":{\"channel\":\"hist:b\",\"data\":1}},"
                "{\"presence_stats\":{\"channel\":\"hist:a\"}},{\"presence\":{\"channel\":\"x\"}},"
                "{\"refresh\":{\"user\":\"u\"}},{\"publish\":{\"channel\":\"news\",\"data\":1}}]}");
    const char *const order[] = {"{\"publish\":{\"offset\":", "{\"error\":{\"code\":103,",
                                 "{\"presence_stats\":",      "{\"error\":{\"code\":103,",
                                 "{\"error\":{\"code\":103,", "{\"publish\":{}}"};
    assert_int_equal(status, 200);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        body = strstr(body, order[i]);
        assert_non_null(body);
        body++;
    }
    body = post_as("writer", "/api",
                   "{\"id\":1,\"method\":\"publish\",\"params\":{\"channel\":\"a\",\"data\":1}}"
                   "{\"id\":2,\"method\":\"presence\",\"params\":{\"channel\":\"hist:a\"}}");
    assert_int_equal(status, 200);
    assert_ptr_equal(strstr(body, "{\"id\":1,\"result\":{}}\n{\"id\":2,\"error\":{\"code\":103,"),
                     body);
}

/* The id of the next survey about channels; the registry's first survey is passed over. */
static uint64_t next_survey(redisContext *node)
{
    for (;;) {
        redisReply *asked = NULL;
        struct arena a = {0};
        struct control_command cmd;
        assert_int_equal(redisGetReply(node, (void **)&asked), REDIS_OK);
        struct span payload = span_of(asked->element[2]->str, asked->element[2]->len);
        assert_int_equal(schema_pb_decode(&control_command_schema, payload, &a, &cmd, NULL), 0);
        bool is_it = cmd.survey_request != NULL && span_eq_str(cmd.survey_request->op, "channels");
        uint64_t id = is_it ? cmd.survey_request->id : 0;
        arena_fini(&a);
        freeReplyObject(asked);
        if (is_it) {
            return id;
        }
    }
}

/* Answers it as a node with these channels would. */
static void answer_survey(redisContext *node, redisContext *speaker)
{
    struct channel_info two = {.num_clients = 2};
    struct kv_msg items[] = {
        {SPAN("hist:a1"), &two}, {SPAN("hist:b"), &two}, {SPAN("newsy"), &two}};
    struct channels_answer channels = {.channels = {items, ARRAY_LEN(items)}};
    struct buf data = {0};
    schema_pb_encode(&channels_answer_schema, &channels, &data);
    struct survey_response answer = {.id = next_survey(node), .data = buf_span(&data)};
    struct buf b = {0};
    schema_pb_encode(&control_command_schema,
                     &(struct control_command){.uid = SPAN("n1"), .survey_response = &answer}, &b);
    freeReplyObject(redisCommand(speaker, "PUBLISH centrifugo.node.%s %b", f.api.uid, b.p, b.n));
    buf_free(&b);
    buf_free(&data);
}

struct caller {
    pthread_t thread;
    const char *key;
};

static void *call_channels(void *arg)
{
    post_as(((struct caller *)arg)->key, "/api/channels", "{}");
    return NULL;
}

/* Calls channels and answers as a node; false when the machine kept us from it for so long that the
 * call may have gone on without us. */
static bool channels_in_time(const char *key, redisContext *node, redisContext *speaker)
{
    struct caller caller = {.key = key};
    int64_t start = clk_mono_ms();
    assert_int_equal(pthread_create(&caller.thread, NULL, call_channels, &caller), 0);
    answer_survey(node, speaker);
    pthread_join(caller.thread, NULL);
    return clk_mono_ms() - start < WAIT_MS;
}

static void a_limited_key_sees_its_channels_only(void **state)
{
    static const struct {
        const char *key;
        const char *answer;
    } rows[] = {
        {"reader", "{\"result\":{\"channels\":{\"hist:a1\":{\"num_clients\":2},\"hist:b\":{\"num_"
                   "clients\":2},\"newsy\":{\"num_clients\":2}}}}"},
        {"both", "{\"result\":{\"channels\":{\"hist:a1\":{\"num_clients\":2},\"newsy\":{\"num_"
                 "clients\":2}}}}"},
        {"vice", "{\"result\":{\"channels\":{\"hist:a1\":{\"num_clients\":2}}}}"},
    };
    struct err e;
    (void)state;
    redisContext *node = redis_server_connect(&server);
    redisContext *speaker = redis_server_connect(&server);
    assert_int_equal(registry_start(f.api.registry, &e), 0);
    while (!registry_is_up(f.api.registry)) {
        poll(NULL, 0, 2);
    }
    struct node_ping p = {.uid = SPAN("n1"), .name = SPAN("n"), .version = SPAN("1")};
    struct buf b = {0};
    schema_pb_encode(&control_command_schema,
                     &(struct control_command){.uid = SPAN("n1"), .node = &p}, &b);
    freeReplyObject(redisCommand(node, "SUBSCRIBE centrifugo.control"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int attempts = 10;
        do {
            registry_handle(f.api.registry, buf_span(&b)); /* it lives on */
            assert_true(attempts-- > 0);
        } while (!channels_in_time(rows[i].key, node, speaker));
        assert_string_equal(fcgi_body(&f), rows[i].answer);
    }
    buf_free(&b);
    redisFree(node);
    redisFree(speaker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_scope_has_its_methods),
        cmocka_unit_test(a_refusal_says_what_is_missing_but_not_the_key),
        cmocka_unit_test(several_channels_are_looked_at_one_by_one),
        cmocka_unit_test(a_batch_and_lines_refuse_command_by_command),
        cmocka_unit_test(a_limited_key_sees_its_channels_only),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
