/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about the JSON scanner: what it accepts and refuses, and how it decodes strings. */
#include "common/format/jscan.h"

#include <stdlib.h>

#include "common/base/err.h"

#include "tests/unit/unit.h"

static const struct span accepted[] = {
    SPAN("null"),
    SPAN("true"),
    SPAN("false"),
    SPAN(" \t\r\n0 \t\r\n"),
    SPAN("-0"),
    SPAN("-0.0e-0"),
    SPAN("1E+2"),
    SPAN("12345678901234567890"),
    SPAN("1e400"),
    SPAN("0.1000"),
    SPAN("\"\""),
    SPAN("\"\\u0000\\/\xc3\xa9\""),
    SPAN("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    SPAN("\"\x7f\""),
    SPAN("\"\\ud800\""),
    SPAN("\"\\uDEAD\\uD83D\\uDE00\""),
    SPAN("{}"),
    SPAN("[]"),
    SPAN(" { } "),
    SPAN("[ ]"),
    SPAN("[[],{},[{}]]"),
    SPAN("{\"\":0}"),
    SPAN("{\"dup\":1,\"dup\":2}"),
    SPAN("{\"a\" : [1 , \"x\",null ] , \"b\":{}}"),
    SPAN("[1,[2,[3,[4]]]]"),
    SPAN("{\"n\":12345678901234567890,\"x\":1e400,\"y\":0.1000,\"dup\":1,\"dup\":2,\"s\":"
         "\"\\u0000\\/\xc3\xa9\"}"),
};

static const struct span refused[] = {
    SPAN(""),
    SPAN(" "),
    SPAN("nul"),
    SPAN("nulll"),
    SPAN("NULL"),
    SPAN("True"),
    SPAN("tru"),
    SPAN("undefined"),
    SPAN("NaN"),
    SPAN("Infinity"),
    SPAN("-Infinity"),
    SPAN("+1"),
    SPAN("-"),
    SPAN("--1"),
    SPAN("01"),
    SPAN("-01"),
    SPAN("1."),
    SPAN(".5"),
    SPAN("1.e1"),
    SPAN("1e"),
    SPAN("1e+"),
    SPAN("0x1"),
    SPAN("1_0"),
    SPAN("1 2"),
    SPAN("1,"),
    SPAN("'a'"),
    SPAN("\""),
    SPAN("\"a"),
    SPAN("\"\\"),
    SPAN("\"\\\""),
    SPAN("\"\\x\""),
    SPAN("\"\\u12\""),
    SPAN("\"\\u12g4\""),
    SPAN("\"\\u"),
    SPAN("\"\\U0041\""),
    SPAN("\"a\nb\""),
    SPAN("\"\t\""),
    SPAN("\"\x01\""),
    SPAN("\"\0\""),
    SPAN("\"\\\0\""),
    SPAN("\"\xff\""),
    SPAN("\"\xc3\""),
    SPAN("\"\xed\xa0\x80\""),
    SPAN("\xef\xbb\xbf{}"),
    SPAN("["),
    SPAN("]"),
    SPAN("[1"),
    SPAN("[1,"),
    SPAN("[1,]"),
    SPAN("[,1]"),
    SPAN("[,]"),
    SPAN("[1 2]"),
    SPAN("[1,,2]"),
    SPAN("[1}"),
    SPAN("[]]"),
    SPAN("[][]"),
    SPAN("{"),
    SPAN("}"),
    SPAN("{]"),
    SPAN("{1:2}"),
    SPAN("{a:1}"),
    SPAN("{\"a\"}"),
    SPAN("{\"a\":}"),
    SPAN("{\"a\" 1}"),
    SPAN("{\"a\":1"),
    SPAN("{\"a\":1,"),
    SPAN("{\"a\":1,}"),
    SPAN("{,\"a\":1}"),
    SPAN("{\"a\":1 \"b\":2}"),
    SPAN("{\"a\":1]"),
    SPAN("{\"a\":1}}"),
    SPAN("{\"a\":1,2}"),
    SPAN("{\"a\":[}"),
    SPAN("{}{}"),
    SPAN("{\"a\":1,\"b}"),
    SPAN("/**/1"),
    SPAN("1//"),
    SPAN("\f1"),
    SPAN("\xc2\xa0"
         "1"),
    SPAN("[1\v]"),
    SPAN("{null:1}"),
    SPAN("\0"),
    SPAN("1\0"),
    SPAN("[\0]"),
};

/* An exact allocation lets the sanitizer see a byte read too many. */
static bool is_valid(struct span text)
{
    char *exact = malloc(text.n != 0 ? text.n : 1);
    assert_non_null(exact);
    memcpy(exact, text.p, text.n);
    bool valid = jscan_is_valid(span_of(exact, text.n));
    free(exact);
    return valid;
}

static void texts_of_the_grammar_are_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
        if (!is_valid(accepted[i])) {
            fail_msg("refused: %.*s", SPAN_FMT(accepted[i]));
        }
    }
}

static void everything_else_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (is_valid(refused[i])) {
            fail_msg("row %zu accepted: %.*s", i, SPAN_FMT(refused[i]));
        }
    }
    assert_false(jscan_is_valid((struct span){0}));
}

/* Containers have to end; a number or a word may be cut and still be one. */
static void a_cut_container_is_refused_wherever_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
        struct span whole = span_trim(accepted[i]);
        for (size_t n = 0; n < whole.n && (whole.p[0] == '{' || whole.p[0] == '['); n++) {
            assert_false(is_valid(span_of(whole.p, n)));
        }
    }
}

static void nesting_is_limited(void **state)
{
    (void)state;
    char text[2 * (JSCAN_MAX_DEPTH + 1)];
    for (size_t depth = JSCAN_MAX_DEPTH; depth <= JSCAN_MAX_DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct jscan s = jscan_of(span_of(text, 2 * depth));
        struct span value;
        enum jscan_kind kind;
        assert_int_equal(jscan_value(&s, &value, &kind), depth > JSCAN_MAX_DEPTH ? ERR_LIMIT : 0);
    }
    char mixed[6 * JSCAN_MAX_DEPTH + 1] = "";
    for (int i = 0; i < JSCAN_MAX_DEPTH / 2; i++) {
        strcat(mixed, "[{\"\":");
    }
    strcat(mixed, "0");
    for (int i = 0; i < JSCAN_MAX_DEPTH / 2; i++) {
        strcat(mixed, "}]");
    }
    assert_true(jscan_is_valid(span_str(mixed)));
    /* Each closing bracket is compared with the one that was opened so many levels before. */
    size_t n = strlen(mixed);
    for (size_t i = n - JSCAN_MAX_DEPTH; i < n; i++) {
        char right = mixed[i];
        mixed[i] = right == '}' ? ']' : '}';
        assert_false(jscan_is_valid(span_of(mixed, n)));
        mixed[i] = right;
    }
}

static void a_value_is_its_exact_bytes_and_what_follows_stays(void **state)
{
    (void)state;
    struct jscan s = jscan_of(SPAN("  {\"a\" : 0.1000}rest"));
    struct span value;
    enum jscan_kind kind;
    assert_int_equal(jscan_value(&s, &value, &kind), 0);
    assert_int_equal(kind, JSCAN_OBJECT);
    assert_true(span_eq_str(value, "{\"a\" : 0.1000}"));
    assert_int_equal(s.end - s.p, 4);
    assert_int_equal(jscan_value(&s, &value, &kind), ERR_SYNTAX);
    assert_int_equal(s.end - s.p, 4); /* a failure moves nothing */
}

static void members_come_in_order_with_duplicates(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *value;
        enum jscan_kind kind;
    } want[] = {
        {"a", "1", JSCAN_NUMBER},
        {"a", "[1, 2]", JSCAN_ARRAY},
        {"\\u0062", "{\"x\":{}}", JSCAN_OBJECT},
        {"", "\"s\"", JSCAN_STRING},
        {"t", "true", JSCAN_BOOL},
        {"n", "null", JSCAN_NULL},
    };
    struct span text = SPAN(
        "{ \"a\":1 , \"a\" : [1, 2],\"\\u0062\":{\"x\":{}},\"\":\"s\",\"t\":true,\"n\":null }");
    assert_true(jscan_is_valid(text));
    struct jscan s = jscan_enter(text);
    struct span key;
    struct span value;
    enum jscan_kind kind;
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_true(jscan_member(&s, &key, &value, &kind));
        assert_true(span_eq_str(key, want[i].key));
        assert_true(span_eq_str(value, want[i].value));
        assert_int_equal(kind, want[i].kind);
    }
    assert_false(jscan_member(&s, &key, &value, &kind));
    s = jscan_enter(SPAN("{ }"));
    assert_false(jscan_member(&s, &key, &value, &kind));
}

static void elements_come_in_order(void **state)
{
    (void)state;
    static const char *const want[] = {"1", "\"]\"", "[]", "{\"a\":[1]}", "-2e3"};
    struct jscan s = jscan_enter(SPAN("[1, \"]\" ,[],{\"a\":[1]}\n,-2e3 ]"));
    struct span value;
    enum jscan_kind kind;
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_true(jscan_element(&s, &value, &kind));
        assert_true(span_eq_str(value, want[i]));
    }
    assert_false(jscan_element(&s, &value, &kind));
}

static void strings_decode_as_the_reference_does(void **state)
{
    (void)state;
    static const struct {
        struct span raw;
        struct span want;
    } rows[] = {
        {SPAN("plain"), SPAN("plain")},
        {SPAN(""), SPAN("")},
        {SPAN("\\\"\\\\\\/\\b\\f\\n\\r\\t"), SPAN("\"\\/\b\f\n\r\t")},
        {SPAN("\\u0041\\u00e9\\u20AC"), SPAN("A\xc3\xa9\xe2\x82\xac")},
        {SPAN("a\\u0000b"), SPAN("a\0b")},
        {SPAN("\\ud83d\\ude00"), SPAN("\xf0\x9f\x98\x80")},
        {SPAN("\\uD83D\\uDE00!"), SPAN("\xf0\x9f\x98\x80!")},
        {SPAN("\\ud83d"), SPAN("\xef\xbf\xbd")},   /* high alone */
        {SPAN("\\ude00x"), SPAN("\xef\xbf\xbdx")}, /* low alone */
        {SPAN("\\ud83d\\u0041"), SPAN("\xef\xbf\xbd"
                                      "A")},
        {SPAN("\\ud83d\\n"), SPAN("\xef\xbf\xbd\n")},
        {SPAN("\\ud83d\\ud83d\\ude00"), SPAN("\xef\xbf\xbd\xf0\x9f\x98\x80")},
        {SPAN("a\xff"
              "b"),
         SPAN("a\xef\xbf\xbd"
              "b")},
        {SPAN("\xe2\x82"), SPAN("\xef\xbf\xbd\xef\xbf\xbd")},
        {SPAN("\xe2\x82\xac\xe2\x82\\n"), SPAN("\xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbd\n")},
        {SPAN("\xc0\xaf"), SPAN("\xef\xbf\xbd\xef\xbf\xbd")},
        {SPAN("\xed\xa0\x80"), SPAN("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd")},
        {SPAN("\x80\xc3\xa9\xf0\x9f\x98\x80"), SPAN("\xef\xbf\xbd\xc3\xa9\xf0\x9f\x98\x80")},
    };
    struct arena a = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span got = jscan_string(rows[i].raw, &a);
        if (!span_eq(got, rows[i].want)) {
            fail_msg("row %zu: got %.*s", i, SPAN_FMT(got));
        }
        assert_true(span_is_utf8(got));
    }
    arena_fini(&a);
}

static void a_plain_string_is_not_copied(void **state)
{
    (void)state;
    struct arena a = {0};
    struct span raw = SPAN("gr\xc3\xbc\xc3\x9f");
    assert_ptr_equal(jscan_string(raw, &a).p, raw.p);
    assert_null(a.blocks);
}

static void the_end_is_behind_white_space(void **state)
{
    (void)state;
    struct jscan s = jscan_of(SPAN(" \n "));
    assert_true(jscan_at_end(&s));
    s = jscan_of(SPAN("\n x"));
    assert_false(jscan_at_end(&s));
    assert_int_equal(*s.p, 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_the_grammar_are_accepted),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(a_cut_container_is_refused_wherever_it_is_cut),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(a_value_is_its_exact_bytes_and_what_follows_stays),
        cmocka_unit_test(members_come_in_order_with_duplicates),
        cmocka_unit_test(elements_come_in_order),
        cmocka_unit_test(strings_decode_as_the_reference_does),
        cmocka_unit_test(a_plain_string_is_not_copied),
        cmocka_unit_test(the_end_is_behind_white_space),
    };
    return cmocka_run_group_tests_name("jscan", tests, NULL, NULL);
}
