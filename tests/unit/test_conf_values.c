/* SPDX-License-Identifier: Apache-2.0 */
/* Durations and addresses as text. */
#include "common/base/err.h"
#include "common/policy/conf_value.h"
#include "tests/unit/unit.h"

static void durations_are_read_as_go_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"0", 0},
        {"0s", 0},
        {"25s", 25000000000},
        {"1h30m", 5400000000000},
        {"-1.5s", -1500000000},
        {"+5s", 5000000000},
        {"300ms", 300000000},
        {"1.5h", 5400000000000},
        {".5s", 500000000},
        {"1.s", 1000000000},
        {"1us", 1000},
        {"1\xc2\xb5s", 1000},
        {"5ns", 5},
        {"1m0.5s", 60500000000},
        {"1500", 1500},
        {"-1500", -1500},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t ns = -7;
        assert_int_equal(conf_duration_parse(span_str(good[i].text), &ns), 0);
        assert_int_equal(ns, good[i].ns);
    }
    static const char *const bad[] = {"",   "s",  "1",   "1x", "1 s", " 1s", "1s ", "--1s",
                                      "1d", ".s", "1.5", "-",  "1s2", "s1",  "1S"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t ns;
        bool is_bare = span_to_i64(span_str(bad[i]), &ns) == 0;
        assert_int_equal(conf_duration_parse(span_str(bad[i]), &ns) == 0, is_bare);
    }
    int64_t ns;
    assert_int_equal(conf_duration_parse(SPAN("2562048h"), &ns), ERR_RANGE);
    assert_int_equal(conf_duration_parse(SPAN("99999999999999999999s"), &ns), ERR_RANGE);
    assert_int_equal(conf_duration_parse(SPAN("2562047h2562047h"), &ns), ERR_RANGE);
}

static void durations_are_printed_as_they_are_read(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{0, "0s"},       {1, "1ms"},
                {25000, "25s"},  {5400000, "1h30m"},
                {-1000, "-1s"},  {90500, "1m30s500ms"},
                {3600000, "1h"}, {INT64_MIN, "-2562047788015h12m55s808ms"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = {0};
        conf_duration_print(rows[i].ms, &b);
        assert_string_equal(buf_cstr(&b), rows[i].text);
        buf_free(&b);
    }
}

static void passwords_in_addresses_are_hidden(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *shown;
    } rows[] = {
        {"redis://127.0.0.1:6379", "redis://127.0.0.1:6379"},
        {"redis://user:pass@h:1/0", "redis://user:***@h:1/0"},
        {"redis://:p@ss@h:1", "redis://:***@h:1"},
        {"redis://user@h:1", "redis://user@h:1"},
        {"u:p@h:1", "u:***@h:1"},
        {"127.0.0.1:6379", "127.0.0.1:6379"},
        {"unix:///run/a@b:c", "unix:///run/a@b:c"},
        {"redis://u:pa/ss@h:1", "redis://u:***@h:1"}, /* taken so: the last @ counts */
        {"redis://:1/2@h:1", "redis://:***@h:1"},
        {"redis://:pa?ss@h:1", "redis://:***@h:1"},
        {"unix://:pa/ss@/run/redis.sock", "unix://:***@/run/redis.sock"},
        {"https://u:p@h/keys", "https://u:***@h/keys"},
        {"https://h:8443/~a@b:c", "https://h:8443/~a@b:c"},
        {"https://h/a:b@c", "https://h/a:b@c"},
        {"", ""},
        {"://", "://"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = {0};
        conf_url_redact(span_str(rows[i].url), &b);
        assert_string_equal(buf_cstr(&b), rows[i].shown);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_as_go_reads_them),
        cmocka_unit_test(durations_are_printed_as_they_are_read),
        cmocka_unit_test(passwords_in_addresses_are_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
