/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about frames, error rows and the tables of messages. */
#include <stdlib.h>

#include "common/base/err.h"
#include "common/protocol/frame.h"
#include "common/protocol/perr.h"

#include "tests/unit/schemas.h"
#include "tests/unit/unit.h"

static void json_commands_are_separated_by_one_newline(void **state)
{
    (void)state;
    static const struct {
        const char *frame;
        const char *commands[3];
        int end; /* what follows the commands */
    } rows[] = {
        {"", {NULL}, 0},
        {"{}", {"{}"}, 0},
        {"{}\n", {"{}"}, 0},
        {"{1}\n{2}\n{3}", {"{1}", "{2}", "{3}"}, 0},
        {"{1}\r\n{2}\r\n", {"{1}\r", "{2}\r"}, 0},
        {"\n", {NULL}, ERR_SYNTAX},
        {"\n{}", {NULL}, ERR_SYNTAX},
        {"{}\n\n", {"{}"}, ERR_SYNTAX},
        {"{1}\n\n{2}", {"{1}"}, ERR_SYNTAX},
        {"{1}\n \t\n{2}", {"{1}"}, ERR_SYNTAX},
        {"{1}\n ", {"{1}"}, ERR_SYNTAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span rest = span_str(rows[i].frame);
        struct span command;
        for (size_t k = 0; k < 3 && rows[i].commands[k] != NULL; k++) {
            assert_int_equal(frame_next(ENC_JSON, &rest, &command), 1);
            assert_true(span_eq_str(command, rows[i].commands[k]));
        }
        assert_int_equal(frame_next(ENC_JSON, &rest, &command), rows[i].end);
    }
}

static void protobuf_commands_carry_their_length(void **state)
{
    (void)state;
    struct span rest = SPAN("\x03"
                            "abc\x00\x01"
                            "d");
    struct span command;
    assert_int_equal(frame_next(ENC_PROTOBUF, &rest, &command), 1);
    assert_true(span_eq_str(command, "abc"));
    assert_int_equal(frame_next(ENC_PROTOBUF, &rest, &command), 1);
    assert_int_equal(command.n, 0); /* a pong */
    assert_int_equal(frame_next(ENC_PROTOBUF, &rest, &command), 1);
    assert_true(span_eq_str(command, "d"));
    assert_int_equal(frame_next(ENC_PROTOBUF, &rest, &command), 0);

    static const struct span bad[] = {
        SPAN("\x02"
             "a"),
        SPAN("\x80"),
        SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
             "a"),
        SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
             "a"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        rest = bad[i];
        assert_int_equal(frame_next(ENC_PROTOBUF, &rest, &command), ERR_SYNTAX);
    }
}

static void websocket_headers_follow_rfc_6455(void **state)
{
    (void)state;
    static const struct {
        unsigned opcode;
        size_t len;
        struct span want;
    } rows[] = {
        {WS_OP_TEXT, 0, SPAN("\x81\x00")},
        {WS_OP_TEXT, 125, SPAN("\x81\x7d")},
        {WS_OP_TEXT, 126, SPAN("\x81\x7e\x00\x7e")},
        {WS_OP_BINARY, 65535, SPAN("\x82\x7e\xff\xff")},
        {WS_OP_BINARY, 65536, SPAN("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char header[FRAME_HEADER_MAX];
        size_t n = frame_ws_header(rows[i].opcode, rows[i].len, header);
        assert_true(span_eq(span_of(header, n), rows[i].want));
    }
}

static void every_code_has_the_words_of_the_protocol(void **state)
{
    (void)state;
    static const struct {
        uint32_t code;
        const char *text;
    } rows[] = {
        {100, "internal server error"},
        {101, "unauthorized"},
        {102, "unknown channel"},
        {103, "permission denied"},
        {104, "method not found"},
        {105, "already subscribed"},
        {106, "limit exceeded"},
        {107, "bad request"},
        {108, "not available"},
        {109, "token expired"},
        {110, "expired"},
        {111, "too many requests"},
        {112, "unrecoverable position"},
        {113, "concurrent pagination"},
        {2000, "server unsubscribe"},
        {2500, "insufficient state"},
        {2501, "subscription expired"},
        {3000, "connection closed"},
        {3001, "shutdown"},
        {3004, "internal server error"},
        {3005, "connection expired"},
        {3006, "subscription expired"},
        {3008, "slow"},
        {3009, "write error"},
        {3010, "insufficient state"},
        {3011, "force reconnect"},
        {3012, "no pong"},
        {3013, "too many requests"},
        {3014, "state invalidated"},
        {3500, "invalid token"},
        {3501, "bad request"},
        {3502, "stale"},
        {3503, "force disconnect"},
        {3504, "connection limit"},
        {3505, "channel limit"},
        {3506, "inappropriate protocol"},
        {3507, "permission denied"},
        {3508, "not available"},
        {3509, "too many errors"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct perr_row *row = perr_row(rows[i].code);
        assert_non_null(row);
        assert_string_equal(row->text, rows[i].text);
        bool temporary = row->code == 100 || row->code == 111 || row->code == 113;
        assert_int_equal(row->temporary, temporary);
    }
    assert_null(perr_row(0));
    assert_null(perr_row(4000));
}

static void an_explanation_fits_and_ends_on_a_character(void **state)
{
    (void)state;
    struct buf b = {0};
    struct perr_result r = {.code = 3501, .detail = "no command"};
    perr_explain(&r, 123, &b);
    assert_string_equal(buf_cstr(&b), "bad request: no command");
    buf_clear(&b);
    r.detail = NULL;
    perr_explain(&r, 123, &b);
    assert_string_equal(buf_cstr(&b), "bad request");
    buf_clear(&b);
    r.detail = "\xc3\xa9\xc3\xa9\xc3\xa9";
    buf_add_str(&b, "before ");
    perr_explain(&r, 16, &b);
    assert_string_equal(buf_cstr(&b), "before bad request: \xc3\xa9");
    buf_clear(&b);
    r = (struct perr_result){.code = 4321};
    perr_explain(&r, 123, &b);
    assert_true(b.n != 0); /* an empty reason would make the SDKs reconnect for ever */
    buf_free(&b);
}

static void rows_of_a_table_do_not_collide(void **state)
{
    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(all_schemas); s++) {
        const struct schema *schema = all_schemas[s];
        for (size_t i = 0; i < schema->count; i++) {
            const struct field *f = &schema->fields[i];
            assert_in_range(f->number, 1, 0x1fffffff);
            assert_true(f->offset < schema->size);
            bool needs_sub = f->kind == KIND_MSG || f->kind == KIND_MAP_MSG;
            assert_int_equal(f->sub != NULL, needs_sub);
            for (size_t k = 0; k < i; k++) {
                const struct field *other = &schema->fields[k];
                if (other->number == f->number || other->offset == f->offset ||
                    span_eq_nocase(span_str(other->name), span_str(f->name))) {
                    fail_msg("%s: %s collides with %s", schema->name, f->name, other->name);
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_commands_are_separated_by_one_newline),
        cmocka_unit_test(protobuf_commands_carry_their_length),
        cmocka_unit_test(websocket_headers_follow_rfc_6455),
        cmocka_unit_test(every_code_has_the_words_of_the_protocol),
        cmocka_unit_test(an_explanation_fits_and_ends_on_a_character),
        cmocka_unit_test(rows_of_a_table_do_not_collide),
    };
    return cmocka_run_group_tests_name("protocol", tests, NULL, NULL);
}
