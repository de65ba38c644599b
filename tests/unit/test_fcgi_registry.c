/* SPDX-License-Identifier: Apache-2.0 */
/* What push-api learns about nodes, and surveys. */
#include "tests/unit/unit.h"

#include "common/base/clk.h"
#include "common/protocol/control.h"
#include "tests/unit/fcgi_fixture.h"
#include "tests/unit/redis_server.h"

#include <stdio.h>
#include <unistd.h>

static const char config[] = "{\"http_api\":{\"key\":\"key\"}}";
static struct fcgi_fixture f;

static void hear(struct control_command *cmd)
{
    struct buf b = {0};
    schema_pb_encode(&control_command_schema, cmd, &b);
    registry_handle(f.api.registry, buf_span(&b));
    buf_free(&b);
}

static void ping(const char *uid, const char *name, uint32_t clients)
{
    struct node_ping p = {
        .uid = span_str(uid),
        .name = span_str(name),
        .version = SPAN("1"),
        .num_clients = clients,
        .num_users = 1,
        .num_channels = 2,
        .num_subs = 3,
    };
    hear(&(struct control_command){.uid = span_str(uid), .node = &p});
}

static void answer(const char *uid, uint64_t id, uint32_t code, struct span data)
{
    struct survey_response a = {.id = id, .code = code, .data = data};
    hear(&(struct control_command){.uid = span_str(uid), .survey_response = &a});
}

static int set_up(void **state)
{
    (void)state;
    fcgi_fixture_open(&f, config, NULL);
    registry_set_up(f.api.registry, 0, true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clk_fake(-1, -1);
    fcgi_fixture_close(&f);
    return 0;
}

static void pings_become_nodes_sorted_by_uid(void **state)
{
    (void)state;
    ping("b", "second", 5);
    ping("a", "first", 1);
    ping("b", "second", 6);
    assert_string_equal(fcgi_post(&f, "/api/info", "{}"),
                        "{\"result\":{\"nodes\":[{\"uid\":\"a\",\"name\":\"first\",\"version\":"
                        "\"1\",\"num_clients\":1,\"num_users\":1,"
                        "\"num_channels\":2,\"num_subs\":3},{\"uid\":\"b\",\"name\":\"second\","
                        "\"version\":\"1\",\"num_clients\":6,"
                        "\"num_users\":1,\"num_channels\":2,\"num_subs\":3}]}}");
    assert_non_null(
        strstr(fcgi_post(&f, "/api/stats", "{}"),
               "],\"num_clients\":7,\"num_users\":2,\"num_channels\":4,\"num_nodes\":2}}"));
}

static void metrics_stay_until_new_ones_come(void **state)
{
    struct kv_dbl items[] = {{SPAN("x"), 1.5}, {SPAN("b"), 2}};
    struct node_metrics m = {.interval = 60, .items = {items, 2}};
    struct node_ping p = {.uid = SPAN("a"), .name = SPAN("n"), .version = SPAN("1"), .metrics = &m};
    (void)state;
    hear(&(struct control_command){.uid = SPAN("a"), .node = &p});
    ping("a", "n", 2);
    assert_non_null(strstr(fcgi_post(&f, "/api/info", "{}"),
                           "\"metrics\":{\"interval\":60,\"items\":{\"b\":2,\"x\":1.5}}"));
}

static void a_shutdown_removes_a_node_at_once(void **state)
{
    struct empty nothing = {0};
    (void)state;
    ping("a", "n", 1);
    ping("b", "n", 1);
    hear(&(struct control_command){.uid = SPAN("a"), .shutdown = &nothing});
    hear(&(struct control_command){.uid = SPAN("z"), .shutdown = &nothing});
    assert_non_null(strstr(fcgi_post(&f, "/api/stats", "{}"), "\"num_nodes\":1}"));
}

static void a_silent_node_is_forgotten_but_not_while_we_are_deaf(void **state)
{
    (void)state;
    clk_fake(1000000, -1);
    registry_set_up(f.api.registry, 0, false);
    registry_set_up(f.api.registry, 0, true);
    ping("a", "n", 1);
    clk_fake(1006000, -1);
    ping("b", "n", 1);
    clk_fake(1007500, -1);
    assert_non_null(strstr(fcgi_post(&f, "/api/stats", "{}"), "\"num_nodes\":1}"));
    registry_set_up(f.api.registry, 0, false);
    clk_fake(1020000, -1);
    assert_non_null(strstr(fcgi_post(&f, "/api/stats", "{}"), "\"code\":100"));
    registry_set_up(f.api.registry, 0, true);
    clk_fake(1021000, -1);
    assert_non_null(strstr(fcgi_post(&f, "/api/stats", "{}"), "\"num_nodes\":1}"));
}

static void own_and_malformed_messages_are_ignored(void **state)
{
    (void)state;
    ping(f.api.uid, "self", 1);
    registry_handle(f.api.registry, SPAN("\xff\xff\xff"));
    registry_handle(f.api.registry, SPAN(""));
    ping("", "nobody", 1);
    assert_string_equal(fcgi_post(&f, "/api/info", "{}"), "{\"result\":{\"nodes\":[]}}");
}

struct seen {
    int count;
    uint32_t code_sum;
};

static void count_answer(uint32_t code, struct span data, void *arg)
{
    struct seen *s = arg;
    (void)data;
    s->count++;
    s->code_sum += code;
}

static void a_survey_is_complete_when_all_nodes_answered(void **state)
{
    struct survey s;
    struct seen seen = {0};
    struct registry *r = f.api.registry;
    (void)state;
    ping("a", "n", 1);
    ping("b", "n", 1);
    assert_int_equal(registry_survey_begin(r, &s), 0);
    assert_int_equal(registry_survey_collect(r, &s, clk_mono_ms() + 20, count_answer, &seen),
                     ERR_TIMEOUT);
    answer("a", s.id, 0, SPAN("x"));
    answer("a", s.id, 5, SPAN("twice"));
    answer("a", s.id + 1, 5, SPAN("another survey's"));
    int64_t start = clk_mono_ms();
    assert_int_equal(registry_survey_collect(r, &s, start + 20, count_answer, &seen), 0);
    assert_true(clk_mono_ms() >= start + 20);
    assert_int_equal(seen.count, 1); /* without the silent one */
    seen.count = 0;
    answer("b", s.id, 3, SPAN(""));
    assert_int_equal(registry_survey_collect(r, &s, clk_mono_ms() + 1000, count_answer, &seen), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.code_sum, 3);
    registry_survey_end(r, &s);
    answer("b", s.id, 0, SPAN("late"));
}

static void a_node_that_leaves_is_not_waited_for(void **state)
{
    struct survey s;
    struct seen seen = {0};
    struct empty nothing = {0};
    (void)state;
    ping("a", "n", 1);
    ping("b", "n", 1);
    assert_int_equal(registry_survey_begin(f.api.registry, &s), 0);
    answer("a", s.id, 0, SPAN("x"));
    hear(&(struct control_command){.uid = SPAN("b"), .shutdown = &nothing});
    assert_int_equal(
        registry_survey_collect(f.api.registry, &s, clk_mono_ms() + 1000, count_answer, &seen), 0);
    assert_int_equal(seen.count, 1);
    registry_survey_end(f.api.registry, &s);
}

static void a_lost_subscriber_ends_surveys(void **state)
{
    struct survey s;
    (void)state;
    ping("a", "n", 1);
    assert_int_equal(registry_survey_begin(f.api.registry, &s), 0);
    registry_set_up(f.api.registry, 0, false);
    assert_int_equal(
        registry_survey_collect(f.api.registry, &s, clk_mono_ms() + 1000, count_answer, NULL),
        ERR_UNAVAILABLE);
    registry_survey_end(f.api.registry, &s);
    assert_int_equal(registry_survey_begin(f.api.registry, &s), ERR_UNAVAILABLE);
}

/* The thread and the whole way of a survey, with a node that is played by the test. */
static void channels_asks_the_nodes_over_redis(void **state)
{
    struct redis_server server;
    struct err e;
    (void)state;
    if (!redis_server_start(&server)) {
        skip();
    }
    struct fcgi_fixture g;
    fcgi_fixture_open(&g, config, server.socket);
    redisContext *node = redis_server_connect(&server);
    redisContext *speaker = redis_server_connect(&server);
    freeReplyObject(redisCommand(node, "SUBSCRIBE centrifugo.control"));
    assert_int_equal(registry_start(g.api.registry, &e), 0);
    registry_wait_first(g.api.registry, 5000);
    assert_true(registry_is_up(g.api.registry));

    redisReply *hello = NULL;
    struct arena a = {0};
    struct control_command cmd;
    assert_int_equal(redisGetReply(node, (void **)&hello), REDIS_OK);
    assert_int_equal(schema_pb_decode(&control_command_schema,
                                      span_of(hello->element[2]->str, hello->element[2]->len), &a,
                                      &cmd, NULL),
                     0);
    assert_non_null(cmd.survey_request);
    assert_true(span_eq_str(cmd.uid, g.api.uid));

    struct node_ping p = {
        .uid = SPAN("n1"), .name = SPAN("node"), .version = SPAN("1"), .num_clients = 4};
    struct buf b = {0};
    schema_pb_encode(&control_command_schema,
                     &(struct control_command){.uid = SPAN("n1"), .node = &p}, &b);
    freeReplyObject(redisCommand(speaker, "PUBLISH centrifugo.node.%s %b", g.api.uid, b.p, b.n));
    while (strstr(fcgi_post(&g, "/api/info", "{}"), "\"num_clients\":4") == NULL) {
    }
    freeReplyObject(hello);
    buf_free(&b);
    arena_fini(&a);
    redisFree(node);
    redisFree(speaker);
    int64_t start = clk_mono_ms();
    assert_non_null(
        strstr(fcgi_post(&g, "/api/channels", "{}"), "\"code\":100")); /* the node is silent */
    assert_true(clk_mono_ms() - start < 20000);
    fcgi_fixture_close(&g);
    redis_server_stop(&server);
}

/* How many Redis counts on the control channel once push-api listens, and whether it hears. */
static long long counted(const struct redis_server *server, const char *conf, const char *control)
{
    struct fcgi_fixture g;
    struct err e;
    fcgi_fixture_open(&g, conf, server->socket);
    assert_int_equal(registry_start(g.api.registry, &e), 0);
    registry_wait_first(g.api.registry, 5000);
    assert_true(registry_is_up(g.api.registry));
    struct node_ping p = {.uid = SPAN("n1"), .name = SPAN("node"), .version = SPAN("1")};
    struct buf b = {0};
    schema_pb_encode(&control_command_schema,
                     &(struct control_command){.uid = SPAN("n1"), .node = &p}, &b);
    redisContext *redis = redis_server_connect(server);
    freeReplyObject(redisCommand(redis, "PUBLISH %sx %b", control, b.p, b.n)); /* another channel */
    freeReplyObject(redisCommand(redis, "PUBLISH %s %b", control, b.p, b.n));
    while (strstr(fcgi_post(&g, "/api/info", "{}"), "\"name\":\"node\"") == NULL) {
    }
    redisReply *r = redisCommand(redis, "PUBSUB NUMSUB %s", control);
    long long n = r->element[1]->integer;
    freeReplyObject(r);
    redisFree(redis);
    buf_free(&b);
    fcgi_fixture_close(&g);
    return n;
}

static void push_api_is_not_counted_as_a_node(void **state)
{
    static const char odd[] =
        "{\"http_api\":{\"key\":\"key\"},\"engine\":{\"redis\":{\"prefix\":\"a*[b]?\"}}}";
    struct redis_server server;
    (void)state;
    if (!redis_server_start(&server)) {
        skip();
    }
    assert_int_equal(counted(&server, config, "centrifugo.control"), 0);
    assert_int_equal(counted(&server, odd, "a*[b]?.control"), 0);
    /* An ACL that names the channels by a pattern refuses patterns: counted, but not deaf. */
    redisContext *redis = redis_server_connect(&server);
    freeReplyObject(redisCommand(redis, "ACL SETUSER default resetchannels &centrifugo.*"));
    redisFree(redis);
    assert_int_equal(counted(&server, config, "centrifugo.control"), 1);
    redis_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pings_become_nodes_sorted_by_uid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metrics_stay_until_new_ones_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shutdown_removes_a_node_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_silent_node_is_forgotten_but_not_while_we_are_deaf,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(own_and_malformed_messages_are_ignored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_survey_is_complete_when_all_nodes_answered, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_node_that_leaves_is_not_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_subscriber_ends_surveys, set_up, tear_down),
        cmocka_unit_test(channels_asks_the_nodes_over_redis),
        cmocka_unit_test(push_api_is_not_counted_as_a_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
