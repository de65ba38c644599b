/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about log lines: their form, that outside text cannot forge one, and that a full line is
 * never lost. */
#include "common/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/err.h"

#include "tests/unit/unit.h"

#define LINES_MAX 16384

static char path[] = "/tmp/pushd-test-log.XXXXXX";

static int open_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    if (fd < 0) {
        return -1;
    }
    close(fd);
    return log_open(LOG_LEVEL_INFO, path, NULL);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

/* What was logged since the last call, behind its time. */
static const char *logged(void)
{
    static char text[LINES_MAX];
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    assert_int_equal(ftruncate(fileno(f), 0), 0);
    fclose(f);
    const char *space = strchr(text, ' ');
    return space != NULL ? space + 1 : text;
}

static void a_line_has_level_source_message_and_pairs(void **state)
{
    (void)state;
    log_info(LOG_REDIS, "redis connected", LOG_STR("address", "127.0.0.1:6379"), LOG_NUM("db", -3));
    assert_string_equal(logged(), "INF [redis] redis connected address=127.0.0.1:6379 db=-3\n");
    log_error(LOG_SERVER, "plain");
    assert_string_equal(logged(), "ERR [server] plain\n");
}

static void outside_text_cannot_forge_a_line(void **state)
{
    (void)state;
    log_info(LOG_CLIENT, "connect", LOG_STR("user", "a\n2024 INF [client] forged user=root"));
    const char *line = logged();
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_non_null(strstr(line, "user=\"a\\n2024 INF [client] forged user=root\"\n"));
    log_info(LOG_CLIENT, "connect", LOG_TEXT("user", SPAN("\"\\\x01\x7f= ")));
    assert_string_equal(logged(), "INF [client] connect user=\"\\\"\\\\\\x01\\x7f= \"\n");
    log_info(LOG_CLIENT, "connect", LOG_STR("user", ""), LOG_TEXT("client", (struct span){0}));
    assert_string_equal(logged(), "INF [client] connect user=\"\" client=\"\"\n");
}

static void text_that_is_not_utf8_is_escaped(void **state)
{
    (void)state;
    log_info(LOG_CLIENT, "connect", LOG_STR("user", "\xc3\xa9\xff\xe2\x82"));
    assert_string_equal(logged(), "INF [client] connect user=\"\xc3\xa9\\xff\\xe2\\x82\"\n");
    log_info(LOG_CLIENT, "connect", LOG_STR("user", "\xc3\xa9"));
    assert_string_equal(logged(), "INF [client] connect user=\xc3\xa9\n");
}

static void a_line_that_is_too_long_keeps_its_beginning(void **state)
{
    (void)state;
    char long_text[5000];
    memset(long_text, 'x', sizeof(long_text));
    struct span s = span_of(long_text, sizeof(long_text));
    log_info(LOG_API, "publish", LOG_NUM("n", 1), LOG_TEXT("a", s), LOG_TEXT("b", s),
             LOG_TEXT("c", s), LOG_TEXT("d", s), LOG_TEXT("e", s));
    const char *line = logged();
    assert_memory_equal(line, "INF [api] publish n=1 a=xxx", 27);
    assert_int_equal(line[strlen(line) - 1], '\n');
    assert_true(strlen(line) > 1000);
    assert_true(strlen(line) < 2100);
}

static int evaluations;

static const char *evaluate(void)
{
    evaluations++;
    return "value";
}

static void arguments_below_the_threshold_are_not_evaluated(void **state)
{
    (void)state;
    log_debug(LOG_CLIENT, "publish", LOG_STR("channel", evaluate()));
    assert_int_equal(evaluations, 0);
    log_threshold = LOG_LEVEL_DEBUG;
    log_debug(LOG_CLIENT, "publish", LOG_STR("channel", evaluate()));
    log_threshold = LOG_LEVEL_INFO;
    assert_int_equal(evaluations, 1);
    assert_string_equal(logged(), "DBG [client] publish channel=value\n");
}

static void levels_parse_by_their_configuration_names(void **state)
{
    (void)state;
    static const char *const names[] = {"trace", "debug", "info", "warn", "error", "fatal", "none"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        enum log_level level;
        assert_int_equal(log_level_parse(span_str(names[i]), &level), 0);
        assert_int_equal(level, i);
    }
    enum log_level level;
    assert_int_equal(log_level_parse(SPAN("INFO"), &level), ERR_UNKNOWN);
    assert_int_equal(log_level_parse(SPAN(""), &level), ERR_UNKNOWN);
}

static void reopening_follows_a_rotated_file(void **state)
{
    (void)state;
    char moved[sizeof(path) + 4];
    snprintf(moved, sizeof(moved), "%s.1", path);
    assert_int_equal(rename(path, moved), 0);
    log_reopen();
    log_info(LOG_SERVER, "after");
    assert_string_equal(logged(), "INF [server] after\n");
    assert_int_equal(unlink(moved), 0);
}

static void a_log_file_that_cannot_be_opened_is_named(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(log_open(LOG_LEVEL_INFO, "/nonexistent/pushd.log", &e), ERR_IO);
    assert_non_null(strstr(e.text, "/nonexistent/pushd.log"));
}

static void repeated_lines_are_limited_and_counted(void **state)
{
    (void)state;
    struct log_limit l = {.period_ms = 1000, .burst = 2, .started_ms = 100};
    uint32_t suppressed = 99;
    assert_true(log_limit_pass(&l, 200, &suppressed));
    assert_int_equal(suppressed, 0);
    assert_true(log_limit_pass(&l, 300, &suppressed));
    for (int i = 0; i < 5; i++) {
        assert_false(log_limit_pass(&l, 400, &suppressed));
    }
    assert_true(log_limit_pass(&l, 1100, &suppressed));
    assert_int_equal(suppressed, 5);
    assert_true(log_limit_pass(&l, 1200, &suppressed));
    assert_int_equal(suppressed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_level_source_message_and_pairs),
        cmocka_unit_test(outside_text_cannot_forge_a_line),
        cmocka_unit_test(text_that_is_not_utf8_is_escaped),
        cmocka_unit_test(a_line_that_is_too_long_keeps_its_beginning),
        cmocka_unit_test(arguments_below_the_threshold_are_not_evaluated),
        cmocka_unit_test(levels_parse_by_their_configuration_names),
        cmocka_unit_test(reopening_follows_a_rotated_file),
        cmocka_unit_test(a_log_file_that_cannot_be_opened_is_named),
        cmocka_unit_test(repeated_lines_are_limited_and_counted),
    };
    return cmocka_run_group_tests_name("log", tests, open_file, remove_file);
}
