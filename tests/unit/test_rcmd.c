/* SPDX-License-Identifier: Apache-2.0 */
/* Redis commands as bytes. */
#include "tests/unit/unit.h"

#include "common/engine/rcmd.h"

static void command_is_an_array_of_bulk_strings(void **state)
{
    (void)state;
    struct buf b = {0};
    rcmd_begin(&b, 3);
    rcmd_arg_str(&b, "SET");
    rcmd_arg(&b, span_of("a\0b", 3));
    rcmd_arg(&b, SPAN(""));
    static const char want[] = "*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$0\r\n\r\n";
    assert_int_equal(b.n, sizeof(want) - 1);
    assert_memory_equal(b.p, want, sizeof(want) - 1);
    buf_free(&b);
}

static void commands_follow_one_another(void **state)
{
    (void)state;
    struct buf b = {0};
    rcmd_begin(&b, 1);
    rcmd_arg_str(&b, "PING");
    rcmd_begin(&b, 1);
    rcmd_arg_str(&b, "PING");
    assert_string_equal(buf_cstr(&b), "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n");
    buf_free(&b);
}

static void numbers_are_decimal_text(void **state)
{
    (void)state;
    static const struct {
        int64_t v;
        const char *want;
    } rows[] = {
        {0, "$1\r\n0\r\n"},
        {-1, "$2\r\n-1\r\n"},
        {INT64_MAX, "$19\r\n9223372036854775807\r\n"},
        {INT64_MIN, "$20\r\n-9223372036854775808\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = {0};
        rcmd_arg_i64(&b, rows[i].v);
        assert_string_equal(buf_cstr(&b), rows[i].want);
        buf_free(&b);
    }
}

static void parts_make_one_argument(void **state)
{
    (void)state;
    struct buf b = {0};
    const struct span parts[] = {SPAN("p"), SPAN(".x."), {0}, SPAN("ch")};
    rcmd_arg_parts(&b, parts, ARRAY_LEN(parts));
    assert_string_equal(buf_cstr(&b), "$6\r\np.x.ch\r\n");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_is_an_array_of_bulk_strings),
        cmocka_unit_test(commands_follow_one_another),
        cmocka_unit_test(numbers_are_decimal_text),
        cmocka_unit_test(parts_make_one_argument),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
