/* SPDX-License-Identifier: Apache-2.0 */
/* Message compression: there and back, limits, damage, offers. */
#include "common/format/deflate.h"

#include "common/base/err.h"
#include "tests/unit/unit.h"

static void fill(struct buf *b, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1103515245 + 12345;
        buf_add_char(b, (char)("abcdefgh"[seed >> 28 & 7]));
    }
}

static void there_and_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 100, 4095, 4096, 4097, 65536, 300000};
    for (int level = -2; level <= 9; level++) {
        struct deflate *d = deflate_new(level, 0);
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            struct buf text = {0};
            struct buf packed = {0};
            struct buf back = {0};
            fill(&text, sizes[i], (unsigned)i + 1);
            deflate_compress(d, buf_span(&text), &packed);
            assert_int_equal(deflate_expand(d, buf_span(&packed), sizes[i], &back), 0);
            assert_true(span_eq(buf_span(&back), buf_span(&text)));
            assert_true(sizes[i] < 100 || level == 0 || packed.n < text.n);
            buf_free(&text);
            buf_free(&packed);
            buf_free(&back);
        }
        deflate_free(d);
    }
}

static void the_example_of_the_rfc(void **state)
{
    (void)state;
    /* RFC 7692 7.2.3.1, 7.2.3.3 (not compressed), 7.2.3.4 (a final block), 7.2.3.5 (two blocks). */
    static const struct {
        const char *bytes;
        size_t n;
    } rows[] = {
        {"\xf2\x48\xcd\xc9\xc9\x07\x00", 7},
        {"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11},
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8},
        {"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13},
    };
    struct deflate *d = deflate_new(1, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = {0};
        assert_int_equal(deflate_expand(d, span_of(rows[i].bytes, rows[i].n), 100, &b), 0);
        assert_true(span_eq_str(buf_span(&b), "Hello"));
        buf_free(&b);
    }
    deflate_free(d);
}

static void a_bomb_stops_at_the_limit(void **state)
{
    (void)state;
    struct deflate *d = deflate_new(9, 0);
    struct buf text = {0};
    struct buf packed = {0};
    struct buf back = {0};
    memset(buf_reserve(&text, 1 << 24), 'a', 1 << 24);
    text.n = 1 << 24;
    deflate_compress(d, buf_span(&text), &packed);
    assert_true(packed.n < 20000);
    assert_int_equal(deflate_expand(d, buf_span(&packed), 65536, &back), ERR_LIMIT);
    assert_true(back.cap < 200000);
    buf_clear(&back);
    assert_int_equal(deflate_expand(d, buf_span(&packed), text.n - 1, &back), ERR_LIMIT);
    buf_clear(&back);
    assert_int_equal(deflate_expand(d, buf_span(&packed), text.n, &back), 0);
    buf_free(&text);
    buf_free(&packed);
    buf_free(&back);
    deflate_free(d);
}

static void damage_is_noticed_and_leaves_no_trace(void **state)
{
    (void)state;
    struct deflate *d = deflate_new(1, 0);
    struct buf b = {0};
    assert_int_equal(deflate_expand(d, SPAN("\xff\xff\xff\xff\xff"), 100, &b), ERR_SYNTAX);
    buf_clear(&b);
    assert_int_equal(deflate_expand(d, SPAN("\xf2\x48\xcd\xc9\xc9\x07\x00"), 100, &b), 0);
    assert_true(span_eq_str(buf_span(&b), "Hello"));
    buf_free(&b);
    deflate_free(d);
}

static void small_ones_are_left_alone(void **state)
{
    (void)state;
    struct deflate *d = deflate_new(1, 10);
    assert_false(deflate_pays(d, 10));
    assert_true(deflate_pays(d, 11));
    assert_false(deflate_pays(NULL, 11));
    deflate_free(d);
}

static void offers(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool taken;
    } rows[] = {
        {"", false},
        {"permessage-deflate", true},
        {"Permessage-Deflate", true},
        {"permessage-deflate; client_max_window_bits", true},
        {"permessage-deflate; client_max_window_bits=15", true},
        {"permessage-deflate; client_max_window_bits=\"10\"", true},
        {"permessage-deflate;server_no_context_takeover;client_no_context_takeover", true},
        {"x-webkit-deflate-frame, permessage-deflate", true},
        {"permessage-deflate; server_max_window_bits=10", false},
        {"permessage-deflate; server_max_window_bits=10, permessage-deflate", true},
        {"permessage-deflate; client_max_window_bits=16", false},
        {"permessage-deflate; client_max_window_bits=08", false},
        {"permessage-deflate; client_max_window_bits=", false},
        {"permessage-deflate; server_no_context_takeover=1", false},
        {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", false},
        {"permessage-deflate; unknown", false},
        {"permessage-deflate; ", false},
        {"permessage-deflate2", false},
        {"bbf-usp-protocol", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (deflate_is_offered(span_str(rows[i].header)) != rows[i].taken) {
            fail_msg("offer %s", rows[i].header);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(the_example_of_the_rfc),
        cmocka_unit_test(a_bomb_stops_at_the_limit),
        cmocka_unit_test(damage_is_noticed_and_leaves_no_trace),
        cmocka_unit_test(small_ones_are_left_alone),
        cmocka_unit_test(offers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
