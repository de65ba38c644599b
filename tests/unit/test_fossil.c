/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about Fossil deltas (client protocol 8.5). */
#include "common/format/fossil.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/err.h"
#include "tests/unit/unit.h"

#define TEXT_A30   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COUNTER(n) "{\"counter\":" n ",\"text\":\"" TEXT_A30 "\"}"

static void assert_delta(struct span source, struct span target, const char *want)
{
    struct buf delta = {0};
    fossil_create(source, target, &delta);
    assert_string_equal(buf_cstr(&delta), want);
    buf_free(&delta);
}

/* Returns the length of the delta. */
static size_t assert_round_trip(struct span source, struct span target)
{
    struct buf delta = {0};
    struct buf made = {0};
    fossil_create(source, target, &delta);
    assert_int_equal(fossil_apply(source, buf_span(&delta), &made), 0);
    assert_true(span_eq(buf_span(&made), target));
    size_t n = delta.n;
    buf_free(&delta);
    buf_free(&made);
    return n;
}

static int apply(struct span source, const char *delta)
{
    struct buf out = {.max = 1000};
    int rc = fossil_apply(source, span_str(delta), &out);
    buf_free(&out);
    return rc;
}

static void worked_examples_are_met_byte_for_byte(void **state)
{
    (void)state;
    assert_delta(SPAN(""), SPAN("hello"), "5\n5:hello3NPMmh;");
    assert_delta(SPAN("sixteen bytes ..."), SPAN("hello"), "5\n5:hello3NPMmh;");
    assert_delta(SPAN(COUNTER("1")), SPAN(COUNTER("2")), "q\nB@0,1:2e@C,1GLBDj;");
}

static void an_empty_target_is_read_in_both_of_its_forms(void **state)
{
    (void)state;
    assert_int_equal(apply(SPAN("short"), "0\n0:0;"), 0);
    assert_int_equal(apply(SPAN("a source of more than 16 bytes"), "0\n0;"), 0);
    assert_round_trip(SPAN("a source of more than 16 bytes"), SPAN(""));
    assert_round_trip(SPAN(""), SPAN(""));
}

static void every_length_around_a_block_comes_back(void **state)
{
    (void)state;
    char source[40];
    char target[40];
    for (size_t i = 0; i < sizeof(source); i++) {
        source[i] = (char)('a' + i % 7);
        target[i] = (char)('a' + (i + 3) % 7);
    }
    for (size_t s = 0; s <= sizeof(source); s++) {
        for (size_t t = 0; t <= sizeof(target); t++) {
            assert_round_trip(span_of(source, s), span_of(target, t));
            assert_round_trip(span_of(source, s), span_of(source, t < s ? t : s));
        }
    }
}

/* The next of a fixed sequence, so that a failure comes again. */
static unsigned next(unsigned *seed)
{
    *seed = *seed * 1103515245U + 12345U;
    return *seed >> 16;
}

static void edited_bytes_come_back(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (unsigned round = 0; round < 300; round++) {
        char source[700];
        struct buf target = {0};
        for (size_t i = 0; i < sizeof(source); i++) {
            /* Few different bytes give many false candidates, all 256 give none. */
            source[i] = (char)(next(&seed) % (round % 3 == 0 ? 2 : 256));
        }
        for (unsigned piece = 0; piece < round % 9; piece++) {
            size_t from = next(&seed) % sizeof(source);
            buf_add(&target, source + from, next(&seed) % (sizeof(source) - from) / 2);
            buf_add_char(&target, (char)next(&seed));
        }
        assert_round_trip(span_of(source, sizeof(source)), buf_span(&target));
        buf_free(&target);
    }
}

static void a_delta_never_is_much_longer_than_its_target(void **state)
{
    (void)state;
    unsigned seed = 7;
    char source[600];
    char target[600];
    for (size_t i = 0; i < sizeof(source); i++) {
        source[i] = (char)next(&seed);
        target[i] = (char)next(&seed);
    }
    size_t n = assert_round_trip(span_of(source, sizeof(source)), span_of(target, sizeof(target)));
    assert_true(n <= sizeof(target) + 21);
}

static void a_changed_member_costs_a_few_bytes(void **state)
{
    (void)state;
    struct buf one = {0};
    struct buf two = {0};
    for (unsigned i = 0; i < 40; i++) {
        buf_addf(&one, "{\"id\":%u,\"name\":\"number %u\",\"price\":%u},", i, i, i * 17);
        buf_addf(&two, "{\"id\":%u,\"name\":\"number %u\",\"price\":%u},", i, i,
                 i == 20 ? 999 : i * 17);
    }
    assert_true(assert_round_trip(buf_span(&one), buf_span(&two)) < 40);
    assert_true(assert_round_trip(buf_span(&one), buf_span(&one)) < 20);
    buf_free(&one);
    buf_free(&two);
}

static void the_delta_of_two_utf8_texts_is_utf8(void **state)
{
    (void)state;
    /* Characters that share bytes at their ends and beginnings. */
    static const char *const chars[] = {
        "\xc3\xa9",         "\xc3\xa8",         "\xe2\x82\xac",     "\xe2\x82\xad",
        "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x81", "\xf0\x9f\x99\x80", "a",
    };
    unsigned seed = 3;
    for (unsigned round = 0; round < 200; round++) {
        struct buf source = {0};
        struct buf target = {0};
        for (unsigned i = 0; i < 120; i++) {
            const char *c = chars[next(&seed) % 8];
            buf_add_str(&source, c);
            buf_add_str(&target, next(&seed) % 16 == 0 ? chars[next(&seed) % 8] : c);
        }
        struct buf delta = {0};
        fossil_create(buf_span(&source), buf_span(&target), &delta);
        assert_true(span_is_utf8(buf_span(&delta)));
        assert_true(delta.n < target.n);
        assert_round_trip(buf_span(&source), buf_span(&target));
        buf_free(&source);
        buf_free(&target);
        buf_free(&delta);
    }
}

/* They once were shrunk away as parts of a character, all of them for each byte of the target. */
static void long_runs_of_continuation_bytes_are_copied(void **state)
{
    (void)state;
    const size_t n = 8192;
    char *source = malloc(n);
    char *target = malloc(n);
    assert_non_null(source);
    assert_non_null(target);
    memset(source, 0x80, n);
    memset(target, 0x80, n);
    target[0] = 'x';
    assert_true(assert_round_trip(span_of(source, n), span_of(target, n)) < 40);
    free(source);
    free(target);
}

static void malformed_deltas_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *delta;
        int rc;
    } rows[] = {
        {"", ERR_SYNTAX},
        {"5", ERR_SYNTAX},
        {"\n", ERR_SYNTAX},
        {"5\n", ERR_SYNTAX},
        {"5\n5", ERR_SYNTAX},
        {"5\n5:hello", ERR_SYNTAX},
        {"5\n5:hello3NPMmh", ERR_RANGE},
        {"5\n5:hello3NPMmh;x", ERR_SYNTAX},
        {"5 5:hello3NPMmh;", ERR_SYNTAX},
        {"5\n5-hello3NPMmh;", ERR_SYNTAX},
        {"5\n5@0", ERR_SYNTAX},
        {"5\n5@,3NPMmh;", ERR_SYNTAX},
        {"5\n5:hello3NPMmi;", ERR_INVALID},
        {"4\n5:hello3NPMmh;", ERR_RANGE},
        {"6\n5:hello3NPMmh;", ERR_RANGE},
        {"5\n6:hello", ERR_RANGE},
        {"5\n~:hello3NPMmh;", ERR_RANGE},
        {"5\n5@8,0;", ERR_RANGE},
        {"5\n5@3~~~~~,0;", ERR_RANGE},
        {"4000000\n0;", ERR_RANGE},
        {"5\n4000000:", ERR_RANGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int rc = apply(SPAN("0123456789ab"), rows[i].delta);
        if (rc != rows[i].rc) {
            print_error("delta %s gives %d\n", rows[i].delta, rc);
        }
        assert_int_equal(rc, rows[i].rc);
    }
}

static void a_delta_stops_at_the_limit_of_the_buffer(void **state)
{
    (void)state;
    struct buf out = {.max = 30};
    /* 64 bytes out of 8. */
    assert_int_equal(
        fossil_apply(SPAN("12345678"), SPAN("10\n8@0,8@0,8@0,8@0,8@0,8@0,8@0,8@0,0;"), &out),
        ERR_LIMIT);
    assert_true(out.n <= 30);
    buf_free(&out);
}

static void what_the_buffer_holds_already_stays(void **state)
{
    (void)state;
    struct buf out = {0};
    buf_add_str(&out, "before ");
    assert_int_equal(fossil_apply(SPAN(""), SPAN("5\n5:hello3NPMmh;"), &out), 0);
    assert_string_equal(buf_cstr(&out), "before hello");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worked_examples_are_met_byte_for_byte),
        cmocka_unit_test(an_empty_target_is_read_in_both_of_its_forms),
        cmocka_unit_test(every_length_around_a_block_comes_back),
        cmocka_unit_test(edited_bytes_come_back),
        cmocka_unit_test(a_delta_never_is_much_longer_than_its_target),
        cmocka_unit_test(a_changed_member_costs_a_few_bytes),
        cmocka_unit_test(the_delta_of_two_utf8_texts_is_utf8),
        cmocka_unit_test(long_runs_of_continuation_bytes_are_copied),
        cmocka_unit_test(malformed_deltas_are_refused),
        cmocka_unit_test(a_delta_stops_at_the_limit_of_the_buffer),
        cmocka_unit_test(what_the_buffer_holds_already_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
