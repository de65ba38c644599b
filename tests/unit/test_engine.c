/* SPDX-License-Identifier: Apache-2.0 */
/* The engine without a Redis: names, commands, frames and replies. */
#include "tests/unit/unit.h"

#include <hiredis/hiredis.h>

#include "common/base/err.h"
#include "common/engine/engine.h"
#include "common/engine/script.h"

static const struct engine engine = {
    .prefix = {"centrifugo", 10}, .history_meta_ttl_s = 2592000, .presence_ttl_s = 60};

/* The Publication of the test vectors: data {"input":"hi"}, time 1700000000000. */
#define PUB "\x22\x0e{\"input\":\"hi\"}\x48\x80\xd0\x95\xff\xbc\x31"

static redisReply *reply_of(struct span resp)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    assert_int_equal(redisReaderFeed(reader, resp.p, resp.n), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    redisReaderFree(reader);
    return reply;
}

static void channels_map_to_shards_as_peers_map_them(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 3, 4, 8, 16};
    static const struct {
        const char *channel;
        uint32_t shard[ARRAY_LEN(sizes)];
    } rows[] = {
        {"test", {0, 1, 1, 1, 1, 10}}, {"chat:index", {0, 0, 0, 0, 0, 0}},
        {"news", {0, 1, 2, 3, 3, 3}},  {"user:42", {0, 1, 1, 1, 1, 15}},
        {"#42", {0, 1, 1, 1, 1, 11}},  {"personal:#7", {0, 0, 0, 0, 6, 6}},
        {"a", {0, 1, 2, 2, 2, 12}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            assert_int_equal(engine_shard_of(span_str(rows[i].channel), sizes[k]),
                             rows[i].shard[k]);
        }
    }
    assert_int_equal(engine_shard_of(SPAN("a"), 0), 0);
}

static void channel_names_lead_back_to_channels(void **state)
{
    (void)state;
    struct buf b = {0};
    struct span channel;
    engine_channel_name(&engine, SPAN("chat:index"), &b);
    assert_string_equal(buf_cstr(&b), "centrifugo.client.chat:index");
    assert_true(engine_channel_of(&engine, buf_span(&b), &channel));
    assert_true(span_eq_str(channel, "chat:index"));
    assert_true(engine_channel_of(&engine, SPAN("centrifugo.client."), &channel));
    assert_int_equal(channel.n, 0);
    assert_false(engine_channel_of(&engine, SPAN("centrifugo.control"), &channel));
    assert_false(engine_channel_of(&engine, SPAN("other.client.x"), &channel));
    assert_false(engine_channel_of(&engine, SPAN("centrifugo"), &channel));
    buf_free(&b);
}

static void service_names_are_those_of_peers(void **state)
{
    (void)state;
    struct buf b = {0};
    engine_control_name(&engine, &b);
    buf_add_char(&b, ' ');
    engine_node_name(&engine, SPAN("U"), &b);
    buf_add_char(&b, ' ');
    engine_probe_name(&engine, SPAN("U"), &b);
    buf_add_char(&b, ' ');
    engine_shard_name(&engine, &b);
    assert_string_equal(
        buf_cstr(&b),
        "centrifugo.control centrifugo.node.U centrifugo.node.U.probe centrifugo.shard.0");
    buf_free(&b);
}

static void publication_without_history_is_a_bare_publish(void **state)
{
    (void)state;
    struct buf b = {0};
    const struct engine_publish p = {
        .channel = SPAN("chat"), .data = SPAN("{\"input\":\"hi\"}"), .time_ms = 1700000000000};
    engine_publish_build(&engine, &p, &b);
    assert_string_equal(
        buf_cstr(&b), "*3\r\n$7\r\nPUBLISH\r\n$22\r\ncentrifugo.client.chat\r\n$23\r\n" PUB "\r\n");
    buf_free(&b);
}

static void publication_carries_info_and_tags(void **state)
{
    (void)state;
    struct buf b = {0};
    const struct client_info info = {.user = SPAN("42"), .client = SPAN("c1")};
    struct kv tag = {SPAN("k"), SPAN("v")};
    const struct vec tags = {&tag, 1};
    const struct engine_publish p = {.channel = SPAN("chat"),
                                     .data = SPAN("{\"a\":1}"),
                                     .info = &info,
                                     .tags = &tags,
                                     .time_ms = 1700000000000};
    engine_publish_build(&engine, &p, &b);
    static const char want[] = "\x22\x07{\"a\":1}\x2a\x08\x0a\x02"
                               "42\x12\x02"
                               "c1\x3a\x06\x0a\x01k\x12\x01v\x48\x80\xd0\x95\xff\xbc\x31\r\n";
    assert_true(b.n > sizeof(want));
    assert_memory_equal(b.p + b.n - (sizeof(want) - 1), want, sizeof(want) - 1);
    buf_free(&b);
}

static void delta_flag_travels_inside_only_without_history(void **state)
{
    (void)state;
    struct engine_publish p = {.channel = SPAN("c"), .data = SPAN("1"), .delta = true};
    struct buf b = {0};
    engine_publish_build(&engine, &p, &b);
    assert_non_null(memmem(b.p, b.n,
                           "\x22\x01"
                           "1\x40\x01",
                           5));
    buf_clear(&b);
    p.history_size = 1;
    p.history_ttl_s = 1;
    engine_publish_build(&engine, &p, &b);
    assert_null(memmem(b.p, b.n, "\x40\x01", 2));
    buf_free(&b);
}

static void scripts_are_called_by_digest_and_then_by_text(void **state)
{
    (void)state;
    struct engine_history h = {.channel = SPAN("c"), .limit = 1};
    struct buf b = {0};
    script_setup();
    engine_history_build(&engine, &h, &b);
    assert_true(span_starts(buf_span(&b), SPAN("*11\r\n$7\r\nEVALSHA\r\n$40\r\n")));
    buf_clear(&b);
    h.use_eval = true;
    engine_history_build(&engine, &h, &b);
    assert_true(span_starts(buf_span(&b), SPAN("*11\r\n$4\r\nEVAL\r\n$")));
    assert_non_null(strstr(buf_cstr(&b), script_text_history_stream));
    buf_free(&b);
}

static void every_script_begins_with_keys_arguments_and_result(void **state)
{
    (void)state;
    static const char *const texts[] = {
        script_text_publish_once,    script_text_publish_stream, script_text_publish_list,
        script_text_history_stream,  script_text_history_list,   script_text_presence_add,
        script_text_presence_remove, script_text_presence_get,   script_text_presence_stats,
    };
    assert_int_equal(ARRAY_LEN(texts), SCRIPT_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_memory_equal(texts[i], "-- ", 3);
        assert_non_null(strstr(texts[i], "\n-- KEYS: 1 "));
        assert_non_null(strstr(texts[i], "\n-- ARGV: 1 "));
        assert_non_null(strstr(texts[i], "\n-- Result: "));
    }
}

#define BYTES(literal)               \
    {                                \
        literal, sizeof(literal) - 1 \
    }

static const struct {
    struct span payload;
    int rc;
    enum engine_message_kind kind;
    uint64_t offset;
    const char *epoch;
    struct span body;
    struct span prev;
    bool has_delta;
} messages[] = {
    {BYTES(PUB), 0, MESSAGE_PUBLICATION, 0, "", BYTES(PUB), {0}, false},
    {BYTES(""), 0, MESSAGE_PUBLICATION, 0, "", BYTES(""), {0}, false},
    {BYTES("_"), 0, MESSAGE_PUBLICATION, 0, "", BYTES("_"), {0}, false},
    {BYTES("__p1:1:AbCdEfGh__" PUB), 0, MESSAGE_PUBLICATION, 1, "AbCdEfGh", BYTES(PUB), {0}, false},
    {BYTES("__p1:18446744073709551615:a:b__"),
     0,
     MESSAGE_PUBLICATION,
     UINT64_MAX,
     "a:b",
     BYTES(""),
     {0},
     false},
    {BYTES("__p1:1:__x__y"), 0, MESSAGE_PUBLICATION, 1, "", BYTES("x__y"), {0}, false},
    {BYTES("__d1:2:AbCdEfGh:23:" PUB ":23:" PUB), 0, MESSAGE_PUBLICATION, 2, "AbCdEfGh", BYTES(PUB),
     BYTES(PUB), true},
    {BYTES("__d1:1:e:0::3:a:b"), 0, MESSAGE_PUBLICATION, 1, "e", BYTES("a:b"), BYTES(""), true},
    {BYTES("__d1:1:e:0::1:ab"), 0, MESSAGE_PUBLICATION, 1, "e", BYTES("a"), BYTES(""), true},
    {BYTES("__j__\x0a\x01u"), 0, MESSAGE_JOIN, 0, "", BYTES("\x0a\x01u"), {0}, false},
    {BYTES("__l__"), 0, MESSAGE_LEAVE, 0, "", BYTES(""), {0}, false},
    {BYTES("__"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__x__"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__j"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__p__"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__p1:1__x"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__p1:x:e__"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__p1:18446744073709551616:e__"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__p1:1:e"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__d2:1:e:0::0:"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__d1:1"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__d1:1:e"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__d1:1:e:9:x:0:"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__d1:1:e:1:x"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__d1:1:e:1:xx1:y"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__d1:1:e:0::2:y"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
    {BYTES("__d1:1:e:18446744073709551615:x:0:"), ERR_SYNTAX, 0, 0, "", {0}, {0}, false},
};

static void frames_are_taken_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        struct engine_message m;
        int rc = engine_message_parse(messages[i].payload, &m);
        if (rc != messages[i].rc) {
            fail_msg("row %zu gives %d", i, rc);
        }
        if (rc != 0) {
            continue;
        }
        assert_int_equal(m.kind, messages[i].kind);
        assert_int_equal(m.position.offset, messages[i].offset);
        assert_true(span_eq_str(m.position.epoch, messages[i].epoch));
        assert_true(span_eq(m.body, messages[i].body));
        assert_true(span_eq(m.prev, messages[i].prev));
        assert_int_equal(m.has_delta, messages[i].has_delta);
    }
}

static void publish_replies_are_read(void **state)
{
    (void)state;
    const struct engine_publish p = {.history_size = 1, .history_ttl_s = 1};
    static const struct {
        const char *resp;
        int rc;
        uint64_t offset;
        bool by_key;
        bool by_version;
    } rows[] = {
        {"*4\r\n:2\r\n$1\r\ne\r\n$1\r\n0\r\n$1\r\n0\r\n", 0, 2, false, false},
        {"*4\r\n$1\r\n3\r\n$1\r\ne\r\n$1\r\n1\r\n$1\r\n0\r\n", 0, 3, true, false},
        {"*4\r\n$1\r\n4\r\n$1\r\ne\r\n$1\r\n0\r\n$1\r\n1\r\n", 0, 4, false, true},
        {"*3\r\n:5\r\n$1\r\ne\r\n$1\r\n0\r\n", 0, 5, false, false},
        {"*3\r\n$-1\r\n$1\r\ne\r\n$1\r\n1\r\n", 0, 0, true, false},
        {"-LOADING wait\r\n", ERR_UNAVAILABLE, 0, false, false},
        {":1\r\n", ERR_SYNTAX, 0, false, false},
        {"*3\r\n$1\r\nx\r\n$1\r\ne\r\n$1\r\n0\r\n", ERR_SYNTAX, 0, false, false},
        {"*3\r\n:1\r\n$-1\r\n$1\r\n0\r\n", ERR_SYNTAX, 0, false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        redisReply *r = reply_of(span_str(rows[i].resp));
        struct engine_publish_result out;
        struct err e = {0};
        assert_int_equal(engine_publish_read(r, &p, &out, &e), rows[i].rc);
        assert_int_equal(out.suppressed_by_key, rows[i].by_key);
        assert_int_equal(out.suppressed_by_version, rows[i].by_version);
        if (rows[i].rc == 0) {
            assert_int_equal(out.position.offset, rows[i].offset);
            assert_true(span_eq_str(out.position.epoch, "e"));
        } else {
            assert_true(e.text[0] != '\0');
        }
        freeReplyObject(r);
    }
    struct engine_publish_result out;
    assert_int_equal(engine_publish_read(NULL, &p, &out, NULL), ERR_UNAVAILABLE);
}

static void noscript_is_told_from_other_errors(void **state)
{
    (void)state;
    redisReply *r = reply_of(SPAN("-NOSCRIPT No matching script.\r\n"));
    assert_true(engine_is_noscript(r));
    freeReplyObject(r);
    r = reply_of(SPAN("-ERR NOSCRIPT\r\n"));
    assert_false(engine_is_noscript(r));
    freeReplyObject(r);
    assert_false(engine_is_noscript(NULL));
}

static void errors_do_not_quote_the_command(void **state)
{
    (void)state;
    static const struct {
        struct span resp;
        const char *text;
    } rows[] = {
        {SPAN("-ERR unknown command 'AUTH', with args beginning with: 'hunter2' \r\n"),
         "ERR unknown command 'AUTH'"},
        {SPAN("-ERR unknown command `AUTH`, with args beginning with: `hunter2`, \r\n"),
         "ERR unknown command `AUTH`"},
        {SPAN("-OOM command not allowed\r\n"), "OOM command not allowed"},
        {SPAN("-\r\n"), ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        redisReply *r = reply_of(rows[i].resp);
        struct err e;
        assert_true(span_eq_str(engine_error_text(r), rows[i].text));
        assert_int_equal(engine_ok_read(r, &e), ERR_UNAVAILABLE);
        assert_null(strstr(e.text, "hunter2"));
        freeReplyObject(r);
    }
}

static void unexpected_history_and_presence_replies_are_refused(void **state)
{
    (void)state;
    static const char *const resp[] = {
        ":1\r\n",
        "*1\r\n:1\r\n",
        "*3\r\n:1\r\n$1\r\ne\r\n*1\r\n:5\r\n",
        "*3\r\n:1\r\n$1\r\ne\r\n*1\r\n*2\r\n$1\r\nx\r\n*0\r\n",
        "*3\r\n:1\r\n$1\r\ne\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nd\r\n$1\r\n\xff\r\n",
    };
    const struct engine_history h = {.limit = -1};
    for (size_t i = 0; i < ARRAY_LEN(resp); i++) {
        redisReply *r = reply_of(span_str(resp[i]));
        struct arena a = {0};
        struct engine_history_result out;
        struct vec presence;
        struct presence_stats_result stats;
        assert_int_equal(engine_history_read(&engine, r, &h, &a, &out, NULL), ERR_SYNTAX);
        assert_int_equal(engine_presence_get_read(r, &a, &presence, NULL), ERR_SYNTAX);
        assert_int_equal(engine_presence_stats_read(&engine, r, &stats, NULL), ERR_SYNTAX);
        arena_fini(&a);
        freeReplyObject(r);
    }
}

static void errors_of_redis_come_with_advice(void **state)
{
    (void)state;
    assert_non_null(
        strstr(engine_error_advice(SPAN("OOM command not allowed when used memory > 'maxmemory'.")),
               "maxmemory"));
    assert_non_null(
        strstr(engine_error_advice(SPAN("NOPERM this user has no permissions")), "ACL"));
    assert_non_null(strstr(engine_error_advice(SPAN("ERR The user executing the script can't "
                                                    "publish to the channel")),
                           "ACL"));
    assert_non_null(strstr(engine_error_advice(SPAN("ERR ACL failure in script: No permissions to "
                                                    "access a channel")),
                           "ACL"));
    assert_null(engine_error_advice(SPAN("ERR unknown command")));
    assert_null(engine_error_advice(SPAN("OOMPH")));
    assert_null(engine_error_advice(SPAN("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_map_to_shards_as_peers_map_them),
        cmocka_unit_test(channel_names_lead_back_to_channels),
        cmocka_unit_test(service_names_are_those_of_peers),
        cmocka_unit_test(publication_without_history_is_a_bare_publish),
        cmocka_unit_test(publication_carries_info_and_tags),
        cmocka_unit_test(delta_flag_travels_inside_only_without_history),
        cmocka_unit_test(scripts_are_called_by_digest_and_then_by_text),
        cmocka_unit_test(every_script_begins_with_keys_arguments_and_result),
        cmocka_unit_test(frames_are_taken_apart),
        cmocka_unit_test(publish_replies_are_read),
        cmocka_unit_test(noscript_is_told_from_other_errors),
        cmocka_unit_test(errors_do_not_quote_the_command),
        cmocka_unit_test(unexpected_history_and_presence_replies_are_refused),
        cmocka_unit_test(errors_of_redis_come_with_advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
