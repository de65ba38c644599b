/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing and history against a real redis-server: what is stored, published and read back. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

#define PUB "\x22\x0e{\"input\":\"hi\"}\x48\x80\xd0\x95\xff\xbc\x31"

/* Publishes as a caller does: by digest, and by text when Redis does not know it. */
static struct engine_publish_result publish(struct engine_publish p)
{
    static char epoch[64];
    struct engine_publish_result out;
    struct buf b = {0};
    engine_publish_build(&engine, &p, &b);
    redisReply *r = call(&b);
    if (engine_is_noscript(r)) {
        freeReplyObject(r);
        p.use_eval = true;
        engine_publish_build(&engine, &p, &b);
        r = call(&b);
    }
    struct err e = {0};
    if (engine_publish_read(r, &p, &out, &e) != 0) {
        fail_msg("%s", e.text);
    }
    snprintf(epoch, sizeof(epoch), "%.*s", SPAN_FMT(out.position.epoch));
    out.position.epoch = span_str(epoch);
    freeReplyObject(r);
    return out;
}

static struct engine_history_result history(struct engine_history h, int want_rc)
{
    struct engine_history_result out;
    struct buf b = {0};
    h.channel = SPAN("chat");
    h.history_meta_ttl_s = 500;
    h.use_eval = true;
    engine_history_build(&engine, &h, &b);
    redisReply *r = call(&b);
    struct err e = {0};
    int rc = engine_history_read(&engine, r, &h, &arena, &out, &e);
    if (rc != want_rc) {
        fail_msg("%d: %s", rc, e.text);
    }
    freeReplyObject(r);
    return out;
}

static const struct engine_publish with_history = {
    .channel = {"chat", 4},
    .data = {"{\"input\":\"hi\"}", 14},
    .time_ms = 1700000000000,
    .history_size = 10,
    .history_ttl_s = 300,
    .history_meta_ttl_s = 2592000,
};

/* Redis-layout, section 18. */
static void frames_and_replies_are_those_of_the_vectors(void **state)
{
    (void)state;
    freeReplyObject(redisCommand(redis, "HSET centrifugo.stream.meta.chat e AbCdEfGh"));
    struct engine_publish p = with_history;
    struct engine_publish_result r = publish(p);
    assert_int_equal(r.position.offset, 1);
    assert_true(span_eq_str(r.position.epoch, "AbCdEfGh"));
    assert_false(r.suppressed_by_key || r.suppressed_by_version);
    ASSERT_PUBLISHED("__p1:1:AbCdEfGh__" PUB);

    p.delta = true;
    assert_int_equal(publish(p).position.offset, 2);
    ASSERT_PUBLISHED("__d1:2:AbCdEfGh:23:" PUB ":23:" PUB);

    p.delta = false;
    p.idempotency_key = SPAN("k1");
    assert_int_equal(publish(p).position.offset, 3);
    ASSERT_PUBLISHED("__p1:3:AbCdEfGh__" PUB);
    r = publish(p);
    assert_int_equal(r.position.offset, 3);
    assert_true(r.suppressed_by_key);
    assert_published(NULL, 0);
    assert_redis("HGETALL centrifugo.result.chat.k1", "[e AbCdEfGh s 3]");
    assert_redis("TTL centrifugo.result.chat.k1", "300");
    p.idempotency_key = (struct span){0};

    p.version = 5;
    assert_int_equal(publish(p).position.offset, 4);
    r = publish(p);
    assert_int_equal(r.position.offset, 4);
    assert_true(r.suppressed_by_version);
    p.version = 1;
    p.version_epoch = SPAN("x");
    assert_int_equal(publish(p).position.offset, 5);
    p.version_epoch = SPAN("");
    r = publish(p);
    assert_int_equal(r.position.offset, 5);
    assert_true(r.suppressed_by_version);

    assert_redis("HMGET centrifugo.stream.meta.chat e s v ve", "[AbCdEfGh 5 1 x]");
    assert_redis("TTL centrifugo.stream.meta.chat", "2592000");
    assert_redis("TTL centrifugo.stream.chat", "300");
    assert_redis("XLEN centrifugo.stream.chat", "5");
    assert_redis("XRANGE centrifugo.stream.chat - + COUNT 1", "[[1-0 [d " PUB "]]]");
}

static void first_delta_frame_has_no_previous_publication(void **state)
{
    (void)state;
    struct engine_publish p = with_history;
    p.delta = true;
    freeReplyObject(redisCommand(redis, "HSET centrifugo.stream.meta.chat e E"));
    publish(p);
    ASSERT_PUBLISHED("__d1:1:E:0::23:" PUB);
    freeReplyObject(redisCommand(redis, "DEL centrifugo.stream.chat"));
    publish(p);
    ASSERT_PUBLISHED("__d1:2:E:0::23:" PUB);
}

static void entries_of_a_lost_epoch_are_dropped(void **state)
{
    (void)state;
    publish(with_history);
    publish(with_history);
    freeReplyObject(redisCommand(redis, "DEL centrifugo.stream.meta.chat"));
    struct engine_publish_result r = publish(with_history);
    assert_int_equal(r.position.offset, 1);
    assert_int_equal(r.position.epoch.n, 8);
    assert_redis("XLEN centrifugo.stream.chat", "1");
}

static void stream_is_trimmed_exactly(void **state)
{
    (void)state;
    struct engine_publish p = with_history;
    p.history_size = 2;
    p.history_meta_ttl_s = 0;
    for (int i = 0; i < 5; i++) {
        publish(p);
    }
    assert_redis("XLEN centrifugo.stream.chat", "2");
    assert_redis("TTL centrifugo.stream.meta.chat", "-1");
}

static void large_offsets_keep_all_digits(void **state)
{
    (void)state;
    freeReplyObject(redisCommand(redis, "HSET centrifugo.stream.meta.chat e E s 999999999999998"));
    assert_int_equal(publish(with_history).position.offset, 999999999999999);
    ASSERT_PUBLISHED("__p1:999999999999999:E__" PUB);
    assert_int_equal(publish(with_history).position.offset, 1000000000000000);
    ASSERT_PUBLISHED("__p1:1000000000000000:E__" PUB);
    const struct engine_history_result h = history((struct engine_history){.limit = -1}, 0);
    assert_int_equal(((struct publication *)h.publications.items)[1].offset, 1000000000000000);
}

static void key_without_history_publishes_once(void **state)
{
    (void)state;
    struct engine_publish p = with_history;
    p.history_size = 0;
    p.idempotency_key = SPAN("k");
    assert_false(publish(p).suppressed_by_key);
    ASSERT_PUBLISHED(PUB);
    assert_true(publish(p).suppressed_by_key);
    assert_published(NULL, 0);
    assert_redis("HGETALL centrifugo.result.chat.k", "[e ]");
    assert_redis("TTL centrifugo.result.chat.k", "300");
    assert_redis("DBSIZE", "1");
}

static void result_of_another_node_is_used(void **state)
{
    (void)state;
    struct engine_publish p = with_history;
    freeReplyObject(redisCommand(redis, "HSET centrifugo.result.chat.k1 e AbCdEfGh s 7"));
    p.idempotency_key = SPAN("k1");
    struct engine_publish_result r = publish(p);
    assert_int_equal(r.position.offset, 7);
    assert_true(r.suppressed_by_key && span_eq_str(r.position.epoch, "AbCdEfGh"));
    assert_redis("DBSIZE", "1");
}

static const struct publication *publication_at(const struct engine_history_result *h, size_t i)
{
    assert_true(i < h->publications.n);
    return &((const struct publication *)h->publications.items)[i];
}

static void assert_offsets(const struct engine_history_result *h, const char *want)
{
    struct buf b = {0};
    for (size_t i = 0; i < h->publications.n; i++) {
        buf_addf(&b, "%s%llu", i > 0 ? " " : "", (unsigned long long)publication_at(h, i)->offset);
    }
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void read_of_a_fresh_channel_creates_its_epoch(void **state)
{
    (void)state;
    struct engine_history_result h = history((struct engine_history){.limit = 0}, 0);
    assert_int_equal(h.top.offset, 0);
    assert_int_equal(h.top.epoch.n, 8);
    assert_int_equal(h.publications.n, 0);
    assert_redis("HLEN centrifugo.stream.meta.chat", "1");
    assert_redis("TTL centrifugo.stream.meta.chat", "500");
    assert_redis("DBSIZE", "1");
}

/* Rows are the caller rules of redis-layout, section 4; the stream holds 3 to 6 in stream mode and
 * list mode alike. */
static const struct {
    struct engine_history h;
    const char *offsets;
} reads[] = {
    {{.limit = 0}, ""},
    {{.limit = -1}, "3 4 5 6"},
    {{.limit = 2}, "3 4"},
    {{.limit = 2, .reverse = true}, "6 5"},
    {{.limit = -1, .reverse = true}, "6 5 4 3"},
    {{.limit = -1, .has_since = true, .since = {.offset = 4}}, "5 6"},
    {{.limit = 1, .has_since = true, .since = {.offset = 4}}, "5"},
    {{.limit = -1, .has_since = true, .since = {.offset = 6}}, ""},
    {{.limit = -1, .has_since = true, .since = {.offset = 0}}, "3 4 5 6"},
    {{.limit = -1, .has_since = true, .since = {.offset = 99}}, ""},
    {{.limit = -1, .has_since = true, .since = {.offset = UINT64_MAX}}, ""},
    {{.limit = -1, .has_since = true, .since = {.offset = 5}, .reverse = true}, "4 3"},
    {{.limit = 1, .has_since = true, .since = {.offset = 5}, .reverse = true}, "4"},
    {{.limit = -1, .has_since = true, .since = {.offset = 1}, .reverse = true}, ""},
    {{.limit = 0, .has_since = true, .since = {.offset = 4}}, ""},
};

static void read_all_rows(void)
{
    struct engine_publish p = with_history;
    p.history_size = 4;
    for (int i = 0; i < 6; i++) {
        publish(p);
    }
    for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
        struct engine_history_result h = history(reads[i].h, 0);
        assert_int_equal(h.top.offset, 6);
        assert_offsets(&h, reads[i].offsets);
    }
    struct engine_history_result h = history((struct engine_history){.limit = 1}, 0);
    assert_true(span_eq_str(publication_at(&h, 0)->data, "{\"input\":\"hi\"}"));
    assert_int_equal(publication_at(&h, 0)->time, 1700000000000);
}

static void history_is_read_by_the_callers_rules(void **state)
{
    (void)state;
    read_all_rows();
}

static void lists_read_as_streams_do(void **state)
{
    (void)state;
    conf.engine.redis.history_use_lists = true;
    engine_init(&engine, &conf);
    read_all_rows();
    assert_redis("TTL centrifugo.list.meta.chat", "2592000");
    assert_redis("TTL centrifugo.list.chat", "300");
    assert_redis("LLEN centrifugo.list.chat", "4");
    assert_redis("HMGET centrifugo.list.meta.chat s v", "[6 nil]");
}

static void lists_are_framed_and_idempotent(void **state)
{
    (void)state;
    conf.engine.redis.history_use_lists = true;
    engine_init(&engine, &conf);
    freeReplyObject(redisCommand(redis, "HSET centrifugo.list.meta.chat e AbCdEfGh"));
    struct engine_publish p = with_history;
    p.idempotency_key = SPAN("k");
    assert_int_equal(publish(p).position.offset, 1);
    ASSERT_PUBLISHED("__p1:1:AbCdEfGh__" PUB);
    assert_true(publish(p).suppressed_by_key);
    assert_published(NULL, 0);
    assert_redis("LRANGE centrifugo.list.chat 0 -1", "[__p1:1:AbCdEfGh__" PUB "]");
    p.idempotency_key = (struct span){0};
    p.delta = true;
    assert_int_equal(publish(p).position.offset, 2);
    ASSERT_PUBLISHED("__d1:2:AbCdEfGh:23:" PUB ":23:" PUB);
}

static void foreign_epoch_is_unrecoverable_but_tells_the_top(void **state)
{
    (void)state;
    struct engine_publish_result r = publish(with_history);
    struct engine_history h = {
        .limit = -1, .has_since = true, .since = {.offset = 1, .epoch = SPAN("other")}};
    struct engine_history_result out = history(h, ERR_UNRECOVERABLE);
    assert_int_equal(out.top.offset, 1);
    assert_true(span_eq(out.top.epoch, r.position.epoch));
    h.since.epoch = r.position.epoch;
    history(h, 0);
}

static void removal_keeps_the_position(void **state)
{
    (void)state;
    struct buf b = {0};
    publish(with_history);
    engine_history_remove_build(&engine, SPAN("chat"), &b);
    redisReply *r = call(&b);
    assert_int_equal(engine_ok_read(r, NULL), 0);
    freeReplyObject(r);
    assert_redis("EXISTS centrifugo.stream.chat", "0");
    assert_redis("HGET centrifugo.stream.meta.chat s", "1");
    assert_int_equal(publish(with_history).position.offset, 2);
}

static void join_and_leave_are_marked(void **state)
{
    (void)state;
    const struct client_info info = {.user = SPAN("42"), .client = SPAN("c1")};
    struct buf b = {0};
    engine_join_build(&engine, SPAN("chat"), &info, &b);
    freeReplyObject(call(&b));
    ASSERT_PUBLISHED("__j__\x0a\x02"
                     "42\x12\x02"
                     "c1");
    engine_leave_build(&engine, SPAN("chat"), &info, &b);
    freeReplyObject(call(&b));
    ASSERT_PUBLISHED("__l__\x0a\x02"
                     "42\x12\x02"
                     "c1");
    engine_raw_publish_build(SPAN("centrifugo.client.chat"), SPAN("x\0y"), &b);
    freeReplyObject(call(&b));
    ASSERT_PUBLISHED("x\0y");
}

int main(void)
{
    if (!engine_test_begin()) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(frames_and_replies_are_those_of_the_vectors),
        ENGINE_TEST(first_delta_frame_has_no_previous_publication),
        ENGINE_TEST(entries_of_a_lost_epoch_are_dropped),
        ENGINE_TEST(stream_is_trimmed_exactly),
        ENGINE_TEST(large_offsets_keep_all_digits),
        ENGINE_TEST(key_without_history_publishes_once),
        ENGINE_TEST(result_of_another_node_is_used),
        ENGINE_TEST(read_of_a_fresh_channel_creates_its_epoch),
        ENGINE_TEST(history_is_read_by_the_callers_rules),
        ENGINE_TEST(lists_read_as_streams_do),
        ENGINE_TEST(lists_are_framed_and_idempotent),
        ENGINE_TEST(foreign_epoch_is_unrecoverable_but_tells_the_top),
        ENGINE_TEST(removal_keeps_the_position),
        ENGINE_TEST(join_and_leave_are_marked),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    engine_test_end();
    return failed;
}
