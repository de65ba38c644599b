/* SPDX-License-Identifier: Apache-2.0 */
/* permessage-deflate: messages in and out, and which offers are accepted. */
#include "common/base/err.h"
#include "common/format/deflate.h"
#include "common/protocol/ws_ext.h"
#include "tests/unit/unit.h"

#define MAX_BYTES 100000

static struct inflater *inflater;

static int setup(void **state)
{
    (void)state;
    inflater = inflater_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    inflater_free(inflater);
    return 0;
}

static int inflate_to(struct span in, size_t max, struct buf *out)
{
    buf_clear(out);
    return inflater_run(inflater, in, max, out);
}

static void what_is_compressed_comes_back_at_every_level(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 100, 4089, 4096, 5000, 70000};
    struct buf text = {0};
    struct buf packed = {0};
    struct buf back = {0};
    for (int level = DEFLATE_HUFFMAN_ONLY; level <= 9; level++) {
        struct deflater *d = deflater_new(level);
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            buf_clear(&text);
            uint32_t dice = 1;
            while (text.n < sizes[i]) {
                dice = dice * 1664525 + 1013904223;
                buf_add_char(&text, (char)(dice >> 28));
            }
            buf_clear(&packed);
            deflater_run(d, buf_span(&text), &packed);
            assert_int_equal(inflate_to(buf_span(&packed), MAX_BYTES, &back), 0);
            assert_true(span_eq(buf_span(&back), buf_span(&text)));
        }
        deflater_free(d);
    }
    buf_free(&text);
    buf_free(&packed);
    buf_free(&back);
}

static void a_message_does_not_depend_on_the_one_before(void **state)
{
    (void)state;
    static const struct span text = {"{\"push\":{\"channel\":\"news\"}}", 28};
    struct deflater *d = deflater_new(1);
    struct buf first = {0};
    struct buf second = {0};
    deflater_run(d, text, &first);
    deflater_run(d, text, &second);
    assert_true(span_eq(buf_span(&first), buf_span(&second)));
    buf_free(&first);
    buf_free(&second);
    deflater_free(d);
}

/* RFC 7692 7.2.3, and what it rules out. */
static void data_of_clients(void **state)
{
    (void)state;
    static const struct {
        struct span in;
        int rc;
        const char *out;
    } rows[] = {
        {{"\xf2\x48\xcd\xc9\xc9\x07\x00", 7}, 0, "Hello"},
        {{"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13}, 0, "Hello"},
        {{"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11}, 0, "Hello"},
        {{"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8}, 0, "Hello"},
        {{"\xf3\x48\xcd\xc9\xc9\x07\x00", 7}, 0, "Hello"}, /* ends in a final block */
        {{"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00", 14}, 0, "HelloHello"},
        {{"\x00", 1}, 0, ""},
        {{"", 0}, 0, ""},
        {{"\xff\xff\xff\xff\xff", 5}, ERR_SYNTAX, NULL},
        {{"\xf2\x48\xcd\xc9", 4}, ERR_SYNTAX, NULL},             /* cut off in a block */
        {{"\x00\x05\x00\xfa\xff\x48\x65", 7}, ERR_SYNTAX, NULL}, /* and in a stored one */
        {{"\xaa\x00\x02\x00\x01\x02", 6}, ERR_SYNTAX, NULL},
    };
    struct buf out = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int rc = inflate_to(rows[i].in, MAX_BYTES, &out);
        if (rc != rows[i].rc) {
            fail_msg("row %zu: %d instead of %d", i, rc, rows[i].rc);
        }
        if (rc == 0 && !span_eq_str(buf_span(&out), rows[i].out)) {
            fail_msg("row %zu: %.*s", i, SPAN_FMT(buf_span(&out)));
        }
    }
    buf_free(&out);
}

static void a_bomb_is_noticed_at_the_limit(void **state)
{
    (void)state;
    static char zeros[1 << 22];
    struct deflater *d = deflater_new(9);
    struct buf packed = {0};
    struct buf out = {0};
    deflater_run(d, span_of(zeros, sizeof(zeros)), &packed);
    assert_true(packed.n < 5000);
    assert_int_equal(inflate_to(buf_span(&packed), 65536, &out), ERR_LIMIT);
    assert_int_equal(out.n, 65537);
    assert_true(out.cap < 1 << 18);
    assert_int_equal(inflate_to(buf_span(&packed), sizeof(zeros) - 1, &out), ERR_LIMIT);
    assert_int_equal(inflate_to(buf_span(&packed), sizeof(zeros), &out), 0);
    assert_int_equal(out.n, sizeof(zeros));
    buf_free(&packed);
    buf_free(&out);
    deflater_free(d);
}

static void offers(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool accepted;
    } rows[] = {
        {"permessage-deflate", true},
        {"permessage-deflate; client_max_window_bits", true}, /* Chromium and Firefox */
        {"PerMessage-Deflate;Client_Max_Window_Bits=15", true},
        {" permessage-deflate ; server_no_context_takeover ; client_no_context_takeover ", true},
        {"permessage-deflate; server_max_window_bits=15", true},
        {"permessage-deflate; client_max_window_bits=\"8\"", true},
        {"permessage-deflate; client_max_window_bits=\"\\8\"", true},
        {"permessage-deflate; server_max_window_bits=14", false},
        {"permessage-deflate; server_max_window_bits=\"14\"", false},
        {"permessage-deflate; server_max_window_bits", false},
        {"permessage-deflate; server_max_window_bits=16", false},
        {"permessage-deflate; client_max_window_bits=7", false},
        {"permessage-deflate; client_max_window_bits=09", false},
        {"permessage-deflate; client_max_window_bits=", false},
        {"permessage-deflate; server_no_context_takeover=1", false},
        {"permessage-deflate; client_no_context_takeover; client_no_context_takeover", false},
        {"permessage-deflate; level=9", false},
        /* The first that fits is taken, wherever it stands. */
        {"permessage-deflate; server_max_window_bits=10, permessage-deflate", true},
        {"x-webkit-deflate-frame; a=\"b\", permessage-deflate", true},
        {", ,permessage-deflate,", true},
        {"permessage-deflate; level=\"a,b\", permessage-deflate", false}, /* no token in quotes */
        {"x-webkit-deflate-frame", false},
        {"", false},
        /* Malformed. */
        {"permessage-deflate; ", false},
        {"permessage-deflate permessage-deflate", false},
        {"permessage-deflate, x; y=\"z", false},
        {"permessage-deflate, =", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (ws_ext_offers_deflate(span_str(rows[i].value)) != rows[i].accepted) {
            fail_msg("%s", rows[i].value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_compressed_comes_back_at_every_level),
        cmocka_unit_test(a_message_does_not_depend_on_the_one_before),
        cmocka_unit_test(data_of_clients),
        cmocka_unit_test(a_bomb_is_noticed_at_the_limit),
        cmocka_unit_test(offers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
