/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about spans and growable buffers. */
#include "common/base/str.h"

#include <stdlib.h>

#include "common/base/err.h"

#include "tests/unit/unit.h"

static void ascii_letters_compare_without_case(void **state)
{
    (void)state;
    assert_true(span_eq_nocase(SPAN("Content-TYPE"), SPAN("content-type")));
    assert_false(span_eq_nocase(SPAN("a"), SPAN("ab")));
    /* '@' and '`' differ in the bit that tells upper case from lower case, as do '[' and '{'. */
    assert_false(span_eq_nocase(SPAN("@["), SPAN("`{")));
    assert_false(span_eq_nocase(SPAN("\xc3\x84"), SPAN("\xc3\xa4")));
}

static void order_is_bytewise_and_shorter_first(void **state)
{
    (void)state;
    assert_true(span_cmp(SPAN("a"), SPAN("b")) < 0);
    assert_true(span_cmp(SPAN("ab"), SPAN("a")) > 0);
    assert_true(span_cmp(SPAN(""), SPAN("a")) < 0);
    assert_true(span_cmp(SPAN("\xff"), SPAN("a")) > 0);
    assert_int_equal(span_cmp(SPAN("same"), SPAN("same")), 0);
    assert_int_equal(span_cmp((struct span){0}, SPAN("")), 0);
}

static void trim_takes_white_space_from_both_ends_only(void **state)
{
    (void)state;
    assert_true(span_eq_str(span_trim(SPAN(" \t\r\na b\n ")), "a b"));
    assert_int_equal(span_trim(SPAN(" \n ")).n, 0);
    assert_int_equal(span_trim((struct span){0}).n, 0);
    assert_true(span_eq_str(span_trim(SPAN("\fa")), "\fa"));
}

static void from_beyond_the_end_is_empty(void **state)
{
    (void)state;
    assert_true(span_eq_str(span_from(SPAN("abc"), 1), "bc"));
    assert_int_equal(span_from(SPAN("abc"), 3).n, 0);
    assert_int_equal(span_from(SPAN("abc"), 99).n, 0);
    assert_int_equal(span_from((struct span){0}, 1).n, 0);
}

static void find_gives_the_length_when_absent(void **state)
{
    (void)state;
    assert_int_equal(span_find(SPAN("a:b:c"), ':', 0), 1);
    assert_int_equal(span_find(SPAN("a:b:c"), ':', 2), 3);
    assert_int_equal(span_find(SPAN("a:b:c"), ':', 4), 5);
    assert_int_equal(span_find(SPAN("abc"), ':', 99), 3);
}

static void contains_finds_parts_that_are_whole(void **state)
{
    (void)state;
    assert_true(span_contains(SPAN("abc"), "abc"));
    assert_true(span_contains(SPAN("aab"), "ab"));
    assert_false(span_contains(span_of("abc", 2), "bc"));
    assert_false(span_contains(SPAN("abc"), ""));
    assert_false(span_contains((struct span){0}, "a"));
}

static void split_gives_every_part_once(void **state)
{
    (void)state;
    static const char *const want[] = {"a", "", "b", ""};
    struct span rest = SPAN("a,,b,");
    struct span part;
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_true(span_split(&rest, ',', &part));
        assert_true(span_eq_str(part, want[i]));
    }
    assert_false(span_split(&rest, ',', &part));

    rest = SPAN("");
    assert_true(span_split(&rest, ',', &part));
    assert_int_equal(part.n, 0);
    assert_false(span_split(&rest, ',', &part));

    rest = (struct span){0};
    assert_false(span_split(&rest, ',', &part));
}

static void unsigned_numbers_are_digits_within_64_bits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc;
        uint64_t value;
    } rows[] = {
        {"0", 0, 0},
        {"007", 0, 7},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", ERR_RANGE, 0},
        {"99999999999999999999", ERR_RANGE, 0},
        {"", ERR_SYNTAX, 0},
        {"-1", ERR_SYNTAX, 0},
        {"+1", ERR_SYNTAX, 0},
        {" 1", ERR_SYNTAX, 0},
        {"1 ", ERR_SYNTAX, 0},
        {"1.0", ERR_SYNTAX, 0},
        {"0x10", ERR_SYNTAX, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t v = 0;
        assert_int_equal(span_to_u64(span_str(rows[i].text), &v), rows[i].rc);
        assert_int_equal(v, rows[i].value);
    }
}

static void signed_numbers_reach_both_ends(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc;
        int64_t value;
    } rows[] = {
        {"-0", 0, 0},
        {"-1", 0, -1},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", ERR_RANGE, 0},
        {"-9223372036854775809", ERR_RANGE, 0},
        {"-", ERR_SYNTAX, 0},
        {"--1", ERR_SYNTAX, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t v = 0;
        assert_int_equal(span_to_i64(span_str(rows[i].text), &v), rows[i].rc);
        assert_int_equal(v, rows[i].value);
    }
}

static void utf8_follows_the_table_of_well_formed_sequences(void **state)
{
    (void)state;
    static const struct {
        struct span text;
        bool good;
    } rows[] = {
        {{"", 0}, true},
        {{"a\0b", 3}, true},
        {{"\xc2\x80", 2}, true},
        {{"\xdf\xbf", 2}, true},
        {{"\xe0\xa0\x80", 3}, true},
        {{"\xed\x9f\xbf", 3}, true},
        {{"\xef\xbf\xbf", 3}, true},
        {{"\xf0\x90\x80\x80", 4}, true},
        {{"\xf4\x8f\xbf\xbf", 4}, true},
        {{"\x80", 1}, false},     /* a continuation alone */
        {{"\xc0\xaf", 2}, false}, /* overlong '/' */
        {{"\xc1\xbf", 2}, false},
        {{"\xe0\x9f\xbf", 3}, false}, /* overlong */
        {{"\xed\xa0\x80", 3}, false}, /* a surrogate */
        {{"\xed\xbf\xbf", 3}, false},
        {{"\xf0\x8f\xbf\xbf", 4}, false}, /* overlong */
        {{"\xf4\x90\x80\x80", 4}, false}, /* beyond U+10FFFF */
        {{"\xf5\x80\x80\x80", 4}, false},
        {{"\xff", 1}, false},
        {{"\xc3", 1}, false}, /* cut */
        {{"\xe2\x82", 2}, false},
        {{"\xf0\x9f\x98", 3}, false},
        {{"\xe2\x28\xa1", 3}, false},
        {{"ab\xe2\x82\xac\xe2\x82", 7}, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        /* An exact allocation lets the sanitizer see a byte read too many. */
        char *exact = malloc(rows[i].text.n != 0 ? rows[i].text.n : 1);
        assert_non_null(exact);
        memcpy(exact, rows[i].text.p, rows[i].text.n);
        assert_int_equal(span_is_utf8(span_of(exact, rows[i].text.n)), rows[i].good);
        free(exact);
    }
}

static void dup_ends_with_a_nul(void **state)
{
    (void)state;
    char *copy = span_dup(span_of("abcdef", 3));
    assert_string_equal(copy, "abc");
    free(copy);
}

static void buffer_grows_and_keeps_its_bytes(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int i = 0; i < 1000; i++) {
        buf_addf(&b, "%d,", i);
    }
    assert_false(b.failed);
    assert_true(span_starts(buf_span(&b), SPAN("0,1,2,")));
    assert_memory_equal(b.p + b.n - 4, "999,", 4);
    buf_clear(&b);
    assert_int_equal(b.n, 0);
    assert_true(b.cap != 0);
    buf_free(&b);
    assert_null(b.p);
}

static void buffer_writes_numbers(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_add_u64(&b, 0);
    buf_add_char(&b, ' ');
    buf_add_u64(&b, UINT64_MAX);
    buf_add_char(&b, ' ');
    buf_add_i64(&b, INT64_MIN);
    buf_add_char(&b, ' ');
    buf_add_i64(&b, -7);
    assert_string_equal(buf_cstr(&b), "0 18446744073709551615 -9223372036854775808 -7");
    buf_free(&b);
}

static void buffer_over_its_limit_fails_and_stays_failed(void **state)
{
    (void)state;
    struct buf b = {.max = 8};
    buf_add_str(&b, "12345678");
    assert_false(b.failed);
    buf_add_char(&b, '9');
    assert_true(b.failed);
    assert_int_equal(b.n, 8);
    assert_null(buf_reserve(&b, 1));
    buf_clear(&b);
    assert_false(b.failed);
    buf_add_str(&b, "ok");
    assert_true(span_eq_str(buf_span(&b), "ok"));
    buf_free(&b);
}

static void buffer_drops_an_addition_whole(void **state)
{
    (void)state;
    struct buf b = {.max = 4};
    buf_add_str(&b, "ab");
    buf_add_str(&b, "cde");
    assert_true(b.failed);
    assert_true(span_eq_str(buf_span(&b), "ab"));
    buf_free(&b);
    buf_add(&b, "x", SIZE_MAX); /* the sum overflows before anything is copied */
    assert_true(b.failed);
    buf_free(&b);
}

/* ASCII is looked at several bytes at a time. */
static void utf8_is_checked_at_every_place(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 20; n++) {
        for (size_t at = 0; at < n; at++) {
            char *text = malloc(n); /* exact, for the sanitizer */
            assert_non_null(text);
            memset(text, 'a', n);
            text[at] = '\xe9';
            assert_false(span_is_utf8(span_of(text, n)));
            if (at + 1 < n) {
                text[at] = '\xc3';
                text[at + 1] = '\xa9';
                assert_true(span_is_utf8(span_of(text, n)));
                text[at + 1] = 'a';
                assert_false(span_is_utf8(span_of(text, n)));
            }
            text[at] = '\x7f';
            if (at + 1 < n) {
                text[at + 1] = '\0';
            }
            assert_true(span_is_utf8(span_of(text, n)));
            free(text);
        }
    }
    assert_true(span_is_utf8((struct span){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_checked_at_every_place),
        cmocka_unit_test(ascii_letters_compare_without_case),
        cmocka_unit_test(order_is_bytewise_and_shorter_first),
        cmocka_unit_test(trim_takes_white_space_from_both_ends_only),
        cmocka_unit_test(from_beyond_the_end_is_empty),
        cmocka_unit_test(find_gives_the_length_when_absent),
        cmocka_unit_test(contains_finds_parts_that_are_whole),
        cmocka_unit_test(split_gives_every_part_once),
        cmocka_unit_test(unsigned_numbers_are_digits_within_64_bits),
        cmocka_unit_test(signed_numbers_reach_both_ends),
        cmocka_unit_test(utf8_follows_the_table_of_well_formed_sequences),
        cmocka_unit_test(dup_ends_with_a_nul),
        cmocka_unit_test(buffer_grows_and_keeps_its_bytes),
        cmocka_unit_test(buffer_writes_numbers),
        cmocka_unit_test(buffer_over_its_limit_fails_and_stays_failed),
        cmocka_unit_test(buffer_drops_an_addition_whole),
    };
    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
