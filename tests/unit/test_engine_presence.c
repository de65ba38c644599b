/* SPDX-License-Identifier: Apache-2.0 */
/* Presence against a real redis-server. */
#include "tests/unit/engine_fixture.h"

static void presence_do(bool add, const char *client, const char *user, int64_t now)
{
    const struct client_info info = {
        .user = span_str(user), .client = span_str(client), .conn_info = SPAN("{\"n\":1}")};
    struct engine_presence p = {.channel = SPAN("chat"),
                                .client = info.client,
                                .user = info.user,
                                .info = &info,
                                .now_s = now,
                                .use_eval = true};
    struct buf b = {0};
    if (add) {
        engine_presence_add_build(&engine, &p, &b);
    } else {
        engine_presence_remove_build(&engine, &p, &b);
    }
    redisReply *r = call(&b);
    struct err e = {0};
    if (engine_ok_read(r, &e) != 0) {
        fail_msg("%s", e.text);
    }
    freeReplyObject(r);
}

static void assert_presence(int64_t now, unsigned clients, unsigned users)
{
    const struct engine_presence p = {.channel = SPAN("chat"), .now_s = now, .use_eval = true};
    struct buf b = {0};
    struct presence_stats_result stats;
    engine_presence_stats_build(&engine, &p, &b);
    redisReply *r = call(&b);
    assert_int_equal(engine_presence_stats_read(&engine, r, &stats, NULL), 0);
    freeReplyObject(r);
    assert_int_equal(stats.num_clients, clients);
    assert_int_equal(stats.num_users, users);
    struct vec found;
    engine_presence_get_build(&engine, &p, &b);
    r = call(&b);
    assert_int_equal(engine_presence_get_read(r, &arena, &found, NULL), 0);
    freeReplyObject(r);
    assert_int_equal(found.n, clients);
    for (size_t i = 0; i < found.n; i++) {
        const struct kv_msg *entry = &((const struct kv_msg *)found.items)[i];
        const struct client_info *info = entry->msg;
        assert_true(span_eq(entry->key, info->client));
        assert_true(span_eq_str(info->conn_info, "{\"n\":1}"));
    }
}

static void presence_life(void)
{
    presence_do(true, "c1", "u1", 1000);
    presence_do(true, "c2", "u1", 1010);
    presence_do(true, "c3", "", 1020);
    presence_do(true, "c1", "u1", 1020);
    assert_presence(1020, 3, 2);
    presence_do(false, "c2", "u1", 0);
    presence_do(false, "c2", "u1", 0);
    assert_presence(1020, 2, 2);
    presence_do(false, "c1", "u1", 0);
    assert_presence(1020, 1, 1);
    assert_presence(1079, 1, 1);
    assert_presence(1080, 0, 0);
}

static void presence_entries_come_go_and_expire(void **state)
{
    (void)state;
    presence_do(true, "c1", "u1", 1000);
    assert_redis("ZSCORE centrifugo.presence.expire.chat c1", "1060");
    assert_redis("TTL centrifugo.presence.expire.chat", "60");
    assert_redis("TTL centrifugo.presence.data.chat", "60");
    assert_redis("HGETALL centrifugo.presence.data.chat", "[c1 \x0a\x02u1\x12\x02"
                                                          "c1\x1a\x07{\"n\":1}]");
    assert_redis("DBSIZE", "2");
    presence_life();
}

static void presence_can_count_users(void **state)
{
    (void)state;
    conf.engine.redis.presence_user_mapping = true;
    engine_init(&engine, &conf);
    presence_do(true, "c1", "u1", 1000);
    presence_do(true, "c2", "u1", 1000);
    assert_redis("HGETALL centrifugo.presence.user.clients.chat", "[u1 2]");
    assert_redis("ZSCORE centrifugo.presence.user.expire.chat u1", "1060");
    assert_redis("TTL centrifugo.presence.user.clients.chat", "60");
    presence_do(false, "c2", "u1", 0);
    presence_do(false, "c1", "u1", 0);
    assert_redis("DBSIZE", "0");
    presence_life();
}

static void presence_of_another_node_is_read(void **state)
{
    (void)state;
    freeReplyObject(redisCommand(redis, "HSET centrifugo.presence.data.chat c1 %b",
                                 "\x0a\x02"
                                 "42\x12\x02"
                                 "c1\x1a\x07{\"n\":1}",
                                 (size_t)17));
    freeReplyObject(redisCommand(redis, "ZADD centrifugo.presence.expire.chat 2000 c1"));
    freeReplyObject(redisCommand(redis, "HSET centrifugo.presence.data.chat c2 %b",
                                 "\x12\x02"
                                 "c2",
                                 (size_t)4));
    freeReplyObject(redisCommand(redis, "ZADD centrifugo.presence.expire.chat 900 c2"));
    assert_presence(1000, 1, 1);
    assert_redis("HLEN centrifugo.presence.data.chat", "1");
}

int main(void)
{
    if (!engine_test_begin()) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(presence_entries_come_go_and_expire),
        ENGINE_TEST(presence_can_count_users),
        ENGINE_TEST(presence_of_another_node_is_read),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    engine_test_end();
    return failed;
}
