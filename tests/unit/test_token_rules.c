/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about audience and issuer, and about tokens that we make ourselves. */
#include <stdlib.h>

#include "common/base/err.h"
#include "common/format/b64.h"
#include "tests/unit/token_make.h"
#include "tests/unit/unit.h"

#define KEY SPAN(MAKE_SECRET)

static char secret[] = MAKE_SECRET;
static struct arena arena;
static struct buf token;

static void expect_with(struct conf_token *conf, const char *claims, const char *reason)
{
    struct err e;
    conf->hmac_secret_key = secret;
    struct token_verifier *v = token_verifier_new(conf, false, &e);
    assert_non_null(v);
    make_hmac(&token, SPAN("{\"alg\":\"HS256\"}"), span_str(claims), KEY, 256);
    struct token_connect t;
    arena_reset(&arena);
    struct perr_result r = token_read_connect(v, buf_span(&token), MAKE_NOW, &arena, &t);
    if ((reason == NULL) != (r.code == PERR_OK) ||
        (reason != NULL && strcmp(reason, r.reason) != 0)) {
        fail_msg("%s gave %u %s", claims, r.code, r.reason != NULL ? r.reason : "");
    }
    token_verifier_free(v);
}

static void the_audience_is_one_of_the_token(void **state)
{
    (void)state;
    char app[] = "app";
    struct conf_token conf = make_conf();
    expect_with(&conf, "{\"aud\":\"anything\"}", NULL);
    conf.audience = app;
    expect_with(&conf, "{\"aud\":\"app\"}", NULL);
    expect_with(&conf, "{\"aud\":[\"x\",\"\\u0061pp\"]}", NULL);
    static const char *const wrong[] = {
        "{}",           "{\"aud\":\"\"}",    "{\"aud\":\"App\"}",        "{\"aud\":\"app \"}",
        "{\"aud\":[]}", "{\"aud\":[\"x\"]}", "{\"aud\":\"app\\u0000\"}", "{\"aud\":\"ap\"}"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        expect_with(&conf, wrong[i], "token.audience");
    }
    expect_with(&conf, "{\"aud\":\"x\",\"exp\":1}", "token.audience");
}

static void the_issuer_is_the_configured_one(void **state)
{
    (void)state;
    char me[] = "me";
    struct conf_token conf = make_conf();
    conf.issuer = me;
    expect_with(&conf, "{\"iss\":\"me\"}", NULL);
    expect_with(&conf, "{}", "token.issuer");
    expect_with(&conf, "{\"iss\":\"\"}", "token.issuer");
    expect_with(&conf, "{\"iss\":\"you\"}", "token.issuer");
}

static void patterns_are_found_unless_anchored(void **state)
{
    (void)state;
    char pattern[] = "^https://(?P<tenant>[a-z]+)\\.example\\.com$";
    char loose[] = "app";
    struct conf_token conf = make_conf();
    conf.issuer_regex = pattern;
    expect_with(&conf, "{\"iss\":\"https://blue.example.com\"}", NULL);
    expect_with(&conf, "{\"iss\":\"https://blue.example.com.evil\"}", "token.issuer");
    expect_with(&conf, "{\"iss\":\"https://blueXexample.com\"}", "token.issuer");
    expect_with(&conf, "{\"iss\":\"https://blue.example.com\\u0000.evil\"}", "token.issuer");
    expect_with(&conf, "{}", "token.issuer");
    conf = make_conf();
    conf.audience_regex = loose;
    expect_with(&conf, "{\"aud\":[\"x\",\"my app\"]}", NULL);
    expect_with(&conf, "{\"aud\":\"x\"}", "token.audience");
}

static void a_malformed_pattern_is_named(void **state)
{
    (void)state;
    char bad[] = "app(";
    struct err e = {0};
    struct conf_token conf = make_conf();
    conf.audience_regex = bad;
    assert_null(token_verifier_new(&conf, false, &e));
    assert_non_null(strstr(e.text, "audience_regex \"app(\""));
    conf = make_conf();
    conf.issuer_regex = bad;
    assert_null(token_verifier_new(&conf, false, NULL));
}

/* The payload of a token, decoded. */
static struct span payload_of(const struct buf *text)
{
    struct span rest = buf_span(text);
    struct span part;
    assert_true(span_split(&rest, '.', &part));
    assert_true(span_split(&rest, '.', &part));
    struct span payload;
    assert_int_equal(b64url_decode(part, &arena, &payload), 0);
    return payload;
}

static void a_made_token_is_accepted(void **state)
{
    (void)state;
    static const struct span channels[] = {SPAN("org:7:messages"), SPAN("org:7:\xc3\xa9")};
    const struct token_mint m = {.user = SPAN("al\"ice"),
                                 .iat = MAKE_NOW,
                                 .exp = MAKE_NOW + 60,
                                 .info_json = SPAN("{\"n\": 12345678901234567890}"),
                                 .channels = channels,
                                 .channel_count = 2,
                                 .audience = SPAN("app"),
                                 .issuer = SPAN("me")};
    struct conf_token conf = make_conf();
    char app[] = "app";
    char me[] = "me";
    conf.hmac_secret_key = secret;
    conf.audience = app;
    conf.issuer = me;
    struct err e;
    arena_reset(&arena);
    buf_clear(&token);
    assert_int_equal(token_mint(&m, KEY, &token, &e), 0);
    struct token_verifier *v = token_verifier_new(&conf, false, &e);
    struct token_connect t;
    assert_int_equal(token_read_connect(v, buf_span(&token), MAKE_NOW, &arena, &t).code, PERR_OK);
    assert_true(span_eq_str(t.user, "al\"ice"));
    assert_true(span_eq_str(t.info, "{\"n\": 12345678901234567890}"));
    assert_int_equal(t.expire_at, MAKE_NOW + 60);
    assert_int_equal(t.sub_count, 2);
    assert_true(span_eq(t.subs[1].channel, channels[1]));
    token_verifier_free(v);
}

static void claims_of_a_made_token_stand_in_one_order(void **state)
{
    (void)state;
    static const struct span channels[] = {SPAN("a"), SPAN("b")};
    struct token_mint m = {.user = SPAN("u"),
                           .iat = 1,
                           .exp = 2,
                           .info_json = SPAN("{}"),
                           .channels = channels,
                           .channel_count = 2,
                           .audience = SPAN("x"),
                           .issuer = SPAN("y"),
                           .channel = SPAN("c")};
    struct err e;
    arena_reset(&arena);
    buf_clear(&token);
    assert_int_equal(token_mint(&m, KEY, &token, &e), 0);
    assert_true(span_eq_str(
        payload_of(&token),
        "{\"sub\":\"u\",\"exp\":2,\"iat\":1,\"aud\":\"x\",\"iss\":\"y\",\"channel\":\"c\","
        "\"info\":{},\"channels\":[\"a\",\"b\"]}"));
    m = (struct token_mint){.omit_sub = true};
    buf_clear(&token);
    assert_int_equal(token_mint(&m, KEY, &token, &e), 0);
    assert_true(span_eq_str(payload_of(&token), "{}"));
    m = (struct token_mint){.user_claim = SPAN("uid"), .user = SPAN("7"), .exp = 5};
    buf_clear(&token);
    assert_int_equal(token_mint(&m, KEY, &token, &e), 0);
    assert_true(span_eq_str(payload_of(&token), "{\"uid\":\"7\",\"exp\":5}"));
    m = (struct token_mint){.user = SPAN("")};
    buf_clear(&token);
    buf_add_str(&token, "kept.");
    assert_int_equal(token_mint(&m, KEY, &token, &e), 0);
    assert_true(span_starts(buf_span(&token), SPAN("kept.eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.")));
}

static void tokens_that_nobody_would_accept_are_not_made(void **state)
{
    (void)state;
    static const struct span bad_channel[] = {SPAN("ok"), SPAN("\xff")};
    char *huge = malloc(TOKEN_MAX_BYTES);
    assert_non_null(huge);
    memset(huge, '1', TOKEN_MAX_BYTES);
    const struct {
        struct token_mint m;
        struct span key;
        int code;
    } rows[] = {
        {{.user = SPAN("u")}, SPAN(""), ERR_MISSING},
        {{.user = SPAN("u")}, {0}, ERR_MISSING},
        {{.user = SPAN("\xff")}, KEY, ERR_SYNTAX},
        {{.user = SPAN("u"), .channel = SPAN("\xc3")}, KEY, ERR_SYNTAX},
        {{.channels = bad_channel, .channel_count = 2}, KEY, ERR_SYNTAX},
        {{.user = SPAN("u"), .info_json = SPAN("{")}, KEY, ERR_SYNTAX},
        {{.user = SPAN("u"), .info_json = SPAN("1,\"sub\":\"root\"")}, KEY, ERR_SYNTAX},
        {{.user = SPAN("u"), .info_json = span_of(huge, TOKEN_MAX_BYTES)}, KEY, ERR_LIMIT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        buf_clear(&token);
        assert_int_equal(token_mint(&rows[i].m, rows[i].key, &token, &e), rows[i].code);
        assert_int_equal(token.n, 0);
        assert_true(e.text[0] != '\0');
        assert_int_equal(token_mint(&rows[i].m, rows[i].key, &token, NULL), rows[i].code);
    }
    free(huge);
}

static int clean_up(void **state)
{
    (void)state;
    arena_fini(&arena);
    buf_free(&token);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_audience_is_one_of_the_token),
        cmocka_unit_test(the_issuer_is_the_configured_one),
        cmocka_unit_test(patterns_are_found_unless_anchored),
        cmocka_unit_test(a_malformed_pattern_is_named),
        cmocka_unit_test(a_made_token_is_accepted),
        cmocka_unit_test(claims_of_a_made_token_stand_in_one_order),
        cmocka_unit_test(tokens_that_nobody_would_accept_are_not_made),
    };
    return cmocka_run_group_tests_name("token rules", tests, NULL, clean_up);
}
