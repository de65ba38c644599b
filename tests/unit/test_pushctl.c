/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about what pushctl's commands are made of: words, addresses, tokens as people paste them.
 */
#include <stdlib.h>

#include "common/base/err.h"
#include "pushctl/net.h"
#include "pushctl/token_show.h"
#include "pushctl/words.h"
#include "tests/unit/unit.h"

static void durations_have_two_units_at_most(void **state)
{
    (void)state;
    static const struct {
        int64_t s;
        const char *text;
    } rows[] = {
        {0, "0 s"},       {-42, "42 s"},           {59, "59 s"},
        {60, "1 min"},    {125, "2 min"},          {7500, "2 h 5 min"},
        {86400, "1 day"}, {604799, "6 days 23 h"}, {2592000, "30 days"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = {0};
        words_add_duration(&b, rows[i].s);
        assert_string_equal(buf_cstr(&b), rows[i].text);
        buf_free(&b);
    }
}

static void moments_are_relative_and_absolute(void **state)
{
    (void)state;
    static const struct {
        int64_t at;
        const char *text;
    } rows[] = {
        {1750000180, "in 3 min (2025-06-15 15:09:40 UTC)"},
        {1750000000, "just now (2025-06-15 15:06:40 UTC)"},
        {1749999999, "1 s ago (2025-06-15 15:06:39 UTC)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = {0};
        words_add_moment(&b, rows[i].at, 1750000000);
        assert_string_equal(buf_cstr(&b), rows[i].text);
        buf_free(&b);
    }
}

static void ttls_are_seconds_or_have_a_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t s;
    } good[] = {
        {"1", 1}, {"90", 90}, {"90s", 90}, {"15m", 900}, {"24h", 86400}, {"7d", 604800}, {"-1", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        int64_t s = 0;
        assert_int_equal(words_parse_duration(good[i].text, &s), 0);
        assert_int_equal(s, good[i].s);
    }
    static const char *const bad[] = {
        "", "0", "-2", "-1s", "1x", "s", "1 ", "+1", "1.5h", "99999999999d", "9223372036854775807"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t s = 0;
        assert_int_not_equal(words_parse_duration(bad[i], &s), 0);
    }
}

static void codes_tell_whether_sdks_come_back(void **state)
{
    (void)state;
    static const uint32_t back[] = {1000, 1001, 1006, 3000, 3005, 3012, 3499, 4000, 4499, 5000};
    static const uint32_t final[] = {1009, 3500, 3501, 3999, 4500, 4999};
    for (size_t i = 0; i < ARRAY_LEN(back); i++) {
        assert_true(words_sdk_reconnects(back[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(final); i++) {
        assert_false(words_sdk_reconnects(final[i]));
    }
    assert_non_null(words_advice(3500));
    assert_null(words_advice(4242));
}

static void foreign_text_cannot_steer_the_terminal(void **state)
{
    (void)state;
    struct buf b = {0};
    words_add_clean(&b, SPAN("a\x1b[31m\r\n\x7f\xc2\x9b"
                             "b\xc3\xa9"));
    assert_string_equal(buf_cstr(&b), "a?[31m????b\xc3\xa9");
    buf_free(&b);
}

static void addresses_come_in_many_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *port, *path, *display;
    } rows[] = {
        {"http://127.0.0.1:8000", "127.0.0.1", "8000", "/d", "127.0.0.1:8000"},
        {"ws://h/x?y=1", "h", "80", "/x?y=1", "h:80"},
        {"localhost:1/", "localhost", "1", "/", "localhost:1"},
        {"[::1]:8001", "::1", "8001", "/d", "[::1]:8001"},
        {"http://[fe80::1]/p", "fe80::1", "80", "/p", "[fe80::1]:80"},
        {"0.0.0.0:8001", "127.0.0.1", "8001", "/d", "127.0.0.1:8001"},
        {"[::]:8001", "::1", "8001", "/d", "[::1]:8001"},
        {":8001", "127.0.0.1", "8001", "/d", "127.0.0.1:8001"},
        {"unix:/run/x.sock", "", "", "/d", "unix:/run/x.sock"},
        {"unix:///run/x.sock", "", "", "/d", "unix:/run/x.sock"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct net_url u;
        struct err e = {0};
        if (net_url_parse(rows[i].text, "/d", &u, &e) != 0) {
            fail_msg("%s: %s", rows[i].text, e.text);
        }
        assert_string_equal(u.host, rows[i].host);
        assert_string_equal(u.port, rows[i].port);
        assert_string_equal(u.path, rows[i].path);
        assert_string_equal(u.display, rows[i].display);
    }
}

static void addresses_that_cannot_work_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"https://h",
                                      "wss://h/x",
                                      "ftp://h",
                                      "h:0",
                                      "h:65536",
                                      "h:",
                                      "h:port",
                                      "http://h:1:2",
                                      "ws://h:-1",
                                      "http://h/a b",
                                      "http://h/a\r\nX: y",
                                      "h\n:1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct net_url u;
        struct err e = {0};
        assert_int_not_equal(net_url_parse(bad[i], "/d", &u, &e), 0);
        assert_true(e.text[0] != '\0');
    }
    char *longest = malloc(2001);
    assert_non_null(longest);
    memset(longest, 'a', 2000);
    longest[2000] = '\0';
    struct net_url u;
    assert_int_equal(net_url_parse(longest, "/d", &u, NULL), ERR_LIMIT);
    memcpy(longest, "unix:", 5);
    assert_int_equal(net_url_parse(longest, "/d", &u, NULL), ERR_LIMIT);
    free(longest);
}

static void tokens_lose_what_was_copied_along(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "a.b.c", " a.b.c\n", "\"a.b.c\"", "Bearer a.b.c", "bearer  'a.b.c'\r\n", "'\"a.b.c\"'"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct span s = token_strip(span_str(forms[i]));
        if (!span_eq_str(s, "a.b.c")) {
            fail_msg("%s gave %.*s", forms[i], SPAN_FMT(s));
        }
    }
    assert_int_equal(token_strip(SPAN("")).n, 0);
    assert_true(span_eq_str(token_strip(SPAN("\"")), "\""));
}

static void parts_of_a_token_are_read_leniently(void **state)
{
    (void)state;
    struct arena a = {0};
    struct span token = SPAN("eyJhbGciOiJ4In0=.eyJzdWIiOjQyLCJzdWIiOiJiIn0");
    struct span payload = token_part(token, 1, &a);
    assert_true(span_eq_str(token_part(token, 0, &a), "{\"alg\":\"x\"}"));
    assert_true(span_eq_str(token_member(payload, "sub", &a), "\"b\""));
    assert_null(token_member(payload, "exp", &a).p);
    assert_null(token_part(token, 2, &a).p);
    assert_null(token_part(SPAN("hello"), 0, &a).p);
    assert_null(token_part(SPAN(""), 0, &a).p);
    assert_null(token_part(SPAN("W10.e30"), 0, &a).p);
    assert_null(token_member((struct span){0}, "x", &a).p);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_two_units_at_most),
        cmocka_unit_test(moments_are_relative_and_absolute),
        cmocka_unit_test(ttls_are_seconds_or_have_a_unit),
        cmocka_unit_test(codes_tell_whether_sdks_come_back),
        cmocka_unit_test(foreign_text_cannot_steer_the_terminal),
        cmocka_unit_test(addresses_come_in_many_forms),
        cmocka_unit_test(addresses_that_cannot_work_are_refused),
        cmocka_unit_test(tokens_lose_what_was_copied_along),
        cmocka_unit_test(parts_of_a_token_are_read_leniently),
    };
    return cmocka_run_group_tests_name("pushctl", tests, NULL, NULL);
}
