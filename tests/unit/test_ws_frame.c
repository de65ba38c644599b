/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket framing: what clients may send, in one piece and byte by byte. */
#include "pushd/worker/ws_frame.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

#define MAX_BYTES 1000

/* Appends one client frame. */
static void add_frame(struct buf *b, unsigned first, struct span payload, bool masked)
{
    static const char mask[4] = {0x11, 0x22, 0x33, 0x44};
    buf_add_char(b, (char)first);
    char bit = masked ? (char)0x80 : 0;
    if (payload.n < 126) {
        buf_add_char(b, (char)(bit | (char)payload.n));
    } else {
        buf_add_char(b, (char)(bit | 126));
        buf_add_char(b, (char)(payload.n >> 8));
        buf_add_char(b, (char)(payload.n & 0xff));
    }
    if (masked) {
        buf_add(b, mask, 4);
    }
    for (size_t i = 0; i < payload.n; i++) {
        buf_add_char(b, masked ? (char)(payload.p[i] ^ mask[i & 3]) : payload.p[i]);
    }
}

struct seen {
    struct buf text; /* events as a line each */
};

static void note(struct seen *s, const struct ws_event *e)
{
    static const char *const names[] = {
        [WS_MESSAGE] = "message", [WS_PING] = "ping",   [WS_PONG] = "pong",
        [WS_CLOSE] = "close",     [WS_ERROR] = "error",
    };
    buf_addf(&s->text, "%s%s %u %.*s\n", e->is_deflated ? "deflated " : "", names[e->kind], e->code,
             (int)e->payload.n, e->payload.p != NULL ? e->payload.p : "");
}

/* Feeds in pieces of `step` bytes and returns what came out. */
static char *feed(const struct buf *in, size_t step, bool has_deflate)
{
    struct ws_reader r = {.has_deflate = has_deflate};
    struct seen s = {0};
    char *copy = malloc(in->n + 1);
    memcpy(copy, in->p, in->n);
    bool over = false;
    for (size_t at = 0; at < in->n && !over; at += step) {
        char *p = copy + at;
        size_t n = in->n - at < step ? in->n - at : step;
        for (;;) {
            struct ws_event e = ws_reader_next(&r, &p, &n, MAX_BYTES);
            if (e.kind == WS_NONE) {
                break;
            }
            note(&s, &e);
            over = e.kind == WS_ERROR || e.kind == WS_CLOSE;
            if (over) {
                break;
            }
        }
    }
    ws_reader_fini(&r);
    free(copy);
    char *text = span_dup(buf_span(&s.text));
    buf_free(&s.text);
    return text;
}

static void expect_with(bool has_deflate, struct buf *in, const char *events)
{
    for (size_t step = 1; step <= in->n; step = step * 3 + 1) {
        char *got = feed(in, step, has_deflate);
        assert_string_equal(got, events);
        free(got);
    }
    char *got = feed(in, in->n, has_deflate);
    assert_string_equal(got, events);
    free(got);
    buf_free(in);
}

static void expect(struct buf *in, const char *events)
{
    expect_with(false, in, events);
}

static void messages_arrive_whole_however_they_are_cut(void **state)
{
    (void)state;
    struct buf b = {0};
    add_frame(&b, 0x81, SPAN("hello"), true);
    add_frame(&b, 0x82, SPAN(""), true);
    add_frame(&b, 0x01, SPAN("frag"), true);
    add_frame(&b, 0x89, SPAN("p1"), true);
    add_frame(&b, 0x89, SPAN("p2"), true);
    add_frame(&b, 0x80, SPAN("ment"), true);
    add_frame(&b, 0x8a, SPAN(""), true);
    expect(&b, "message 0 hello\nmessage 0 \nping 0 p1\nping 0 p2\nmessage 0 fragment\npong 0 \n");
}

static void an_unmasked_frame_is_refused_even_after_masked_ones(void **state)
{
    (void)state;
    struct buf b = {0};
    add_frame(&b, 0x81, SPAN("a"), true);
    add_frame(&b, 0x81, SPAN("b"), false);
    expect(&b, "message 0 a\nerror 1002 \n");
}

static void bad_headers_are_protocol_errors(void **state)
{
    (void)state;
    static const unsigned firsts[] = {0x83, 0x8b, 0x8f, 0xc1, 0x80, 0x09};
    for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
        struct buf b = {0};
        add_frame(&b, firsts[i], SPAN("x"), true);
        expect(&b, "error 1002 \n");
    }
    struct buf b = {0};
    add_frame(&b, 0x01, SPAN("x"), true);
    add_frame(&b, 0x81, SPAN("y"), true);
    expect(&b, "error 1002 \n");
}

static void compressed_messages_are_told_apart(void **state)
{
    (void)state;
    struct buf b = {0};
    add_frame(&b, 0xc1, SPAN("a"), true);
    add_frame(&b, 0x81, SPAN("b"), true);
    add_frame(&b, 0x42, SPAN("c"), true);
    add_frame(&b, 0x89, SPAN("p"), true);
    add_frame(&b, 0x80, SPAN("d"), true);
    expect_with(true, &b, "deflated message 0 a\nmessage 0 b\nping 0 p\ndeflated message 0 cd\n");
    /* Continuations and control frames carry no such bit, and the other two mean nothing. */
    static const unsigned bad[] = {0xc9, 0xca, 0xc8, 0xa1, 0x91, 0xe1};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        add_frame(&b, bad[i], SPAN("xy"), true);
        expect_with(true, &b, "error 1002 \n");
    }
    add_frame(&b, 0x41, SPAN("a"), true);
    add_frame(&b, 0xc0, SPAN("b"), true);
    expect_with(true, &b, "error 1002 \n");
}

static void a_message_over_the_limit_is_1009_before_it_is_buffered(void **state)
{
    (void)state;
    char big[600];
    memset(big, 'x', sizeof(big));
    struct buf b = {0};
    add_frame(&b, 0x01, span_of(big, sizeof(big)), true);
    add_frame(&b, 0x80, span_of(big, sizeof(big)), true);
    expect(&b, "error 1009 \n");
    /* A length alone is enough: not one byte of 2^40 has to arrive. */
    static const char huge[] = {(char)0x82, (char)0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4};
    buf_add(&b, huge, sizeof(huge));
    expect(&b, "error 1009 \n");
}

static void close_codes_are_checked(void **state)
{
    (void)state;
    struct buf b = {0};
    add_frame(&b, 0x88, SPAN("\x03\xe8"), true);
    expect(&b, "close 1000 \x03\xe8\n");
    add_frame(&b, 0x88, SPAN(""), true);
    expect(&b, "close 1005 \n");
    add_frame(&b, 0x88, SPAN("\x03\xed"), true); /* 1005 must not be sent */
    expect(&b, "error 1002 \n");
    add_frame(&b, 0x88, SPAN("x"), true);
    expect(&b, "error 1002 \n");
    add_frame(&b, 0x88, SPAN("\x03\xe8gr\xfc\xdf"), true);
    expect(&b, "error 1002 \n");
}

static void a_close_reason_is_cut_between_characters(void **state)
{
    (void)state;
    char body[WS_CLOSE_MAX];
    char reason[130];
    assert_int_equal(ws_close_body(3501, SPAN(""), body), 2);
    assert_memory_equal(body, "\x0d\xad", 2);
    assert_int_equal(ws_close_body(3501, SPAN("bad"), body), 5);
    assert_memory_equal(body,
                        "\x0d\xad"
                        "bad",
                        5);
    for (size_t lead = 120; lead < 125; lead++) { /* then characters of three bytes */
        memset(reason, 'x', lead);
        memcpy(reason + lead, "\xe2\x82\xac\xe2\x82\xac", sizeof(reason) - lead < 6 ? 3 : 6);
        size_t n = ws_close_body(1000, span_of(reason, lead + 3), body);
        assert_int_equal(n - 2, lead <= 120 ? lead + 3 : lead < 123 ? lead : 123);
        assert_memory_equal(body + 2, reason, n - 2);
    }
}

static void an_idle_reader_holds_no_memory(void **state)
{
    (void)state;
    struct buf b = {0};
    add_frame(&b, 0x01, SPAN("fra"), true);
    add_frame(&b, 0x80, SPAN("gment"), true);
    struct ws_reader r = {0};
    char *p = b.p;
    size_t n = b.n;
    struct ws_event e = ws_reader_next(&r, &p, &n, MAX_BYTES);
    assert_int_equal(e.kind, WS_MESSAGE);
    assert_false(ws_reader_is_midway(&r));
    e = ws_reader_next(&r, &p, &n, MAX_BYTES);
    assert_int_equal(e.kind, WS_NONE);
    assert_null(r.message.p);
    ws_reader_fini(&r);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_whole_however_they_are_cut),
        cmocka_unit_test(an_unmasked_frame_is_refused_even_after_masked_ones),
        cmocka_unit_test(bad_headers_are_protocol_errors),
        cmocka_unit_test(compressed_messages_are_told_apart),
        cmocka_unit_test(a_message_over_the_limit_is_1009_before_it_is_buffered),
        cmocka_unit_test(close_codes_are_checked),
        cmocka_unit_test(a_close_reason_is_cut_between_characters),
        cmocka_unit_test(an_idle_reader_holds_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
