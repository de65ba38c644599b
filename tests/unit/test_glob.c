/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns: globs and regular expressions. */
#include "common/policy/channel.h"
#include "common/policy/rx.h"
#include "tests/unit/unit.h"

struct row {
    const char *pattern;
    const char *text;
    bool matches;
};

static void globs_match(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "a/b.c:d", true},
        {"**", "x", true},
        {"a*", "a", true},
        {"a*c", "abbbc", true},
        {"a*c", "abbb", false},
        {"*a*b*", "xxaxxbxx", true},
        {"?", "a", true},
        {"?", "", false},
        {"?", "\xc3\xa9", true},
        {"??", "\xc3\xa9", false},
        {"[abc]x", "bx", true},
        {"[abc]x", "dx", false},
        {"[!abc]x", "dx", true},
        {"[!abc]x", "ax", false},
        {"[a-c0-9]", "b", true},
        {"[a-c0-9]", "5", true},
        {"[a-c0-9]", "d", false},
        {"[a-]", "-", true},
        {"[\\]]", "]", true},
        {"[\xd0\xb0-\xd1\x8f]", "\xd0\xb6", true},
        {"{ab,cd}", "cd", true},
        {"{ab,cd}", "ad", false},
        {"{ab,cd}x", "abx", true},
        {"x{,y}z", "xz", true},
        {"x{,y}z", "xyz", true},
        {"x{y}z", "xyz", true},
        {"{a,{b,c}d}e", "cde", true},
        {"{a,{b,c}d}e", "ce", false},
        {"{*.com,*.org}", "a.org", true},
        {"https://{a,b}.example.com", "https://b.example.com", true},
        {"a,b", "a,b", true},
        {"a}", "a}", true},
        {"]", "]", true},
        {"\\*", "*", true},
        {"\\*", "x", false},
        {"\\{a\\}", "{a}", true},
        {"\\?", "?", true},
        {"open:*", "open:a", true},
        {"open:*", "closed:a", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(glob_is_valid(span_str(rows[i].pattern)));
        if (glob_match(span_str(rows[i].pattern), span_str(rows[i].text)) != rows[i].matches) {
            fail_msg("%s against %s", rows[i].pattern, rows[i].text);
        }
    }
}

static void malformed_globs_are_found(void **state)
{
    (void)state;
    static const char *const bad[] = {"[a",     "[",   "[]",   "[!]", "a{b",
                                      "{a,{b}", "a\\", "[a\\", "[\\]"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(glob_is_valid(span_str(bad[i])));
        assert_false(glob_match(span_str(bad[i]), SPAN("a")));
    }
    char deep[80];
    memset(deep, '{', 40);
    memset(deep + 40, '}', 40);
    assert_false(glob_is_valid(span_of(deep, 80)));
    static char longer[4000];
    memset(longer, 'a', sizeof(longer));
    assert_false(glob_is_valid(span_of(longer, sizeof(longer))));
    assert_true(glob_match(span_of(longer, 2048), span_of(longer, 2048)));
}

static void no_glob_takes_exponential_time(void **state)
{
    (void)state;
    char text[256];
    memset(text, 'a', sizeof(text));
    assert_false(glob_match(SPAN("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"),
                            span_of(text, sizeof(text))));
    assert_false(glob_match(SPAN("{a*,a*}{a*,a*}{a*,a*}{a*,a*}{a*,a*}{a*,a*}{a*,a*}{a*,a*}b"),
                            span_of(text, sizeof(text))));
}

static bool finds(const char *pattern, struct span text)
{
    struct err e = {0};
    struct rx *r = rx_new(span_str(pattern), &e);
    if (r == NULL) {
        fail_msg("%s: %s", pattern, e.text);
    }
    bool found = rx_finds(r, text);
    rx_free(r);
    return found;
}

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (finds(rows[i].pattern, span_str(rows[i].text)) != rows[i].matches) {
            fail_msg("%s against %s", rows[i].pattern, rows[i].text);
        }
    }
}

static void regular_expressions_match_as_in_go(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "x", true},
        {"^$", "", true},
        {"^$", "x", false},
        {"b", "abc", true},
        {"^b", "abc", false},
        {"^[a-z]+$", "abc", true},
        {"^[a-z]+$", "abc\n", false},
        {"^[a-zA-Z0-9_-]+$", "a-B_9", true},
        {"^[]a]+$", "]a", true},
        {"^[^]a]+$", "bc", true},
        {"^[^a-z]$", "\xc3\xa9", true},
        {"^[a\\-z]+$", "a-z", true},
        {"^[\\d.]+$", "1.2", true},
        {"^[[:alpha:]_]+$", "aZ_", true},
        {"^[[:^alpha:]]+$", "123", true},
        {"^[-a]+$", "a-", true},
        {"^[a-]+$", "a-", true},
        {"^\\d{2,3}$", "12", true},
        {"^\\d{2,3}$", "1", false},
        {"^\\d{2,3}$", "1234", false},
        {"^\\d{2,}$", "12345", true},
        {"^\\d{2}$", "12", true},
        {"^a{,2}$", "a{,2}", true},
        {"^a{0}b$", "b", true},
        {"^x{1$", "x{1", true},
        {"^(a|bc)*d$", "abcad", true},
        {"^(?:a|b)?c$", "c", true},
        {"^(?P<n>a)(?<m>b)$", "ab", true},
        {"^a+?b*?$", "aab", true},
        {"^.$", "\xc3\xa9", true},
        {"^..$", "\xc3\xa9", false},
        {"^.$", "\n", false},
        {"(?s)^.$", "\n", true},
    };
    check_rows(rows, ARRAY_LEN(rows));
    assert_true(finds("^a.b$", SPAN("a\0b")));
    assert_true(finds("^\xef\xbf\xbd$", SPAN("\xff")));
}

static void flags_escapes_and_edges_work_as_in_go(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"(?m)^b$", "a\nb\nc", true},
        {"(?i)^AbC[x-z]$", "aBcY", true},
        {"^(?i:a)b$", "Ab", true},
        {"^(?i:a)b$", "AB", false},
        {"^a(?i)b|c$", "aB", true},
        {"(?i)^a(?-i)b$", "AB", false},
        {"^[\xd0\xb0-\xd1\x8f]+$", "\xd0\xb6\xd0\xb0", true},
        {"^\\x41\\x{416}\\t$", "A\xd0\x96\t", true},
        {"^\\Qa.b\\E+$", "a.bb", false},
        {"^\\Qa.b\\E$", "a.b", true},
        {"^\\Qa.b\\E$", "axb", false},
        {"\\bfoo\\b", "a foo b", true},
        {"\\bfoo\\b", "afoo", false},
        {"\\Boo\\b", "foo", true},
        {"^\\w+\\s\\W\\S\\D$", "ab -xy", true},
        {"\\Aa\\z", "a", true},
        {"^\\.\\*\\[\\\\$", ".*[\\", true},
        {"a||b", "", true},
        {"^()*$", "", true},
        {"^(a*)*$", "aaaa", true},
        {"^((a|b){2}){2}$", "abba", true},
        {"^]$", "]", true},
        {"^\\/$", "/", true},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void malformed_expressions_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "(",
        ")",
        "a)",
        "(a",
        "[a",
        "[z-a]",
        "*a",
        "a**",
        "a{2}{3}",
        "+",
        "a{1001}",
        "a{3,2}",
        "\\p{L}",
        "\\PN",
        "\\1",
        "\\c",
        "a\\",
        "(?=a)",
        "(?<!a)",
        "(?P<>a)",
        "(?P<a>x)(?P<a>y)",
        "(?x)a",
        "[[:no:]]",
        "\\x4",
        "\\x{zz}",
        "\\xg0",
        "(?i)\xc3\xa9",
        "[\\p{L}]",
        "(?",
        "(?i",
        "[a-\\d]",
        "((a{1000}){1000}){1000}",
        "((((){1000}){1000}){1000}){1000}",
        "\\x{110000}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = {0};
        struct rx *r = rx_new(span_str(bad[i]), &e);
        if (r != NULL) {
            rx_free(r);
            fail_msg("%s is taken", bad[i]);
        }
        assert_true(e.code < 0 && e.text[0] != '\0');
    }
}

static void groups_capture_what_go_captures(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *text;
        const char *group; /* NULL: it took no part */
    } rows[] = {
        {"(?P<x>a|ab)c?", "xabc", "a"},
        {"(?P<x>ab|a)", "xabc", "ab"},
        {"(?P<x>a*)", "baaa", ""},
        {"(?P<x>a+)", "baaa", "aaa"},
        {"(?P<x>a+?)", "baaa", "a"},
        {"(?U)(?P<x>a+)", "baaa", "a"},
        {"(?U)(?P<x>a+?)", "baaa", "aaa"},
        {"(?P<x>a{1,2}?)b", "aab", "aa"},
        {"^https://(?<x>[^/]+)/", "https://id.example/r", "id.example"},
        {"(?:(?P<x>a)|b)*", "ab", "a"},
        {"(?:(?P<x>a)|b)*$", "aab", "a"},
        {"(?P<y>b)?(?P<x>a)", "ba", "a"},
        {"(?P<x>b)?a", "a", NULL},
        {"(?P<x>b)|a", "ab", NULL},
        {"a(?P<x>)b", "ab", ""},
        {"(?P<x>\xc3\xa9+)$", "e\xc3\xa9\xc3\xa9", "\xc3\xa9\xc3\xa9"},
        {"\\b(?P<x>\\w+)\\b", "--one two", "one"},
        {"(?P<x>(?P<y>a)b)", "ab", "ab"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        struct rx *r = rx_new(span_str(rows[i].pattern), &e);
        struct span found;
        assert_non_null(r);
        assert_true(rx_capture(r, rx_group(r, SPAN("x")), span_str(rows[i].text), &found));
        if ((found.p == NULL) != (rows[i].group == NULL) || !span_eq_str(found, rows[i].group)) {
            fail_msg("%s against %s: %.*s", rows[i].pattern, rows[i].text, SPAN_FMT(found));
        }
        assert_int_equal(rx_group(r, SPAN("z")), -1);
        rx_free(r);
    }
    struct span none;
    struct rx *r = rx_new(SPAN("(?P<x>a)"), NULL);
    assert_false(rx_capture(r, 0, SPAN("b"), &none));
    assert_null(none.p);
    rx_free(r);
}

static void no_expression_takes_exponential_time(void **state)
{
    (void)state;
    char text[255];
    memset(text, 'a', sizeof(text));
    assert_false(
        finds("^(a+)+$|(a|aa)*b", span_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", 43)));
    assert_false(finds("^(a?){200}(a*)*b", span_of(text, sizeof(text))));
    assert_true(finds("^(a?){500}a{200}", span_of(text, sizeof(text))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs_match),
        cmocka_unit_test(malformed_globs_are_found),
        cmocka_unit_test(no_glob_takes_exponential_time),
        cmocka_unit_test(regular_expressions_match_as_in_go),
        cmocka_unit_test(groups_capture_what_go_captures),
        cmocka_unit_test(flags_escapes_and_edges_work_as_in_go),
        cmocka_unit_test(malformed_expressions_are_refused),
        cmocka_unit_test(no_expression_takes_exponential_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
