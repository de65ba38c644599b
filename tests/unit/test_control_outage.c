/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread when Redis dies, hangs, or is missing: every request is answered in time, and
 * service resumes. */
#include "tests/unit/control_fixture.h"

#include <stdio.h>

#define RESUME_MS 2000 /* service is back this soon after Redis */
#define ANSWER_MS 1200 /* a request is answered within its deadline of one second */

/* Asks for everything at once and expects every answer in time. */
static void ask_everything(struct ask *asks, size_t n)
{
    static const enum bus_kind kinds[] = {BUS_SUBSCRIBE,      BUS_PUBLISH,      BUS_HISTORY,
                                          BUS_PRESENCE_ADD,   BUS_PRESENCE_GET, BUS_PRESENCE_STATS,
                                          BUS_PRESENCE_REMOVE};
    for (size_t i = 0; i < n; i++) {
        char channel[32];
        snprintf(channel, sizeof(channel), "x%zu", i);
        post(kinds[i % ARRAY_LEN(kinds)], channel, (uint16_t)(i % WORKERS), &asks[i]);
    }
}

static bool all_done(const struct ask *asks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!asks[i].done) {
            return false;
        }
    }
    return true;
}

enum {
    ASKS = 700
};
static struct ask asks[ASKS];

static int64_t slowest(void)
{
    int64_t ms = 0;
    for (size_t i = 0; i < ASKS; i++) {
        ms = asks[i].took_ms > ms ? asks[i].took_ms : ms;
    }
    return ms;
}

static void assert_service_resumes(void)
{
    int64_t since = clk_mono_ms();
    int64_t lost = bystander_lost_ms();
    RUN_UNTIL(control_redis_state(control) == CONTROL_REDIS_READY, RESUME_MS);
    RUN_UNTIL(outside("PUBSUB NUMSUB p.client.news") == 1, RESUME_MS);
    assert_int_equal(run(BUS_PUBLISH, "back").error, 0);
    unsigned before = got.messages[0];
    publish_one("p.client.news");
    RUN_UNTIL(got.messages[0] == before + 1, RESUME_MS);
    printf("resumed after %d ms\n", (int)(clk_mono_ms() - since));
    assert_true(clk_mono_ms() - since <= RESUME_MS + bystander_slack_ms(lost));
}

static void killed_redis_fails_fast_and_comes_back(void **state)
{
    (void)state;
    assert_int_equal(subscribe("news", 0), 0);
    for (int round = 0; round < 3; round++) {
        struct ask settle;
        post(BUS_SETTLE, "news", 0, &settle);
        ask_everything(asks, ASKS); /* under way when it dies */
        redis_server_kill(&server);
        RUN_UNTIL(settle.done, ANSWER_MS);
        assert_int_equal(settle.error, ERR_UNAVAILABLE);
        RUN_UNTIL(all_done(asks, ASKS), ANSWER_MS);
        RUN_UNTIL(control_redis_state(control) == CONTROL_REDIS_DOWN, ANSWER_MS);
        int64_t lost = bystander_lost_ms();
        ask_everything(asks, ASKS);
        RUN_UNTIL(all_done(asks, ASKS), ANSWER_MS);
        assert_true(slowest() < 500 + bystander_slack_ms(lost));
        for (size_t i = 0; i < ASKS; i++) {
            assert_int_equal(asks[i].error, ERR_UNAVAILABLE);
        }
        assert_int_equal(subscribe("news", 1), 0); /* the node has it already */
        redis_server_restart(&server);
        assert_service_resumes();
        unsubscribe("news", 1);
    }
}

static void frozen_redis_times_out_and_comes_back(void **state)
{
    (void)state;
    assert_int_equal(subscribe("news", 0), 0);
    redis_server_freeze(&server, true);
    ask_everything(asks, ASKS);
    RUN_UNTIL(all_done(asks, ASKS), ANSWER_MS);
    for (size_t i = 0; i < ASKS; i++) {
        assert_int_equal(asks[i].error, ERR_TIMEOUT);
    }
    int64_t since = clk_mono_ms();
    RUN_UNTIL(strstr(control_redis_at(control, 0).error, "sign of life") != NULL, 6000);
    printf("silence noticed after %d ms, slowest answer %d ms\n", (int)(clk_mono_ms() - since),
           (int)slowest());
    ask_everything(asks, ASKS);
    RUN_UNTIL(all_done(asks, ASKS), ANSWER_MS);
    redis_server_freeze(&server, false);
    assert_service_resumes();
}

static void short_freeze_only_delays(void **state)
{
    (void)state;
    assert_int_equal(subscribe("news", 0), 0);
    redis_server_freeze(&server, true);
    ask_everything(asks, ASKS);
    ev_run(loop, EVRUN_ONCE);
    redis_server_freeze(&server, false);
    RUN_UNTIL(all_done(asks, ASKS), LONG_MS);
    for (size_t i = 0; i < ASKS; i++) {
        assert_int_equal(asks[i].error, 0);
    }
}

static void lost_subscriptions_are_made_again(void **state)
{
    (void)state;
    enum {
        CHANNELS = 6000
    };
    static struct ask many[CHANNELS];
    for (size_t i = 0; i < CHANNELS; i++) {
        char channel[32];
        snprintf(channel, sizeof(channel), "c%zu", i);
        post(BUS_SUBSCRIBE, channel, (uint16_t)(i % WORKERS), &many[i]);
    }
    RUN_UNTIL(all_done(many, CHANNELS), LONG_MS);
    assert_int_equal(control_channel_count(control), CHANNELS);
    assert_int_equal(subscribe("news", 0), 0);
    outside("CLIENT KILL TYPE pubsub");
    RUN_UNTIL(outside("PUBSUB CHANNELS p.client.*") == CHANNELS + 1, RESUME_MS);
    /* Who had a channel is told, because publications may have been missed. */
    RUN_UNTIL(got.resumed == CHANNELS + 1, LONG_MS);
    publish_one("p.client.c5999");
    RUN_UNTIL(total() == 1, LONG_MS);
}

static void redis_may_be_missing_at_the_start(void **state)
{
    (void)state;
    RUN_UNTIL(reported, LONG_MS);
    assert_int_equal(control_redis_state(control), CONTROL_REDIS_DOWN);
    char want[160];
    snprintf(want, sizeof(want), "dial unix %s: connect: no such file or directory", server.socket);
    assert_string_equal(control_redis_at(control, 0).error, want);
    ask_everything(asks, ASKS);
    RUN_UNTIL(all_done(asks, ASKS), ANSWER_MS);
    redis_server_restart(&server);
    RUN_UNTIL(control_redis_state(control) == CONTROL_REDIS_READY, RESUME_MS);
    assert_int_equal(run(BUS_PUBLISH, "back").error, 0);
}

int main(void)
{
    if (!control_test_begin()) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        CONTROL_TEST(killed_redis_fails_fast_and_comes_back),
        CONTROL_TEST_USUAL(frozen_redis_times_out_and_comes_back),
        CONTROL_TEST(short_freeze_only_delays),
        CONTROL_TEST(lost_subscriptions_are_made_again),
        cmocka_unit_test_setup_teardown(redis_may_be_missing_at_the_start,
                                        control_setup_without_redis, control_teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    control_test_end();
    return failed;
}
