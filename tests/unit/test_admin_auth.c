/* SPDX-License-Identifier: Apache-2.0 */
/* Admin password, tokens and their throttling. */
#include "tests/unit/unit.h"

#include "common/base/clk.h"
#include "common/format/b64.h"
#include "pushd/admin/auth.h"

#include <stdio.h>

#define NOW_S 1700000000
/* Made with another implementation of HMAC from the description of the format: secret
 * "admin_secret", time NOW_S. */
#define VECTOR                                                                                     \
    SPAN("MTcwMDAwMDAwMHxEUXdBQ21GMWRHaHZjbWw2WldRPXyPfp0l8_yeUKrn9nD9pjq1GRPx0EmHiCU0OvkKSO66Ow=" \
         "=")

static struct conf conf;
static struct admin_auth auth;

static void start(const char *password, const char *secret)
{
    static char texts[2][64];
    snprintf(texts[0], sizeof(texts[0]), "%s", password);
    snprintf(texts[1], sizeof(texts[1]), "%s", secret);
    conf = (struct conf){.admin = {.password = texts[0], .secret = texts[1]}};
    clk_fake(1000, (int64_t)NOW_S * 1000);
    admin_auth_init(&auth, &conf);
}

static int set_up(void **state)
{
    (void)state;
    log_threshold = LOG_LEVEL_NONE;
    start("pass:word", "admin_secret");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    admin_auth_fini(&auth);
    clk_fake(-1, -1);
    return 0;
}

static enum admin_access basic(const char *user_and_password)
{
    struct buf header = {0};
    buf_add_str(&header, "Basic ");
    b64_encode(&header, span_str(user_and_password));
    enum admin_access access = admin_auth_check(&auth, buf_span(&header));
    buf_free(&header);
    return access;
}

static void basic_takes_the_password_of_any_user(void **state)
{
    (void)state;
    assert_int_equal(basic("admin:pass:word"), ADMIN_ACCESS_GRANTED);
    assert_int_equal(basic(":pass:word"), ADMIN_ACCESS_GRANTED);
    assert_int_equal(basic("admin:pass"), ADMIN_ACCESS_WRONG);
    assert_int_equal(basic("admin:pass:word2"), ADMIN_ACCESS_WRONG);
    assert_int_equal(basic("pass:word"), ADMIN_ACCESS_WRONG);
    assert_int_equal(basic("admin"), ADMIN_ACCESS_WRONG);
    assert_int_equal(basic(""), ADMIN_ACCESS_WRONG);
}

static void headers_without_credentials_are_told_apart_from_wrong_ones(void **state)
{
    (void)state;
    assert_int_equal(admin_auth_check(&auth, (struct span){0}), ADMIN_ACCESS_MISSING);
    assert_int_equal(admin_auth_check(&auth, SPAN("")), ADMIN_ACCESS_MISSING);
    assert_int_equal(admin_auth_check(&auth, SPAN("token ")), ADMIN_ACCESS_MISSING);
    assert_int_equal(admin_auth_check(&auth, SPAN("Bearer x")), ADMIN_ACCESS_MISSING);
    assert_int_equal(admin_auth_check(&auth, SPAN("token xyz")), ADMIN_ACCESS_WRONG);
    assert_int_equal(admin_auth_check(&auth, SPAN("Basic !!!")), ADMIN_ACCESS_WRONG);
}

static void without_a_password_nobody_comes_in(void **state)
{
    (void)state;
    start("", "");
    assert_int_equal(basic("admin:"), ADMIN_ACCESS_NO_PASSWORD);
    assert_int_equal(admin_auth_check(&auth, (struct span){0}), ADMIN_ACCESS_NO_PASSWORD);
    assert_int_equal(admin_auth_login(&auth, SPAN("")), ADMIN_ACCESS_NO_PASSWORD);
}

static void insecure_mode_lets_everybody_in(void **state)
{
    (void)state;
    conf.admin.insecure = true;
    admin_auth_init(&auth, &conf);
    assert_int_equal(admin_auth_check(&auth, (struct span){0}), ADMIN_ACCESS_GRANTED);
    assert_int_equal(admin_auth_login(&auth, SPAN("")), ADMIN_ACCESS_GRANTED);
}

static void tokens_are_those_of_the_reference(void **state)
{
    (void)state;
    struct buf token = {0};
    admin_auth_token(&auth, &token);
    assert_true(span_eq(buf_span(&token), VECTOR));
    assert_true(admin_auth_token_is_valid(&auth, VECTOR));
    assert_int_equal(
        admin_auth_check(&auth,
                         SPAN("TOKEN "
                              "MTcwMDAwMDAwMHxEUXdBQ21GMWRHaHZjbWw2WldRPXyPfp0l8_yeUKrn9nD9pjq1GRPx"
                              "0EmHiCU0OvkKSO66Ow==")),
        ADMIN_ACCESS_GRANTED);
    buf_free(&token);
}

static void tokens_expire_after_thirty_days(void **state)
{
    (void)state;
    clk_fake(1000, ((int64_t)NOW_S + ADMIN_TOKEN_LIFETIME_S) * 1000);
    assert_true(admin_auth_token_is_valid(&auth, VECTOR));
    clk_fake(1000, ((int64_t)NOW_S + ADMIN_TOKEN_LIFETIME_S + 1) * 1000);
    assert_false(admin_auth_token_is_valid(&auth, VECTOR));
}

static void tokens_of_another_secret_are_refused(void **state)
{
    (void)state;
    start("pass:word", "another");
    assert_false(admin_auth_token_is_valid(&auth, VECTOR));
    start("pass:word", "");
    assert_false(admin_auth_token_is_valid(&auth, VECTOR));
    struct buf token = {0};
    admin_auth_token(&auth, &token);
    assert_true(admin_auth_token_is_valid(&auth, buf_span(&token)));
    start("pass:word", "");
    assert_false(admin_auth_token_is_valid(&auth, buf_span(&token)));
    buf_free(&token);
}

static void changed_tokens_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTOR.n - 2; i++) { /* the last two are padding */
        char copy[128];
        memcpy(copy, VECTOR.p, VECTOR.n);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        assert_false(admin_auth_token_is_valid(&auth, span_of(copy, VECTOR.n)));
        assert_false(admin_auth_token_is_valid(&auth, span_of(VECTOR.p, i)));
    }
    assert_false(admin_auth_token_is_valid(&auth, SPAN("||")));
    assert_false(admin_auth_token_is_valid(&auth, SPAN("fHw=")));
}

static void wrong_passwords_are_throttled_and_forgiven(void **state)
{
    (void)state;
    for (int i = 0; i < ADMIN_AUTH_BURST; i++) {
        assert_int_equal(basic("admin:guess"), ADMIN_ACCESS_WRONG);
    }
    assert_int_equal(basic("admin:guess"), ADMIN_ACCESS_THROTTLED);
    assert_int_equal(basic("admin:pass:word"), ADMIN_ACCESS_THROTTLED);
    assert_int_equal(admin_auth_login(&auth, SPAN("pass:word")), ADMIN_ACCESS_THROTTLED);
    assert_int_equal(admin_auth_retry_s(&auth), ADMIN_AUTH_PERIOD_MS / 1000);
    assert_true(admin_auth_token_is_valid(&auth, VECTOR));
    clk_fake(1000 + ADMIN_AUTH_PERIOD_MS - 1, (int64_t)NOW_S * 1000);
    assert_int_equal(basic("admin:pass:word"), ADMIN_ACCESS_THROTTLED);
    assert_int_equal(admin_auth_retry_s(&auth), 1);
    clk_fake(1000 + ADMIN_AUTH_PERIOD_MS, (int64_t)NOW_S * 1000);
    assert_int_equal(basic("admin:pass:word"), ADMIN_ACCESS_GRANTED);
    assert_int_equal(basic("admin:guess"), ADMIN_ACCESS_WRONG);
    assert_int_equal(basic("admin:guess"), ADMIN_ACCESS_THROTTLED);
    clk_fake(1000 + 100 * ADMIN_AUTH_PERIOD_MS, (int64_t)NOW_S * 1000);
    for (int i = 0; i < ADMIN_AUTH_BURST; i++) {
        assert_int_equal(basic("admin:guess"), ADMIN_ACCESS_WRONG);
    }
    assert_int_equal(basic("admin:guess"), ADMIN_ACCESS_THROTTLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(basic_takes_the_password_of_any_user, set_up, tear_down),
        cmocka_unit_test_setup_teardown(headers_without_credentials_are_told_apart_from_wrong_ones,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_password_nobody_comes_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(insecure_mode_lets_everybody_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_are_those_of_the_reference, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_expire_after_thirty_days, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_of_another_secret_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_tokens_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_passwords_are_throttled_and_forgiven, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
