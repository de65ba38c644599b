/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread with two Redis: each holds its own channels, and one that dies takes nothing
 * else with it. "first" and "second" name the Redis, FIRST and SECOND channels of theirs. */
#include "tests/unit/control_fixture.h"

#include <poll.h>

#define FIRST     "chat:index"
#define SECOND    "test"
#define RESUME_MS 2000

static int64_t answer_ms; /* the longest of a healthy shard */

static struct ask ask(enum bus_kind kind, const char *channel)
{
    struct ask a = run(kind, channel);
    if (a.error == 0) {
        answer_ms = a.took_ms > answer_ms ? a.took_ms : answer_ms;
    }
    return a;
}

static void everything_of_a_channel_is_on_its_shard(void **state)
{
    (void)state;
    assert_int_equal(control_redis_count(control), 2);
    assert_int_equal(subscribe(FIRST, 0), 0);
    assert_int_equal(subscribe(SECOND, 1), 0);
    assert_int_equal(outside("PUBSUB NUMSUB p.client." FIRST), 1);
    assert_int_equal(outside("PUBSUB NUMSUB p.client." SECOND), 0);
    assert_int_equal(outside_at(&second_server, "PUBSUB NUMSUB p.client." SECOND), 1);
    assert_int_equal(outside_at(&second_server, "PUBSUB NUMSUB p.client." FIRST), 0);
    assert_int_equal(run(BUS_PUBLISH, FIRST).error, 0);
    assert_int_equal(run(BUS_PUBLISH, SECOND).offset, 1);
    RUN_UNTIL(got.messages[0] == 1 && got.messages[1] == 1, LONG_MS);
    assert_int_equal(run(BUS_PRESENCE_ADD, SECOND).error, 0);
    assert_int_equal(run(BUS_PRESENCE_GET, SECOND).found, 1);
    assert_int_equal(run(BUS_HISTORY, SECOND).found, 1);
    assert_int_equal(
        outside("EXISTS p.stream." FIRST " p.stream." SECOND " p.presence.data." SECOND), 1);
    assert_int_equal(outside_at(&second_server, "EXISTS p.stream." FIRST " p.stream." SECOND
                                                " p.presence.data." SECOND),
                     2);
}

static void both_are_listened_to_by_the_cluster(void **state)
{
    (void)state;
    assert_int_equal(outside("PUBSUB NUMSUB p.control"), 1);
    assert_int_equal(outside_at(&second_server, "PUBSUB NUMSUB p.control"), 1);
    assert_int_equal(outside("PUBSUB NUMSUB p.shard.0"), 1);
    assert_int_equal(outside_at(&second_server, "PUBSUB NUMSUB p.shard.0"), 1);
}

static void lose_second(void)
{
    RUN_UNTIL(control_redis_state(control) == CONTROL_REDIS_PARTLY_DOWN, LONG_MS);
    assert_int_equal(control_redis_at(control, 0).state, CONTROL_REDIS_READY);
    assert_int_equal(control_redis_at(control, 1).state, CONTROL_REDIS_DOWN);
    assert_string_equal(control_redis_at(control, 1).address, second_server.socket);
    assert_string_not_equal(control_redis_at(control, 1).error, "");
    answer_ms = 0;
    int64_t lost = bystander_lost_ms();
    unsigned before = got.messages[0];
    assert_int_equal(subscribe("b", 3), 0);
    assert_int_equal(ask(BUS_PUBLISH, FIRST).error, 0);
    assert_int_equal(ask(BUS_HISTORY, FIRST).error, 0);
    assert_int_equal(ask(BUS_PRESENCE_ADD, FIRST).error, 0);
    publish_one("p.client." FIRST);
    RUN_UNTIL(got.messages[0] == before + 2, LONG_MS);
    assert_true(answer_ms < 500 + bystander_slack_ms(lost));
    assert_int_equal(run(BUS_PUBLISH, SECOND).error, ERR_UNAVAILABLE);
    assert_int_equal(run(BUS_HISTORY, SECOND).error, ERR_UNAVAILABLE);
    assert_int_equal(subscribe("a", 0), ERR_UNAVAILABLE); /* a channel of the second */
    assert_int_equal(subscribe(SECOND, 2), 0);            /* the node has it already */
    assert_int_equal(got.resumed, 0);
}

static void regain_second(void)
{
    RUN_UNTIL(control_redis_state(control) == CONTROL_REDIS_READY, RESUME_MS);
    RUN_UNTIL(outside_at(&second_server, "PUBSUB NUMSUB p.client." SECOND) == 1, RESUME_MS);
    RUN_UNTIL(got.resumed == 2, LONG_MS); /* the two workers of SECOND, nobody else */
    assert_int_equal(run(BUS_PUBLISH, SECOND).error, 0);
    RUN_UNTIL(got.messages[1] == 1 && got.messages[2] == 1, LONG_MS);
    assert_int_equal(subscribe("a", 0), 0);
}

static void a_killed_one_takes_only_its_channels(void **state)
{
    (void)state;
    assert_int_equal(subscribe(FIRST, 0), 0);
    assert_int_equal(subscribe(SECOND, 1), 0);
    redis_server_kill(&second_server);
    lose_second();
    redis_server_restart(&second_server);
    regain_second();
}

static void a_frozen_one_takes_only_its_channels(void **state)
{
    (void)state;
    struct ask late;
    struct ask never;
    assert_int_equal(subscribe(FIRST, 0), 0);
    assert_int_equal(subscribe(SECOND, 1), 0);
    redis_server_freeze(&second_server, true);
    post(BUS_PUBLISH, "a", 0, &late);
    post(BUS_SUBSCRIBE, "news", 0, &never);
    answer_ms = 0;
    int64_t lost = bystander_lost_ms();
    assert_int_equal(ask(BUS_PUBLISH, FIRST).error, 0);
    assert_int_equal(subscribe("c", 0), 0);
    assert_true(answer_ms < 500 + bystander_slack_ms(lost));
    RUN_UNTIL(late.done && never.done, USUAL_MS + 200);
    assert_int_equal(late.error, ERR_TIMEOUT);
    assert_int_equal(never.error, ERR_TIMEOUT);
    RUN_UNTIL(control_redis_at(control, 1).state == CONTROL_REDIS_DOWN, LONG_MS);
    assert_int_equal(control_redis_state(control), CONTROL_REDIS_PARTLY_DOWN);
    assert_int_equal(ask(BUS_PUBLISH, FIRST).error, 0);
    redis_server_freeze(&second_server, false);
    RUN_UNTIL(control_redis_state(control) == CONTROL_REDIS_READY, RESUME_MS + 4000);
    assert_int_equal(run(BUS_PUBLISH, SECOND).error, 0);
}

static bool has_message(const redisContext *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* Pings of a node come every 3 s; one of two Redis must not make them rarer. */
static void the_cluster_hears_us_by_way_of_the_other(void **state)
{
    (void)state;
    redis_server_kill(&second_server);
    RUN_UNTIL(control_redis_state(control) == CONTROL_REDIS_PARTLY_DOWN, LONG_MS);
    redisContext *c = redis_server_connect(&server);
    freeReplyObject(redisCommand(c, "SUBSCRIBE p.control"));
    for (int heard = 0; heard < 2; heard++) {
        void *reply = NULL;
        RUN_UNTIL(has_message(c), 4000);
        assert_int_equal(redisGetReply(c, &reply), REDIS_OK);
        freeReplyObject(reply);
    }
    redisFree(c);
    redis_server_restart(&second_server);
}

int main(void)
{
    if (!control_test_begin_two()) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        CONTROL_TEST(everything_of_a_channel_is_on_its_shard),
        CONTROL_TEST(both_are_listened_to_by_the_cluster),
        CONTROL_TEST(a_killed_one_takes_only_its_channels),
        CONTROL_TEST_USUAL(a_frozen_one_takes_only_its_channels),
        CONTROL_TEST(the_cluster_hears_us_by_way_of_the_other),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    control_test_end();
    return failed;
}
