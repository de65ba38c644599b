/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread while Redis is there: requests, messages, the cluster. */
#include "tests/unit/control_fixture.h"

/* ---- everyday ---- */

static void message_reaches_exactly_the_workers_that_subscribed(void **state)
{
    (void)state;
    static const uint16_t workers[] = {0, 63, 64, 69};
    for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
        assert_int_equal(subscribe("news", workers[i]), 0);
    }
    assert_int_equal(control_channel_count(control), 1);
    publish_outside("p.client.news",
                    "__p1:5:AbCd__\x22\x01"
                    "1",
                    16);
    RUN_UNTIL(total() == 4, LONG_MS);
    for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
        assert_int_equal(got.messages[workers[i]], 1);
    }
    assert_string_equal(got.last,
                        "{\"push\":{\"channel\":\"news\",\"pub\":{\"data\":1,\"offset\":5}}}");
    unsubscribe("news", 63);
    assert_int_equal(subscribe("other", 1), 0); /* behind it in the queue */
    publish_one("p.client.news");
    RUN_UNTIL(total() == 7, LONG_MS);
    assert_int_equal(got.messages[63], 1);
    publish_outside("p.client.news", "__broken", 8);
    publish_outside("p.client.news", "", 0);
    RUN_UNTIL(total() == 10, LONG_MS);
    assert_string_equal(got.last, "{\"push\":{\"channel\":\"news\",\"pub\":{}}}");
}

static void settling_is_answered_behind_what_was_published(void **state)
{
    (void)state;
    enum {
        EACH = 300
    };
    assert_int_equal(subscribe("news", 0), 0);
    struct ask early;
    struct ask late;
    for (unsigned i = 0; i < EACH; i++) {
        publish_one("p.client.news");
    }
    post(BUS_SETTLE, "news", 0, &early);
    ev_run(loop, EVRUN_NOWAIT); /* its mark is under way: the next one needs a mark of its own */
    for (unsigned i = 0; i < EACH; i++) {
        publish_one("p.client.news");
    }
    post(BUS_SETTLE, "news", 0, &late);
    RUN_UNTIL(early.done, LONG_MS);
    assert_int_equal(early.error, 0);
    assert_true(got.messages[0] >= EACH);
    RUN_UNTIL(late.done, LONG_MS);
    assert_int_equal(late.error, 0);
    assert_int_equal(got.messages[0], 2 * EACH);
}

static void channel_is_left_a_second_after_its_last_subscriber(void **state)
{
    (void)state;
    assert_int_equal(subscribe("news", 0), 0);
    unsubscribe("news", 0);
    assert_int_equal(subscribe("news", 1), 0);
    unsubscribe("news", 1);
    int64_t since = clk_mono_ms();
    RUN_UNTIL(control_channel_count(control) == 0, LONG_MS);
    assert_int_equal(outside("PUBSUB NUMSUB p.client.news"), 1);
    RUN_UNTIL(outside("PUBSUB NUMSUB p.client.news") == 0, LONG_MS);
    assert_true(clk_mono_ms() - since >= 1000);
    assert_int_equal(subscribe("news", 2), 0);
    publish_one("p.client.news");
    RUN_UNTIL(got.messages[2] == 1, LONG_MS);
}

static void unsubscribing_cancels_a_subscription_under_way(void **state)
{
    (void)state;
    struct ask first;
    struct ask second;
    post(BUS_SUBSCRIBE, "news", 3, &first);
    unsubscribe("news", 3);
    post(BUS_SUBSCRIBE, "news", 3, &second);
    RUN_UNTIL(first.done && second.done, LONG_MS);
    assert_int_equal(first.error, ERR_CANCELED);
    assert_int_equal(second.error, 0);
    publish_one("p.client.news");
    RUN_UNTIL(got.messages[3] == 1, LONG_MS);
}

static void requests_reach_redis_and_come_back(void **state)
{
    (void)state;
    assert_int_equal(run(BUS_PUBLISH, "h").offset, 1);
    assert_int_equal(run(BUS_PUBLISH, "h").offset, 2);
    struct ask a = run(BUS_HISTORY, "h");
    assert_int_equal(a.error, 0);
    assert_int_equal(a.offset, 2);
    assert_int_equal(a.found, 2);
    assert_int_equal(run(BUS_PRESENCE_ADD, "h").error, 0);
    assert_int_equal(run(BUS_PRESENCE_GET, "h").found, 1);
    assert_int_equal(run(BUS_PRESENCE_STATS, "h").stats.num_users, 1);
    assert_int_equal(run(BUS_PRESENCE_REMOVE, "h").error, 0);
    assert_int_equal(run(BUS_PRESENCE_STATS, "h").stats.num_clients, 0);
    assert_int_equal(subscribe("h", 0), 0);
    struct ask join;
    post(BUS_JOIN, "h", 0, &join);
    RUN_UNTIL(got.messages[0] == 1, LONG_MS);
    assert_string_equal(
        got.last,
        "{\"push\":{\"channel\":\"h\",\"join\":{\"info\":{\"user\":\"u\",\"client\":\"c\"}}}}");
}

/* How often Redis was asked to run a script. */
static long long scripts_run(void)
{
    return outside("EVAL return(tonumber(string.match(redis.call('INFO','commandstats'),"
                   "'cmdstat_evalsha:calls=(%%d+)')or'0')) 0");
}

static void equal_readings_of_a_turn_are_one_command(void **state)
{
    (void)state;
    assert_int_equal(run(BUS_PUBLISH, "h").offset, 1);
    outside("CONFIG RESETSTAT");
    struct ask a[6];
    /* The other one first: where both hash to one place, the later one has it. */
    for (uint16_t i = 0; i < ARRAY_LEN(a); i++) {
        post(BUS_HISTORY, i == 0 ? "other" : "h", i / 2, &a[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(a); i++) {
        RUN_UNTIL(a[i].done, LONG_MS);
        assert_int_equal(a[i].error, 0);
        assert_int_equal(a[i].offset, i == 0 ? 0 : 1);
        assert_int_equal(a[i].found, i == 0 ? 0 : 1);
    }
    assert_int_equal(scripts_run(), 2);
    assert_int_equal(run(BUS_PUBLISH, "h").offset, 2);
    outside("SCRIPT FLUSH");
    post(BUS_HISTORY, "h", 0, &a[0]);
    post(BUS_HISTORY, "h", 1, &a[1]);
    RUN_UNTIL(a[0].done && a[1].done, LONG_MS);
    assert_int_equal(a[0].found, 2);
    assert_int_equal(a[1].found, 2);
}

static void reading_that_is_under_way_is_not_shared(void **state)
{
    (void)state;
    assert_int_equal(run(BUS_HISTORY, "h").error, 0);
    outside("CONFIG RESETSTAT");
    struct ask first;
    struct ask second;
    post(BUS_HISTORY, "h", 0, &first);
    ev_run(loop, EVRUN_ONCE); /* taken, and hardly answered yet */
    post(BUS_HISTORY, "h", 0, &second);
    RUN_UNTIL(first.done && second.done, LONG_MS);
    assert_int_equal(scripts_run(), 2);
}

static void readings_that_differ_are_not_shared(void **state)
{
    (void)state;
    assert_int_equal(run(BUS_PUBLISH, "h").offset, 1);
    assert_int_equal(run(BUS_PUBLISH, "h").offset, 2);
    struct ask whole;
    struct ask since; /* 64: the same place among the recent calls */
    struct ask top;
    post(BUS_HISTORY, "h", 0, &whole);
    post_history("h", 0,
                 &(struct engine_history){.limit = -1, .has_since = true, .since.offset = 64},
                 &since);
    post_history("h", 1, &(struct engine_history){.limit = 0}, &top);
    RUN_UNTIL(whole.done && since.done && top.done, LONG_MS);
    assert_int_equal(whole.found, 2);
    assert_int_equal(since.found, 0);
    assert_int_equal(top.found, 0);
    assert_int_equal(top.offset, 2);
}

static void lost_scripts_are_sent_again(void **state)
{
    (void)state;
    assert_int_equal(run(BUS_PUBLISH, "h").offset, 1);
    outside("SCRIPT FLUSH");
    assert_int_equal(run(BUS_PUBLISH, "h").offset, 2);
}

static void error_answers_fail_the_request_alone(void **state)
{
    (void)state;
    outside("SET p.stream.meta.h x");
    assert_int_equal(run(BUS_HISTORY, "h").error, ERR_UNAVAILABLE);
    assert_int_equal(run(BUS_PUBLISH, "g").error, 0);
}

static void users_are_counted_once(void **state)
{
    (void)state;
    struct ask a;
    post(BUS_USER_ON, "", 0, &a);
    post(BUS_USER_ON, "", 1, &a);
    post(BUS_USER_OFF, "", 0, &a);
    RUN_UNTIL(control_user_count(control) == 1, LONG_MS);
    post(BUS_USER_OFF, "", 1, &a);
    RUN_UNTIL(control_user_count(control) == 0, LONG_MS);
}

/* ---- the cluster ---- */

static redisContext *listen_to(const char *channel)
{
    redisContext *c = redis_server_connect(&server);
    freeReplyObject(redisCommand(c, "SUBSCRIBE %s", channel));
    const struct timeval soon = {.tv_usec = 1000};
    redisSetTimeout(c, soon);
    return c;
}

/* Turns the loop until the listener has a message; decodes it into the arena. */
static struct control_command *hear(redisContext *c, struct arena *a)
{
    void *reply = NULL;
    int64_t end = clk_mono_ms() + LONG_MS;
    while (redisGetReply(c, &reply) != REDIS_OK) {
        assert_true(clk_mono_ms() < end);
        c->err = 0; /* only its time was up */
        ev_run(loop, EVRUN_ONCE);
    }
    const redisReply *payload = ((redisReply *)reply)->element[2];
    struct control_command *command = arena_alloc(a, sizeof(*command));
    assert_int_equal(schema_pb_decode(&control_command_schema,
                                      arena_dup(a, span_of(payload->str, (size_t)payload->len)), a,
                                      command, NULL),
                     0);
    freeReplyObject(reply);
    return command;
}

static void say(struct control_command *command)
{
    struct buf b = {0};
    command->uid = SPAN("peer");
    schema_pb_encode(&control_command_schema, command, &b);
    publish_outside("p.control", b.p, b.n);
    buf_free(&b);
}

static bool count_node(const struct control_node *node, void *arg)
{
    *(unsigned *)arg += node->is_self ? 1 : 10;
    return true;
}

static unsigned nodes(void)
{
    unsigned n = 0;
    control_each_node(control, count_node, &n);
    return n;
}

static void node_pings_and_greets_newcomers(void **state)
{
    (void)state;
    struct arena a = {0};
    redisContext *all = listen_to("p.control");
    redisContext *mine = listen_to("p.node.peer");
    struct control_command *c = hear(all, &a);
    assert_true(c->node != NULL && span_eq(c->uid, c->node->uid));
    assert_true(span_eq_str(c->node->name, "host_8000"));
    struct node_ping peer = {
        .uid = SPAN("peer"), .name = SPAN("n"), .version = SPAN("v"), .num_clients = 5};
    say(&(struct control_command){.node = &peer});
    assert_non_null(hear(mine, &a)->node);
    assert_int_equal(nodes(), 11);
    struct empty nothing = {0};
    say(&(struct control_command){.shutdown = &nothing});
    RUN_UNTIL(nodes() == 1, LONG_MS);
    redisFree(all);
    redisFree(mine);
    arena_fini(&a);
}

static void silent_node_is_forgotten_after_seven_seconds(void **state)
{
    (void)state;
    struct node_ping peer = {.uid = SPAN("peer")};
    say(&(struct control_command){.node = &peer});
    RUN_UNTIL(nodes() == 11, LONG_MS);
    int64_t since = clk_mono_ms();
    RUN_UNTIL(nodes() == 1, LONG_MS);
    assert_true(clk_mono_ms() - since >= 6900);
}

static const struct survey_response *ask_survey(redisContext *c, struct arena *a, uint64_t id,
                                                struct span op, struct span data)
{
    struct survey_request request = {.id = id, .op = op, .data = data};
    say(&(struct control_command){.survey_request = &request});
    const struct survey_response *r = hear(c, a)->survey_response;
    assert_non_null(r);
    assert_int_equal(r->id, id);
    return r;
}

static void every_survey_is_answered(void **state)
{
    (void)state;
    struct arena a = {0};
    redisContext *mine = listen_to("p.node.peer");
    assert_int_equal(ask_survey(mine, &a, 1, SPAN("nothing"), SPAN(""))->code, 3);
    assert_int_equal(ask_survey(mine, &a, 2, SPAN("channels"), SPAN("\xff"))->code, 2);
    assert_int_equal(ask_survey(mine, &a, 3, SPAN("channels"), SPAN("\x0a\x01["))->code, 2);
    const struct survey_response *r = ask_survey(mine, &a, 4, SPAN("channels"), SPAN(""));
    struct channels_answer answer;
    assert_int_equal(r->code, 0);
    assert_int_equal(schema_pb_decode(&channels_answer_schema, r->data, &a, &answer, NULL), 0);
    assert_int_equal(answer.channels.n, 2);
    const struct kv_msg *items = answer.channels.items;
    for (size_t i = 0; i < 2; i++) {
        const struct channel_info *info = items[i].msg;
        assert_int_equal(info->num_clients, span_eq_str(items[i].key, "news") ? 1 : 5);
    }
    redisFree(mine);
    arena_fini(&a);
}

static void commands_reach_every_worker_and_our_own_none(void **state)
{
    (void)state;
    struct control_node self;
    control_self(control, &self);
    struct control_disconnect d = {.user = SPAN("u"), .code = 3503};
    struct control_command own = {.uid = self.uid, .disconnect = &d};
    struct buf b = {0};
    schema_pb_encode(&control_command_schema, &own, &b);
    publish_outside("p.control", b.p, b.n);
    publish_outside("p.control", "\xff\xff", 2);
    publish_outside("p.control", "", 0);
    buf_free(&b);
    say(&(struct control_command){.disconnect = &d});
    RUN_UNTIL(got.commands == WORKERS, LONG_MS);
    struct control_refresh r = {.user = SPAN("u")};
    say(&(struct control_command){.refresh = &r});
    RUN_UNTIL(got.commands == 2 * WORKERS, LONG_MS);
}

static void stopping_says_goodbye_and_waits_for_the_workers(void **state)
{
    (void)state;
    struct arena a = {0};
    redisContext *all = listen_to("p.control");
    control_stop(control, LONG_MS, note_stopped, NULL);
    RUN_UNTIL(stopped, LONG_MS);
    while (hear(all, &a)->shutdown == NULL) {
    }
    redisFree(all);
    arena_fini(&a);
}

int main(void)
{
    if (!control_test_begin()) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        CONTROL_TEST(message_reaches_exactly_the_workers_that_subscribed),
        CONTROL_TEST(settling_is_answered_behind_what_was_published),
        CONTROL_TEST(channel_is_left_a_second_after_its_last_subscriber),
        CONTROL_TEST(unsubscribing_cancels_a_subscription_under_way),
        CONTROL_TEST(requests_reach_redis_and_come_back),
        CONTROL_TEST(equal_readings_of_a_turn_are_one_command),
        CONTROL_TEST(reading_that_is_under_way_is_not_shared),
        CONTROL_TEST(readings_that_differ_are_not_shared),
        CONTROL_TEST(lost_scripts_are_sent_again),
        CONTROL_TEST(error_answers_fail_the_request_alone),
        CONTROL_TEST(users_are_counted_once),
        CONTROL_TEST(node_pings_and_greets_newcomers),
        CONTROL_TEST(silent_node_is_forgotten_after_seven_seconds),
        CONTROL_TEST(every_survey_is_answered),
        CONTROL_TEST(commands_reach_every_worker_and_our_own_none),
        CONTROL_TEST(stopping_says_goodbye_and_waits_for_the_workers),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    control_test_end();
    return failed;
}
