/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about the codecs over the tables of the client protocol. */
#include "common/format/schema.h"

#include <stdio.h>

#include "common/base/err.h"
#include "common/format/pbwire.h"
#include "common/protocol/api.h"
#include "common/protocol/control.h"
#include "common/protocol/proto.h"

#include "tests/unit/unit.h"

static struct arena arena;

static int free_arena(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static int decode(const struct schema *s, const char *text, void *out, struct schema_error *e)
{
    size_t consumed;
    return schema_json_decode(s, span_str(text), &arena, out, &consumed, e);
}

static void assert_encodes(const struct schema *s, const void *msg, const char *want)
{
    struct buf b = {0};
    schema_json_encode(s, msg, &b);
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void a_command_decodes_into_its_struct(void **state)
{
    (void)state;
    struct command c;
    assert_int_equal(decode(&command_schema,
                            "{\"id\":3,\"unknown\":[1,{}],\"subscribe\":{\"channel\":\"org:"
                            "\\u0031\",\"recover\":true,"
                            "\"offset\":18446744073709551615,\"data\": {\"a\" : 1} ,\"type\":-2}}",
                            &c, NULL),
                     0);
    assert_int_equal(c.id, 3);
    assert_null(c.connect);
    assert_non_null(c.subscribe);
    assert_true(span_eq_str(c.subscribe->channel, "org:1"));
    assert_true(c.subscribe->recover);
    assert_true(c.subscribe->offset == UINT64_MAX);
    assert_true(span_eq_str(c.subscribe->data, "{\"a\" : 1}"));
    assert_int_equal(c.subscribe->type, -2);
    assert_null(c.subscribe->token.p);
}

static void wrong_types_name_the_member(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *field;
    } rows[] = {
        {"{\"id\":\"1\"}", "id"},
        {"{\"id\":-1}", "id"},
        {"{\"id\":1.0}", "id"},
        {"{\"id\":1e2}", "id"},
        {"{\"id\":4294967296}", "id"},
        {"{\"id\":true}", "id"},
        {"{\"connect\":1}", "connect"},
        {"{\"connect\":[]}", "connect"},
        {"{\"subscribe\":\"test\"}", "subscribe"},
        {"{\"subscribe\":{\"channel\":1}}", "channel"},
        {"{\"subscribe\":{\"recover\":1}}", "recover"},
        {"{\"subscribe\":{\"offset\":-1}}", "offset"},
        {"{\"subscribe\":{\"offset\":\"1\"}}", "offset"},
        {"{\"subscribe\":{\"type\":2147483648}}", "type"},
        {"{\"subscribe\":{\"type\":1.5}}", "type"},
        {"{\"connect\":{\"subs\":[]}}", "subs"},
        {"{\"connect\":{\"subs\":{\"a\":1}}}", "subs"},
        {"{\"connect\":{\"headers\":{\"a\":1}}}", "headers"},
        {"{\"subscribe\":{\"tf\":{\"vals\":{}}}}", "vals"},
        {"{\"subscribe\":{\"tf\":{\"vals\":[1]}}}", "vals"},
        {"{\"subscribe\":{\"tf\":{\"nodes\":[1]}}}", "nodes"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct command c;
        struct schema_error e = {0};
        if (decode(&command_schema, rows[i].text, &c, &e) != ERR_TYPE ||
            !span_eq_str(e.field, rows[i].field)) {
            fail_msg("%s: field %.*s", rows[i].text, SPAN_FMT(e.field));
        }
        assert_non_null(e.what);
    }
}

static void what_is_not_an_object_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc;
    } rows[] = {
        {"", ERR_SYNTAX},
        {"{", ERR_SYNTAX},
        {"{\"id\":1", ERR_SYNTAX},
        {"{\"id\":01}", ERR_SYNTAX},
        {"nope", ERR_SYNTAX},
        {"[]", ERR_TYPE},
        {"1", ERR_TYPE},
        {"\"a\"", ERR_TYPE},
        {"null", 0},
        {" {} ", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct command c;
        struct schema_error e = {0};
        assert_int_equal(decode(&command_schema, rows[i].text, &c, &e), rows[i].rc);
        assert_true(rows[i].rc == 0 || e.what != NULL);
    }
}

static void the_rest_of_the_line_is_left_to_the_caller(void **state)
{
    (void)state;
    struct command c;
    size_t consumed = 0;
    assert_int_equal(schema_json_decode(&command_schema, SPAN(" {\"id\":1}garbage"), &arena, &c,
                                        &consumed, NULL),
                     0);
    assert_int_equal(consumed, 9);
}

static void names_match_exactly_or_else_without_case(void **state)
{
    (void)state;
    struct command c;
    assert_int_equal(
        decode(&command_schema, "{\"ID\":7,\"SubScribe\":{\"CHANNEL\":\"a\"}}", &c, NULL), 0);
    assert_int_equal(c.id, 7);
    assert_true(span_eq_str(c.subscribe->channel, "a"));
    assert_int_equal(decode(&command_schema, "{\"\\u0069d\":8}", &c, NULL), 0);
    assert_int_equal(c.id, 8);
}

static void the_last_of_duplicate_members_counts(void **state)
{
    (void)state;
    struct command c;
    assert_int_equal(
        decode(
            &command_schema,
            "{\"id\":1,\"id\":2,\"connect\":{\"headers\":{\"a\":\"1\",\"b\":\"2\",\"a\":\"3\"}}}",
            &c, NULL),
        0);
    assert_int_equal(c.id, 2);
    assert_int_equal(c.connect->headers.n, 2);
    const struct kv *kv = c.connect->headers.items;
    assert_true(span_eq_str(kv[0].key, "a"));
    assert_true(span_eq_str(kv[0].value, "3"));
}

static void the_last_of_many_duplicate_keys_counts(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_add_str(&b, "{\"connect\":{\"headers\":{");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 40; i++) {
            buf_addf(&b, "\"k%d\":\"%d\",", i, round);
        }
    }
    buf_add_str(&b, "\"end\":\"\"}}}");
    struct command c;
    assert_int_equal(decode(&command_schema, buf_cstr(&b), &c, NULL), 0);
    assert_int_equal(c.connect->headers.n, 41);
    const struct kv *kv = c.connect->headers.items;
    for (size_t i = 0; i < 40; i++) {
        assert_true(span_eq_str(kv[i].value, "1"));
    }
    buf_free(&b);
}

static void null_is_absent_except_for_payloads(void **state)
{
    (void)state;
    struct command c;
    assert_int_equal(
        decode(&command_schema,
               "{\"id\":null,\"connect\":null,\"publish\":{\"channel\":null,\"data\":null}}", &c,
               NULL),
        0);
    assert_int_equal(c.id, 0);
    assert_null(c.connect);
    assert_int_equal(c.publish->channel.n, 0);
    assert_true(span_eq_str(c.publish->data, "null"));
}

static void payloads_cross_byte_for_byte(void **state)
{
    (void)state;
    static const char payload[] = "{\"n\":12345678901234567890,\"x\":1e400,\"y\":0.1000,\"dup\":1,"
                                  "\"dup\":2,\"s\":\"\\u0000\\/\xc3\xa9\"}";
    char text[256];
    snprintf(text, sizeof(text), "{\"publish\":{\"data\":%s}}", payload);
    struct command c;
    assert_int_equal(decode(&command_schema, text, &c, NULL), 0);
    assert_true(span_eq_str(c.publish->data, payload));
    struct publication pub = {.data = c.publish->data};
    char want[256];
    snprintf(want, sizeof(want), "{\"data\":%s}", payload);
    assert_encodes(&publication_schema, &pub, want);
}

static void empty_members_are_left_out_and_the_promised_ones_stay(void **state)
{
    (void)state;
    struct reply r = {.id = 1, .unsubscribe = &(struct empty){0}};
    assert_encodes(&reply_schema, &r, "{\"id\":1,\"unsubscribe\":{}}");
    assert_encodes(&reply_schema, &(struct reply){0}, "{}");
    struct client_info info = {0};
    assert_encodes(&client_info_schema, &info, "{\"user\":\"\",\"client\":\"\"}");
    assert_encodes(&presence_result_schema, &(struct presence_result){0}, "{\"presence\":{}}");
    assert_encodes(&presence_stats_result_schema, &(struct presence_stats_result){0},
                   "{\"num_clients\":0,\"num_users\":0}");
    assert_encodes(&history_result_schema, &(struct history_result){0},
                   "{\"publications\":[],\"epoch\":\"\",\"offset\":0}");
    assert_encodes(&api_info_result_schema, &(struct api_info_result){0}, "{\"nodes\":[]}");
    assert_encodes(&api_channels_result_schema, &(struct api_channels_result){0},
                   "{\"channels\":{}}");
    struct proto_error e = {
        .code = 100, .message = SPAN("internal server error"), .temporary = true};
    assert_encodes(&error_schema, &e,
                   "{\"code\":100,\"message\":\"internal server error\",\"temporary\":true}");
}

static void a_push_has_the_bytes_of_the_reference(void **state)
{
    (void)state;
    struct kv tags[] = {{SPAN("k"), SPAN("v")}};
    struct client_info info = {
        .user = SPAN("42"), .client = SPAN("c"), .conn_info = SPAN("{\"a\":1}")};
    struct publication pub = {
        .data = SPAN("{}"), .info = &info, .offset = 7, .tags = {tags, 1}, .score = -1};
    struct push push = {.channel = SPAN("a<b"), .pub = &pub};
    struct reply r = {.push = &push};
    assert_encodes(&reply_schema, &r,
                   "{\"push\":{\"channel\":\"a\\u003cb\",\"pub\":{\"data\":{},\"info\":{\"user\":"
                   "\"42\",\"client\":\"c\","
                   "\"conn_info\":{\"a\":1}},\"offset\":7,\"tags\":{\"k\":\"v\"},\"score\":-1}}}");
    struct buf b = {0};
    schema_pb_encode(&publication_schema,
                     &(struct publication){.data = SPAN("{}"), .score = -1, .offset = 300}, &b);
    assert_true(span_eq(buf_span(&b), SPAN("\x22\x02{}\x30\xac\x02\x68\x01")));
    buf_free(&b);
}

static void negative_numbers_fill_ten_bytes_in_protobuf(void **state)
{
    (void)state;
    struct buf b = {0};
    struct history_request h = {.channel = SPAN("a"), .limit = -1};
    schema_pb_encode(&history_request_schema, &h, &b);
    struct history_request back;
    assert_int_equal(schema_pb_decode(&history_request_schema, buf_span(&b), &arena, &back, NULL),
                     0);
    assert_int_equal(back.limit, -1);
    assert_non_null(memchr(b.p, '\xff', b.n));
    buf_free(&b);
}

static void empty_sub_messages_are_present_in_protobuf(void **state)
{
    (void)state;
    struct buf b = {0};
    schema_pb_encode(&reply_schema, &(struct reply){.id = 2, .publish = &(struct empty){0}}, &b);
    assert_true(span_eq(buf_span(&b), SPAN("\x08\x02\x42\x00")));
    struct reply back;
    assert_int_equal(schema_pb_decode(&reply_schema, buf_span(&b), &arena, &back, NULL), 0);
    assert_non_null(back.publish);
    assert_null(back.unsubscribe);
    buf_free(&b);
}

static void broken_protobuf_is_refused(void **state)
{
    (void)state;
    static const struct span bad[] = {
        SPAN("\x08"),
        SPAN("\x0a\x01\x61"),
        SPAN("\x22\x05\x0a"),
        SPAN("\x22\x01\x0a"),
        SPAN("\x2a\x03\x0a\x01\xff"),
        SPAN("\x2d\x01\x02\x03\x04"),
        SPAN("\x22\x0a\x32\x08\x0a\x01\xff\x12\x03"
             "abc"),
        SPAN("\x22\x0a\x32\x08\x0a\x03"
             "abc\x12\x01\xff"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct command c;
        struct schema_error e = {0};
        if (schema_pb_decode(&command_schema, bad[i], &arena, &c, &e) == 0) {
            fail_msg("row %zu is accepted", i);
        }
        assert_non_null(e.what);
    }
}

static void protobuf_nesting_is_limited(void **state)
{
    (void)state;
    struct buf b = {0};
    struct buf next = {0};
    int rc = 0;
    int depth = 0;
    while (rc == 0 && depth < 1000) {
        struct filter_node node;
        rc = schema_pb_decode(&filter_node_schema, buf_span(&b), &arena, &node, NULL);
        buf_clear(&next);
        pb_add_bytes(&next, 6, buf_span(&b)); /* one filter inside another */
        buf_clear(&b);
        buf_add_span(&b, buf_span(&next));
        depth++;
    }
    assert_int_equal(rc, ERR_LIMIT);
    assert_in_range(depth, 16, 200);
    buf_free(&b);
    buf_free(&next);
}

/* Deep payloads are data; messages within messages are work for us. */
static void json_messages_nest_less_than_payloads(void **state)
{
    (void)state;
    for (size_t levels = 20; levels <= 400; levels += 190) {
        struct buf b = {0};
        size_t consumed;
        struct filter_node node;
        struct publication pub;
        for (size_t i = 0; i < levels; i++) {
            buf_add_str(&b, "{\"nodes\":[");
        }
        for (size_t i = 0; i < levels; i++) {
            buf_add_str(&b, "]}");
        }
        assert_int_equal(
            schema_json_decode(&filter_node_schema, buf_span(&b), &arena, &node, &consumed, NULL),
            levels < 30 ? 0 : ERR_LIMIT);
        struct buf text = {0};
        buf_add_str(&text, "{\"data\":");
        buf_add_span(&text, buf_span(&b));
        buf_add_str(&text, "}");
        assert_int_equal(
            schema_json_decode(&publication_schema, buf_span(&text), &arena, &pub, &consumed, NULL),
            0);
        assert_true(span_eq(pub.data, buf_span(&b)));
        assert_true(schema_payloads_are_json(&publication_schema, &pub));
        buf_free(&b);
        buf_free(&text);
    }
}

static void numbers_that_json_cannot_hold_do_not_break_the_text(void **state)
{
    (void)state;
    struct kv_dbl items[] = {
        {SPAN("nan"), __builtin_nan("")}, {SPAN("inf"), -__builtin_inf()}, {SPAN("x"), 0.1}};
    struct api_node_metrics m = {.interval = __builtin_inf(), .items = {items, 3}};
    assert_encodes(&api_node_metrics_schema, &m,
                   "{\"interval\":0,\"items\":{\"nan\":0,\"inf\":0,\"x\":0.1}}");
}

static void numbers_beyond_a_double_are_refused(void **state)
{
    (void)state;
    struct api_node_metrics m;
    struct schema_error e = {0};
    assert_int_equal(decode(&api_node_metrics_schema, "{\"interval\":-1.5e308}", &m, &e), 0);
    assert_true(m.interval == -1.5e308);
    assert_int_equal(decode(&api_node_metrics_schema, "{\"interval\":1e309}", &m, &e), ERR_TYPE);
    assert_string_equal(e.what, "a number beyond the range of a double");
    assert_int_equal(decode(&api_node_metrics_schema, "{\"items\":{\"a\":-8e888}}", &m, &e),
                     ERR_TYPE);
}

static void payloads_that_are_not_json_are_noticed_at_any_depth(void **state)
{
    (void)state;
    struct publication pubs[] = {{.data = SPAN("{}")}, {.data = SPAN("hello")}};
    struct subscribe_result sub = {.publications = {pubs, 1}};
    struct kv_msg subs[] = {{SPAN("a"), &sub}};
    struct connect_result connect = {.subs = {subs, 1}};
    struct reply r = {.connect = &connect};
    assert_true(schema_payloads_are_json(&reply_schema, &r));
    sub.publications.n = 2;
    assert_false(schema_payloads_are_json(&reply_schema, &r));
    struct publication bad_info = {.data = SPAN("1"),
                                   .info = &(struct client_info){.conn_info = SPAN("{")}};
    assert_false(schema_payloads_are_json(&publication_schema, &bad_info));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_command_decodes_into_its_struct, free_arena),
        cmocka_unit_test_teardown(wrong_types_name_the_member, free_arena),
        cmocka_unit_test_teardown(what_is_not_an_object_is_refused, free_arena),
        cmocka_unit_test_teardown(the_rest_of_the_line_is_left_to_the_caller, free_arena),
        cmocka_unit_test_teardown(names_match_exactly_or_else_without_case, free_arena),
        cmocka_unit_test_teardown(the_last_of_duplicate_members_counts, free_arena),
        cmocka_unit_test_teardown(the_last_of_many_duplicate_keys_counts, free_arena),
        cmocka_unit_test_teardown(null_is_absent_except_for_payloads, free_arena),
        cmocka_unit_test_teardown(payloads_cross_byte_for_byte, free_arena),
        cmocka_unit_test(empty_members_are_left_out_and_the_promised_ones_stay),
        cmocka_unit_test(a_push_has_the_bytes_of_the_reference),
        cmocka_unit_test_teardown(negative_numbers_fill_ten_bytes_in_protobuf, free_arena),
        cmocka_unit_test_teardown(empty_sub_messages_are_present_in_protobuf, free_arena),
        cmocka_unit_test_teardown(broken_protobuf_is_refused, free_arena),
        cmocka_unit_test_teardown(protobuf_nesting_is_limited, free_arena),
        cmocka_unit_test_teardown(json_messages_nest_less_than_payloads, free_arena),
        cmocka_unit_test(numbers_that_json_cannot_hold_do_not_break_the_text),
        cmocka_unit_test(numbers_beyond_a_double_are_refused),
        cmocka_unit_test(payloads_that_are_not_json_are_noticed_at_any_depth),
    };
    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
