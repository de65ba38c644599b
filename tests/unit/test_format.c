/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about writing JSON, Base64 and the Protobuf wire format. */
#include <stdlib.h>

#include "common/base/err.h"
#include "common/format/b64.h"
#include "common/format/jwrite.h"
#include "common/format/pbwire.h"

#include "tests/unit/unit.h"

static void assert_buf(struct buf *b, struct span want)
{
    if (!span_eq(buf_span(b), want)) {
        fail_msg("got %.*s, want %.*s", SPAN_FMT(buf_span(b)), SPAN_FMT(want));
    }
    assert_false(b->failed);
    buf_clear(b);
}

static void strings_are_escaped_as_the_reference_does(void **state)
{
    (void)state;
    static const struct {
        struct span text;
        struct span want;
    } rows[] = {
        {SPAN("org:123:messages"), SPAN("\"org:123:messages\"")},
        {SPAN(""), SPAN("\"\"")},
        {SPAN("\"\\/"), SPAN("\"\\\"\\\\/\"")},
        {SPAN("\b\f\n\r\t"), SPAN("\"\\b\\f\\n\\r\\t\"")},
        {SPAN("\0\x1f\x7f"), SPAN("\"\\u0000\\u001f\x7f\"")},
        {SPAN("<a href='x'>&"), SPAN("\"\\u003ca href='x'\\u003e\\u0026\"")},
        {SPAN("\xe2\x80\xa8\xe2\x80\xa9"), SPAN("\"\\u2028\\u2029\"")},
        {SPAN("\xe2\x80\xa7\xe2\x80\xaa"), SPAN("\"\xe2\x80\xa7\xe2\x80\xaa\"")},
        {SPAN("\xc3\xa9\xf0\x9f\x98\x80"), SPAN("\"\xc3\xa9\xf0\x9f\x98\x80\"")},
        {SPAN("a\xff"
              "b\xe2\x82"),
         SPAN("\"a\\ufffdb\\ufffd\\ufffd\"")},
        {SPAN("\xed\xa0\x80"), SPAN("\"\\ufffd\\ufffd\\ufffd\"")},
        {SPAN("\xc3"), SPAN("\"\\ufffd\"")},
    };
    struct buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        jwrite_string(&b, rows[i].text);
        assert_buf(&b, rows[i].want);
    }
    buf_free(&b);
}

static void raw_values_lose_newlines_and_nothing_else(void **state)
{
    (void)state;
    struct buf b = {0};
    jwrite_raw(&b, SPAN("{\n \"a\" :\t1e400,\r\n\"s\":\"\\n\\/\"}\n"));
    assert_buf(&b, SPAN("{ \"a\" :\t1e400,\r\"s\":\"\\n\\/\"}"));
    jwrite_raw(&b, SPAN("\n\n"));
    assert_buf(&b, SPAN(""));
    buf_free(&b);
}

static void compacting_spares_the_inside_of_strings(void **state)
{
    (void)state;
    struct buf b = {0};
    jwrite_compact(&b, SPAN("{ \"a b\" : [ 1 ,\n\t\"c \\\" d\" ] , \"e\\\\\" : 0.10 }"));
    assert_buf(&b, SPAN("{\"a b\":[1,\"c \\\" d\"],\"e\\\\\":0.10}"));
    jwrite_compact(&b, SPAN("\"<\xe2\x80\xa8&\\u0000\\/>\""));
    assert_buf(&b, SPAN("\"\\u003c\\u2028\\u0026\\u0000\\/\\u003e\""));
    buf_free(&b);
}

static void base64_follows_the_test_vectors(void **state)
{
    (void)state;
    static const struct {
        struct span bytes;
        struct span standard;
        struct span url;
    } rows[] = {
        {SPAN(""), SPAN(""), SPAN("")},
        {SPAN("f"), SPAN("Zg=="), SPAN("Zg")},
        {SPAN("fo"), SPAN("Zm8="), SPAN("Zm8")},
        {SPAN("foo"), SPAN("Zm9v"), SPAN("Zm9v")},
        {SPAN("foobar"), SPAN("Zm9vYmFy"), SPAN("Zm9vYmFy")},
        {SPAN("\xfb\xff\xfe"), SPAN("+//+"), SPAN("-__-")},
        {SPAN("\0\0"), SPAN("AAA="), SPAN("AAA")},
    };
    struct arena a = {0};
    struct buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span out;
        b64_encode(&b, rows[i].bytes);
        assert_buf(&b, rows[i].standard);
        b64url_encode(&b, rows[i].bytes);
        assert_buf(&b, rows[i].url);
        assert_int_equal(b64_decode(rows[i].standard, &a, &out), 0);
        assert_true(span_eq(out, rows[i].bytes));
        assert_int_equal(b64url_decode(rows[i].url, &a, &out), 0);
        assert_true(span_eq(out, rows[i].bytes));
    }
    buf_free(&b);
    arena_fini(&a);
}

/* Many programs break the lines, and some leave bits at the end that mean nothing. */
static void standard_base64_is_read_as_its_writers_write_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct span bytes;
    } rows[] = {
        {"Zm9v\n", SPAN("foo")},
        {"Zm\r\n9v\r\n", SPAN("foo")},
        {"\nZ\ng\n=\n=\n", SPAN("f")},
        {"Zm9vYmFy\nZg==", SPAN("foobarf")},
        {"Zh==", SPAN("f")},
        {"Zm9=", SPAN("fo")},
        {"\n", SPAN("")},
    };
    struct arena a = {0};
    struct span out;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(b64_decode(span_str(rows[i].text), &a, &out), 0);
        assert_true(span_eq(out, rows[i].bytes));
    }
    arena_fini(&a);
}

static void malformed_base64_is_refused(void **state)
{
    (void)state;
    static const char *const bad_standard[] = {
        "Zg",   "Zg=",  "Zg===",    "Z",       "====",     "=",         "Z===",   "Z g=",  "Zm9v ",
        "-__-", "Z=g=", "Zg==Zg==", "Z\xff==", "Zm8=Zm8=", "Zm9vZg=\n", "Zg\n\n", "=\n==", "Zg==="};
    static const char *const bad_url[] = {"Z", "Zg==", "Zh", "Zm9", "+//+", "Zm9v ", "Zm.v"};
    struct arena a = {0};
    struct span out;
    for (size_t i = 0; i < ARRAY_LEN(bad_standard); i++) {
        assert_int_equal(b64_decode(span_str(bad_standard[i]), &a, &out), ERR_SYNTAX);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad_url); i++) {
        assert_int_equal(b64url_decode(span_str(bad_url[i]), &a, &out), ERR_SYNTAX);
    }
    arena_fini(&a);
}

static void varints_have_their_published_bytes(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        struct span bytes;
    } rows[] = {
        {0, SPAN("\0")},
        {1, SPAN("\x01")},
        {127, SPAN("\x7f")},
        {128, SPAN("\x80\x01")},
        {300, SPAN("\xac\x02")},
        {16384, SPAN("\x80\x80\x01")},
        {UINT32_MAX, SPAN("\xff\xff\xff\xff\x0f")},
        {UINT64_MAX, SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
    };
    struct buf b = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        pb_add_varint(&b, rows[i].value);
        assert_buf(&b, rows[i].bytes);
        struct pb_reader r = pb_reader_of(rows[i].bytes);
        uint64_t v;
        assert_int_equal(pb_read_varint(&r, &v), 0);
        assert_true(v == rows[i].value);
        assert_ptr_equal(r.p, r.end);
        for (size_t n = 0; n < rows[i].bytes.n; n++) {
            r = pb_reader_of(span_of(rows[i].bytes.p, n));
            assert_int_equal(pb_read_varint(&r, &v), ERR_SYNTAX);
        }
    }
    buf_free(&b);
}

static void varints_beyond_64_bits_are_refused(void **state)
{
    (void)state;
    static const struct span bad[] = {
        SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
        SPAN("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct pb_reader r = pb_reader_of(bad[i]);
        uint64_t v;
        assert_int_equal(pb_read_varint(&r, &v), ERR_SYNTAX);
    }
    /* A longer spelling of a small number is allowed by the format. */
    struct pb_reader r = pb_reader_of(SPAN("\x81\x80\x00"));
    uint64_t v;
    assert_int_equal(pb_read_varint(&r, &v), 0);
    assert_true(v == 1);
}

static void fields_of_each_wire_type_are_read(void **state)
{
    (void)state;
    struct buf b = {0};
    pb_add_tag(&b, 1, PB_VARINT);
    pb_add_varint(&b, 150);
    pb_add_bytes(&b, 2, SPAN("testing"));
    pb_add_double(&b, 3, 1.5);
    pb_add_tag(&b, 536870911, PB_FIXED32);
    buf_add(&b, "\x01\x02\x03\x04", 4);
    struct pb_reader r = pb_reader_of(buf_span(&b));
    struct pb_field f;
    assert_int_equal(pb_read_field(&r, &f), 1);
    assert_true(f.number == 1 && f.wire == PB_VARINT && f.value == 150);
    assert_int_equal(pb_read_field(&r, &f), 1);
    assert_true(f.number == 2 && f.wire == PB_BYTES && span_eq_str(f.bytes, "testing"));
    assert_int_equal(pb_read_field(&r, &f), 1);
    assert_true(f.number == 3 && f.wire == PB_FIXED64 && f.value == 0x3ff8000000000000ULL);
    assert_int_equal(pb_read_field(&r, &f), 1);
    assert_true(f.number == 536870911 && f.wire == PB_FIXED32 && f.value == 0x04030201);
    assert_int_equal(pb_read_field(&r, &f), 0);
    buf_free(&b);
}

static void malformed_fields_are_refused(void **state)
{
    (void)state;
    static const struct span bad[] = {
        SPAN("\x00"),         /* field 0 */
        SPAN("\x08"),         /* no value */
        SPAN("\x09\x01\x02"), /* a cut fixed field */
        SPAN("\x0d\x01"),
        SPAN("\x0a\x05"
             "ab"), /* longer than the message */
        SPAN("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        SPAN("\x0b"), /* groups */
        SPAN("\x0c"),
        SPAN("\x0e"), /* wire types that do not exist */
        SPAN("\x0f"),
        SPAN("\x80\x80\x80\x80\x10\x00"), /* a field number beyond 29 bits */
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct pb_reader r = pb_reader_of(bad[i]);
        struct pb_field f;
        if (pb_read_field(&r, &f) != ERR_SYNTAX) {
            fail_msg("row %zu is accepted", i);
        }
    }
}

static void messages_of_any_length_are_closed_right(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 127, 128, 129, 16383, 16384, 70000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct buf b = {0};
        size_t outer = pb_open(&b, 1);
        size_t mark = pb_open(&b, 2);
        char *at = buf_reserve(&b, sizes[i]);
        memset(at, 'x', sizes[i]);
        b.n += sizes[i];
        pb_close(&b, mark);
        pb_close(&b, outer);
        struct pb_reader r = pb_reader_of(buf_span(&b));
        struct pb_field f;
        assert_int_equal(pb_read_field(&r, &f), 1);
        assert_int_equal(f.number, 1);
        assert_ptr_equal(r.p, r.end);
        r = pb_reader_of(f.bytes);
        assert_int_equal(pb_read_field(&r, &f), 1);
        assert_int_equal(f.number, 2);
        assert_int_equal(f.bytes.n, sizes[i]);
        assert_ptr_equal(r.p, r.end);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_escaped_as_the_reference_does),
        cmocka_unit_test(raw_values_lose_newlines_and_nothing_else),
        cmocka_unit_test(compacting_spares_the_inside_of_strings),
        cmocka_unit_test(base64_follows_the_test_vectors),
        cmocka_unit_test(standard_base64_is_read_as_its_writers_write_it),
        cmocka_unit_test(malformed_base64_is_refused),
        cmocka_unit_test(varints_have_their_published_bytes),
        cmocka_unit_test(varints_beyond_64_bits_are_refused),
        cmocka_unit_test(fields_of_each_wire_type_are_read),
        cmocka_unit_test(malformed_fields_are_refused),
        cmocka_unit_test(messages_of_any_length_are_closed_right),
    };
    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
