/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of Redis. */
#include "tests/unit/unit.h"

#include "common/engine/redis_url.h"

static char none[] = "";
static char conf_user[] = "cu";
static char conf_password[] = "cp";

static const struct conf_redis plain = {
    .user = none, .password = none, .connect_timeout_ms = 1000, .io_timeout_ms = 4000};
static const struct conf_redis with_login = {.user = conf_user,
                                             .password = conf_password,
                                             .db = 2,
                                             .connect_timeout_ms = 1000,
                                             .io_timeout_ms = 4000};

static const struct {
    const char *address;
    const struct conf_redis *conf;
    const char *host;
    unsigned port;
    const char *path;
    const char *user;
    const char *password;
    int64_t db;
    int64_t connect_ms;
    const char *display;
} accepted[] = {
    {"127.0.0.1:6379", &plain, "127.0.0.1", 6379, NULL, "", "", 0, 1000, "127.0.0.1:6379"},
    {"redis:6380", &plain, "redis", 6380, NULL, "", "", 0, 1000, "redis:6380"},
    {"redis", &plain, "redis", 6379, NULL, "", "", 0, 1000, "redis:6379"},
    {" tcp://h:1 ", &plain, "h", 1, NULL, "", "", 0, 1000, "h:1"},
    {"redis://h:1/3", &with_login, "h", 1, NULL, "cu", "cp", 3, 1000, "h:1"},
    {"REDIS://h:1/", &with_login, "h", 1, NULL, "cu", "cp", 2, 1000, "h:1"},
    {"redis://:s3@h:1", &plain, "h", 1, NULL, "", "s3", 0, 1000, "h:1"},
    {"redis://u:p%40%3a@h:1/0", &with_login, "h", 1, NULL, "u", "p@:", 0, 1000, "h:1"},
    {"redis://u:a@b%@h:1", &plain, "h", 1, NULL, "u", "a@b%", 0, 1000, "h:1"},
    {"u:p@h:1/4", &plain, "h", 1, NULL, "u", "p", 4, 1000, "h:1"},
    {"redis://[::1]:7", &plain, "::1", 7, NULL, "", "", 0, 1000, "[::1]:7"},
    {"redis://[::1]", &plain, "::1", 6379, NULL, "", "", 0, 1000, "[::1]:6379"},
    {"redis://h:1?connect_timeout=250ms&force_resp2=true", &plain, "h", 1, NULL, "", "", 0, 250,
     "h:1"},
    {"redis://h:1/5?connect_timeout=1m30s", &plain, "h", 1, NULL, "", "", 5, 90000, "h:1"},
    {"unix:///run/redis.sock", &plain, NULL, 0, "/run/redis.sock", "", "", 0, 1000,
     "/run/redis.sock"},
    {"unix:///run/redis.sock?db=3", &plain, NULL, 0, "/run/redis.sock", "", "", 3, 1000,
     "/run/redis.sock"},
    {"unix://:pw@/run/redis.sock", &plain, NULL, 0, "/run/redis.sock", "", "pw", 0, 1000,
     "/run/redis.sock"},
    {"/run/redis.sock", &plain, NULL, 0, "/run/redis.sock", "", "", 0, 1000, "/run/redis.sock"},
};

static void assert_text(const char *got, const char *want)
{
    if (want == NULL) {
        assert_null(got);
    } else {
        assert_string_equal(got, want);
    }
}

static void addresses_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
        struct redis_url u;
        struct err e = {0};
        if (redis_url_parse(accepted[i].address, accepted[i].conf, &u, &e) != 0) {
            fail_msg("%s: %s", accepted[i].address, e.text);
        }
        assert_text(u.host, accepted[i].host);
        assert_int_equal(u.port, accepted[i].port);
        assert_text(u.path, accepted[i].path);
        assert_text(u.user, accepted[i].user);
        assert_text(u.password, accepted[i].password);
        assert_int_equal(u.db, accepted[i].db);
        assert_int_equal(u.connect_timeout_ms, accepted[i].connect_ms);
        assert_text(u.display, accepted[i].display);
        redis_url_fini(&u);
    }
}

static void other_addresses_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        const char *says;
    } rows[] = {
        {"", "no valid host"},
        {":6379", "no valid host"},
        {"h:0", "port"},
        {"h:65536", "port"},
        {"h:x", "port"},
        {"h h:1", "no valid host"},
        {"[::1:6379", "bracket"},
        {"redis://h:1/x", "database"},
        {"redis://h:1?io_timeout=4", "io_timeout"},
        {"redis://h:1?tls_enabled=true", "tls_enabled"},
        {"redis://h:1?addr=b:2", "addr"},
        {"rediss://h:1", "TLS"},
        {"redis+sentinel://h:1", "Sentinel"},
        {"redis+cluster://h:1", "Cluster"},
        {"http://h:1", "unknown scheme http"},
        {"unix://run/redis.sock", "absolute path"},
        {"unix://", "absolute path"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct redis_url u;
        struct err e = {0};
        assert_int_not_equal(redis_url_parse(rows[i].address, &plain, &u, &e), 0);
        if (strstr(e.text, rows[i].says) == NULL) {
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].address, e.text, rows[i].says);
        }
        assert_null(u.password);
    }
}

static void password_is_never_in_a_refusal(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "redis://u:hunter2@h:99999/x", /* in order but for the rest */
        "redis://:hunter2?x@h:6379",   /* characters that end it early */
        "redis://:h?hunter2@h:6379",
        "redis://u:x/hunter2?y@h:1",
        "redis://:hunter2",
        "redis://u:hunter2:6379", /* without a host */
        "redis://h:1/hunter2",
        "u:hunter2?@h:1",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct redis_url u;
        struct err e = {0};
        assert_int_not_equal(redis_url_parse(rows[i], &plain, &u, &e), 0);
        if (strstr(e.text, "hunter2") != NULL) {
            fail_msg("%s: %s", rows[i], e.text);
        }
    }
    struct redis_url u;
    struct err e = {0};
    assert_int_not_equal(redis_url_parse("redis://:a?b@h:1", &plain, &u, &e), 0);
    assert_non_null(strstr(e.text, "%3F"));
}

static void several_addresses_are_told_apart(void **state)
{
    (void)state;
    static char one[] = "redis://h:1";
    static char two[] = "redis://:s3@h:1/2";
    static char three[] = "unix:///run/r.sock";
    static char *items[] = {one, two, three, one};
    struct conf_redis conf = {.user = none, .password = none, .address = {items, 4}};
    struct redis_urls u;
    struct err e = {0};
    assert_int_equal(redis_urls_parse(&conf, &u, &e), 0);
    assert_int_equal(u.n, 4);
    assert_string_equal(u.items[0].display, "h:1");
    assert_string_equal(u.items[1].display, "h:1/2");
    assert_string_equal(u.items[2].display, "/run/r.sock");
    assert_string_equal(u.items[3].display, "h:1/0");
    redis_urls_fini(&u);
    static char *same[] = {one, one, one};
    conf.address = (struct conf_strings){same, 3};
    assert_int_equal(redis_urls_parse(&conf, &u, &e), 0);
    assert_string_equal(u.items[1].display, "h:1/0#2");
    assert_string_equal(u.items[2].display, "h:1/0");
    redis_urls_fini(&u);
    conf.address.n = 0;
    assert_int_equal(redis_urls_parse(&conf, &u, &e), 0);
    assert_string_equal(u.items[0].display, "127.0.0.1:6379");
    redis_urls_fini(&u);
}

static void a_wrong_one_of_several_addresses_is_counted(void **state)
{
    (void)state;
    static char good[] = "h:1";
    static char bad[] = "redis://u:hunter2@h:0";
    static char *items[] = {good, bad};
    struct conf_redis conf = {.user = none, .password = none, .address = {items, 2}};
    struct redis_urls u;
    struct err e = {0};
    assert_int_not_equal(redis_urls_parse(&conf, &u, &e), 0);
    assert_non_null(strstr(e.text, "engine.redis.address: number 2: "));
    assert_null(strstr(e.text, "hunter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_understood),
        cmocka_unit_test(other_addresses_are_refused_with_a_reason),
        cmocka_unit_test(password_is_never_in_a_refusal),
        cmocka_unit_test(several_addresses_are_told_apart),
        cmocka_unit_test(a_wrong_one_of_several_addresses_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
