/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about the claims of tokens: types, times, audience, channels and options. */
#include <stdlib.h>

#include "common/format/jscan.h"
#include "tests/unit/token_make.h"
#include "tests/unit/unit.h"

#define HEADER SPAN("{\"alg\":\"HS256\"}")

static char secret[] = MAKE_SECRET;
static struct arena arena;
static struct buf token;
static struct conf_token conf;
static struct token_connect connect;
static struct token_subscribe subscribe;

static struct perr_result read_connect(const char *claims)
{
    struct err e;
    struct token_verifier *v = token_verifier_new(&conf, false, &e);
    assert_non_null(v);
    arena_reset(&arena);
    make_hmac(&token, HEADER, span_str(claims), SPAN(MAKE_SECRET), 256);
    struct perr_result r = token_read_connect(v, buf_span(&token), MAKE_NOW, &arena, &connect);
    token_verifier_free(v);
    return r;
}

static struct perr_result read_subscribe(const char *claims)
{
    struct err e;
    struct token_verifier *v = token_verifier_new(&conf, false, &e);
    assert_non_null(v);
    arena_reset(&arena);
    make_hmac(&token, HEADER, span_str(claims), SPAN(MAKE_SECRET), 256);
    struct perr_result r = token_read_subscribe(v, buf_span(&token), MAKE_NOW, &arena, &subscribe);
    token_verifier_free(v);
    return r;
}

static void expect_result(const char *claims, struct perr_result r, uint32_t code,
                          const char *reason)
{
    if (r.code != code || (reason != NULL && strcmp(r.reason, reason) != 0)) {
        fail_msg("%s\n gave %u %s (%s)", claims, r.code, r.reason != NULL ? r.reason : "",
                 r.detail != NULL ? r.detail : "");
    }
    if (r.detail != NULL) {
        struct buf b = {0};
        perr_explain(&r, 1000, &b);
        assert_in_range(b.n, 1, 123);
        buf_free(&b);
    }
}

static void expect_good(const char *claims)
{
    expect_result(claims, read_connect(claims), PERR_OK, NULL);
}

static void expect_wrong(const char *claims)
{
    expect_result(claims, read_connect(claims), PERR_CLOSE_INVALID_TOKEN, "token.claims");
}

static void expect_text(struct span got, const char *want)
{
    if (!span_eq_str(got, want)) {
        fail_msg("got %.*s, want %s", SPAN_FMT(got), want);
    }
}

static void an_empty_payload_is_an_anonymous_user(void **state)
{
    (void)state;
    expect_good("{}");
    expect_text(connect.user, "");
    assert_non_null(connect.user.p);
    assert_int_equal(connect.expire_at, 0);
    assert_null(connect.info.p);
    expect_good("{\"iat\":1760000000}");
    expect_good("{\"sub\":null}");
    expect_text(connect.user, "");
    expect_good(" {\"sub\" : \"al\\u0069ce\"}\n");
    expect_text(connect.user, "alice");
}

static void claims_have_types(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"sub\":42}",
        "{\"sub\":[\"a\"]}",
        "{\"sub\":true}",
        "{\"sub\":{}}",
        "{\"channel\":1}",
        "{\"b64info\":{}}",
        "{\"jti\":1}",
        "{\"iss\":[\"me\"]}",
        "{\"aud\":1}",
        "{\"aud\":null}",
        "{\"aud\":[\"a\",1]}",
        "{\"aud\":{}}",
        "{\"iat\":\"+1\"}",
        "{\"nbf\":\"1s\"}",
        "{\"nbf\":null}",
        "{\"expire_at\":\"1\"}",
        "{\"expire_at\":true}",
        "{\"channels\":\"x\"}",
        "{\"channels\":{}}",
        "{\"channels\":[1]}",
        "{\"channels\":[null]}",
        "{\"subs\":[]}",
        "{\"subs\":\"x\"}",
        "{\"subs\":{\"a\":1}}",
        "{\"subs\":{\"a\":[]}}",
        "{\"subs\":{\"a\":{\"b64info\":1}}}",
        "{\"subs\":{\"a\":{\"override\":1}}}",
        "{\"subs\":{\"a\":{\"override\":{\"presence\":true}}}}",
        "{\"subs\":{\"a\":{\"override\":{\"presence\":{\"value\":1}}}}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        expect_wrong(wrong[i]);
    }
    expect_good(
        "{\"sub\":\"a\",\"info\":\"text\",\"meta\":[1],\"Sub\":7,\"EXP\":\"x\",\"other\":{}}");
    expect_text(connect.user, "a");
    expect_good("{\"channel\":null,\"client\":null,\"jti\":null,\"iss\":null,\"iat\":null,\"expire_"
                "at\":null,"
                "\"channels\":null,\"subs\":null,\"override\":null,\"b64info\":null}");
}

/* What only the other kind of token has may be anything: issuers have claims of their own. */
static void claims_of_the_other_kind_are_free(void **state)
{
    (void)state;
    expect_good(
        "{\"sub\":\"a\",\"client\":{\"id\":1},\"data\":1,\"b64data\":[],\"override\":true}");
    const char *claims = "{\"channel\":\"a\",\"subs\":\"x\",\"channels\":5,\"meta\":1}";
    expect_result(claims, read_subscribe(claims), PERR_OK, NULL);
    static const char *const wrong[] = {
        "{\"channel\":\"a\",\"client\":1}",
        "{\"channel\":\"a\",\"b64data\":1}",
        "{\"channel\":\"a\",\"override\":[]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        expect_result(wrong[i], read_subscribe(wrong[i]), PERR_CLOSE_INVALID_TOKEN, "token.claims");
    }
}

static void exp_is_a_number_or_the_token_is_invalid(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"exp\":\" 1999999999\"}",
        "{\"exp\":\"soon\"}",
        "{\"exp\":null}",
        "{\"exp\":true}",
        "{\"exp\":[1999999999]}",
        "{\"exp\":{}}",
        "{\"exp\":\"\"}",
        "{\"exp\":1e400}",
        "{\"exp\":99999999999999999999}",
        "{\"exp\":-1e30}",
        "{\"exp\":9007199254740993}",
        "{\"exp\":1999999999.0000000000000000000000000000000000000000000000000000000000}",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        expect_wrong(wrong[i]);
    }
    static const struct {
        const char *claims;
        int64_t end;
    } good[] = {
        {"{\"exp\":1999999999}", 1999999999},
        {"{\"exp\":1999999999.75}", 1999999999},
        {"{\"exp\":2e9}", 2000000000},
        {"{\"exp\":\"1999999999\",\"nbf\":\"1\",\"iat\":\"1.5\"}", 1999999999},
        {"{\"exp\":20E+8}", 2000000000},
        {"{\"exp\":1999999999.0}", 1999999999},
        {"{\"exp\":9007199254740992}", INT64_C(9007199254740992)},
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        expect_good(good[i].claims);
        assert_int_equal(connect.expire_at, good[i].end);
    }
}

static void a_token_ends_at_exp(void **state)
{
    (void)state;
    expect_good("{\"exp\":1750000001}");
    static const char *const over[] = {
        "{\"exp\":1750000000}", "{\"exp\":1749999999}", "{\"exp\":1e3}",          "{\"exp\":0}",
        "{\"exp\":-0.5}",       "{\"exp\":-5}",         "{\"exp\":1749999999.5}", "{\"exp\":0.0}"};
    for (size_t i = 0; i < ARRAY_LEN(over); i++) {
        expect_result(over[i], read_connect(over[i]), PERR_TOKEN_EXPIRED, "token.expired");
        assert_null(connect.user.p);
    }
}

static void a_token_begins_at_nbf(void **state)
{
    (void)state;
    expect_good("{\"nbf\":1750000000}");
    expect_good("{\"nbf\":-1.5}");
    static const char *const early[] = {"{\"nbf\":1750000001}", "{\"nbf\":1750000000.5}",
                                        "{\"nbf\":3e9}"};
    for (size_t i = 0; i < ARRAY_LEN(early); i++) {
        expect_result(early[i], read_connect(early[i]), PERR_TOKEN_EXPIRED, "token.not_yet_valid");
    }
    expect_good("{\"iat\":1750000600}");
}

static void expire_at_decides_instead_of_exp(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        int64_t end;
    } rows[] = {
        {"{\"exp\":1750000300,\"expire_at\":1750000900}", 1750000900},
        {"{\"exp\":1750000300,\"expire_at\":0}", 0},
        {"{\"exp\":1750000300,\"expire_at\":-1}", 0},
        {"{\"exp\":1750000300,\"expire_at\":null}", 1750000300},
        {"{\"expire_at\":1749999000}", 1749999000},
        {"{\"exp\":1750000300}", 1750000300},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect_good(rows[i].claims);
        assert_int_equal(connect.expire_at, rows[i].end);
    }
    expect_result("", read_connect("{\"exp\":1749999999,\"expire_at\":0}"), PERR_TOKEN_EXPIRED,
                  "token.expired");
}

static void a_claim_stands_once(void **state)
{
    (void)state;
    expect_wrong("{\"sub\":\"alice\",\"sub\":\"bob\"}");
    expect_wrong("{\"sub\":\"alice\",\"s\\u0075b\":\"bob\"}");
    expect_wrong("{\"exp\":1999999999,\"exp\":1999999999}");
    expect_wrong("{\"exp\":1999999999,\"exp\":null}");
    expect_wrong("{\"subs\":{\"a\":{},\"b\":{},\"\\u0061\":{}}}");
    expect_wrong("{\"subs\":{\"a\":{\"info\":1,\"info\":2}}}");
    expect_wrong(
        "{\"subs\":{\"a\":{\"override\":{\"presence\":{\"value\":true},\"presence\":null}}}}");
    expect_good("{\"other\":1,\"other\":2}");
}

static void payloads_are_json_in_utf8(void **state)
{
    (void)state;
    static const char *const malformed[] = {
        "",
        "null",
        "[]",
        "\"x\"",
        "{\"sub\":\"a\"",
        "{\"sub\":\"a\"}{}",
        "{sub:\"a\"}",
        "{\"sub\":\"a\",}",
        "{\"sub\":\"\xff\"}",
        "{\"sub\":\"\xed\xa0\x80\"}",
        "{\"x\":\"\xc0\xaf\"}",
        "{\"sub\":\"a\tb\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
        expect_result(malformed[i], read_connect(malformed[i]), PERR_CLOSE_INVALID_TOKEN,
                      "token.malformed");
    }
}

static void nesting_is_limited(void **state)
{
    (void)state;
    struct buf b = {0};
    for (int depth = JSCAN_MAX_DEPTH - 2; depth <= JSCAN_MAX_DEPTH; depth++) {
        buf_clear(&b);
        buf_add_str(&b, "{\"info\":");
        for (int i = 0; i < depth; i++) {
            buf_add_char(&b, '[');
        }
        for (int i = 0; i < depth; i++) {
            buf_add_char(&b, ']');
        }
        buf_add_char(&b, '}');
        struct perr_result r = read_connect(buf_cstr(&b));
        expect_result("nested", r, depth < JSCAN_MAX_DEPTH ? PERR_OK : PERR_CLOSE_INVALID_TOKEN,
                      NULL);
    }
    buf_clear(&b);
    for (int i = 0; i < 1000; i++) {
        buf_add_str(&b, "{\"a\":");
    }
    expect_result("very nested", read_connect(buf_cstr(&b)), PERR_CLOSE_INVALID_TOKEN,
                  "token.malformed");
    buf_free(&b);
}

static void info_and_meta_keep_their_bytes(void **state)
{
    (void)state;
    expect_good("{\"info\": {\"n\" : 12345678901234567890, \"x\":1E2,\"d\":1,\"d\":2} "
                ",\"meta\":\"\\u00e9\\/\"}");
    expect_text(connect.info, "{\"n\" : 12345678901234567890, \"x\":1E2,\"d\":1,\"d\":2}");
    expect_text(connect.meta, "\"\\u00e9\\/\"");
    expect_good("{\"info\":null}");
    expect_text(connect.info, "null");
    expect_good("{\"info\":{\"x\":1},\"b64info\":\"eyJ5IjoyfQ==\"}");
    expect_text(connect.info, "{\"y\":2}");
    expect_good("{\"info\":1,\"b64info\":\"\"}");
    expect_text(connect.info, "1");
}

/* Of a connection it is a failure of the server's own, everywhere else of the token. */
static void bad_base64_has_two_outcomes(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        uint32_t code;
    } rows[] = {
        {"{\"b64info\":\"***\"}", PERR_INTERNAL},
        {"{\"b64info\":\"eyJ5IjoyfQ\"}", PERR_INTERNAL},
        {"{\"subs\":{\"a\":{\"b64info\":\"-\"}}}", PERR_CLOSE_INVALID_TOKEN},
        {"{\"subs\":{\"a\":{\"b64data\":\"x\"}}}", PERR_CLOSE_INVALID_TOKEN},
        {"{\"b64info\":\"***\",\"exp\":1}", PERR_TOKEN_EXPIRED},
        {"{\"subs\":{\"a\":{\"b64info\":\"-\"}},\"exp\":1}", PERR_TOKEN_EXPIRED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect_result(rows[i].claims, read_connect(rows[i].claims), rows[i].code, NULL);
    }
    const char *sub = "{\"channel\":\"a\",\"b64data\":\"***\"}";
    expect_result(sub, read_subscribe(sub), PERR_CLOSE_INVALID_TOKEN, "token.claims");
}

static void channels_become_subscriptions_without_options(void **state)
{
    (void)state;
    expect_good("{\"channels\":[\"a\",\"$b:1\",\"\\u0061\",\"c\"]}");
    assert_int_equal(connect.sub_count, 3);
    expect_text(connect.subs[0].channel, "a");
    expect_text(connect.subs[1].channel, "$b:1");
    expect_text(connect.subs[2].channel, "c");
    assert_int_equal(connect.subs[0].presence, OVERRIDE_NONE);
    expect_good("{\"channels\":[]}");
    assert_int_equal(connect.sub_count, 0);
    expect_good("{\"channels\":[\"a\"],\"subs\":{}}");
    assert_int_equal(connect.sub_count, 1);
}

static void subs_win_over_channels(void **state)
{
    (void)state;
    expect_good("{\"channels\":[\"x\"],\"subs\":{\"a\":{\"info\":{ "
                "\"i\":1},\"data\":[2]},\"b\":{},\"c\":null,"
                "\"d\":{\"b64data\":\"eyJ5IjoyfQ==\",\"data\":{\"x\":1},\"info\":null}}}");
    assert_int_equal(connect.sub_count, 4);
    expect_text(connect.subs[0].channel, "a");
    expect_text(connect.subs[0].info, "{ \"i\":1}");
    expect_text(connect.subs[0].data, "[2]");
    assert_null(connect.subs[1].info.p);
    assert_null(connect.subs[2].data.p);
    expect_text(connect.subs[3].data, "{\"y\":2}");
    expect_text(connect.subs[3].info, "null");
}

static void overrides_are_three_valued(void **state)
{
    (void)state;
    expect_good("{\"subs\":{\"a\":{\"override\":{\"presence\":{\"value\":false},\"join_leave\":{"
                "\"value\":true},"
                "\"force_push_join_leave\":{},\"force_recovery\":null,\"other\":1}},"
                "\"b\":{\"override\":{\"force_recovery\":{\"value\":true},\"force_positioning\":{"
                "\"value\":null}}},"
                "\"c\":{\"override\":null}}}");
    const struct token_sub *s = connect.subs;
    assert_int_equal(s[0].presence, OVERRIDE_FALSE);
    assert_int_equal(s[0].join_leave, OVERRIDE_TRUE);
    assert_int_equal(s[0].force_push_join_leave, OVERRIDE_FALSE);
    assert_int_equal(s[0].force_recovery, OVERRIDE_NONE);
    assert_int_equal(s[0].force_positioning, OVERRIDE_NONE);
    assert_int_equal(s[1].force_recovery, OVERRIDE_TRUE);
    assert_int_equal(s[1].force_positioning, OVERRIDE_FALSE);
    assert_int_equal(s[2].presence, OVERRIDE_NONE);
}

static void each_kind_of_token_has_its_use(void **state)
{
    (void)state;
    expect_wrong("{\"sub\":\"alice\",\"channel\":\"news\"}");
    expect_good("{\"sub\":\"alice\",\"channel\":\"\"}");
    const char *connection = "{\"sub\":\"alice\"}";
    expect_result(connection, read_subscribe(connection), PERR_CLOSE_INVALID_TOKEN, "token.claims");
    const char *empty = "{\"sub\":\"alice\",\"channel\":\"\"}";
    expect_result(empty, read_subscribe(empty), PERR_CLOSE_INVALID_TOKEN, "token.claims");
    const char *old = "{\"sub\":\"alice\",\"exp\":1}";
    expect_result(old, read_subscribe(old), PERR_TOKEN_EXPIRED, "token.expired");
}

static void a_subscription_token_is_read_whole(void **state)
{
    (void)state;
    const char *claims =
        "{\"sub\":\"alice\",\"channel\":\"$c:1\",\"client\":\"id\",\"exp\":1750000300,\"info\":{"
        "\"i\": [1]},"
        "\"data\":{\"d\": \"x\"},\"override\":{\"force_recovery\":{\"value\":true}}}";
    expect_result(claims, read_subscribe(claims), PERR_OK, NULL);
    expect_text(subscribe.user, "alice");
    expect_text(subscribe.channel, "$c:1");
    expect_text(subscribe.client, "id");
    assert_int_equal(subscribe.expire_at, 1750000300);
    expect_text(subscribe.options.channel, "$c:1");
    expect_text(subscribe.options.info, "{\"i\": [1]}");
    expect_text(subscribe.options.data, "{\"d\": \"x\"}");
    assert_int_equal(subscribe.options.force_recovery, OVERRIDE_TRUE);
    claims = "{\"channel\":\"a\",\"exp\":1750000300,\"expire_at\":0,\"info\":1,\"b64info\":\"Mg=="
             "\",\"data\":1,"
             "\"b64data\":\"Mw==\"}";
    expect_result(claims, read_subscribe(claims), PERR_OK, NULL);
    assert_int_equal(subscribe.expire_at, 0);
    assert_int_equal(subscribe.client.n, 0);
    expect_text(subscribe.options.info, "2");
    expect_text(subscribe.options.data, "3");
    claims = "{\"channel\":\"a\",\"exp\":1}";
    expect_result(claims, read_subscribe(claims), PERR_TOKEN_EXPIRED, "token.expired");
    claims = "{\"channel\":\"a\",\"nbf\":3000000000}";
    expect_result(claims, read_subscribe(claims), PERR_TOKEN_EXPIRED, "token.not_yet_valid");
}

static void another_claim_may_name_the_user(void **state)
{
    (void)state;
    char uid[] = "uid";
    conf.user_id_claim = uid;
    expect_good("{\"sub\":\"alice\",\"uid\":\"bob\"}");
    expect_text(connect.user, "bob");
    expect_good("{\"sub\":\"alice\"}");
    expect_text(connect.user, "");
    expect_good("{\"uid\":12345678901234567890}");
    expect_text(connect.user, "12345678901234567890");
    expect_good("{\"uid\":-7}");
    expect_text(connect.user, "-7");
    expect_good("{\"uid\":null}");
    expect_text(connect.user, "");
    expect_wrong("{\"uid\":7.5}");
    expect_wrong("{\"uid\":1e3}");
    expect_wrong("{\"uid\":true}");
    expect_wrong("{\"uid\":[7]}");
    expect_wrong("{\"uid\":\"a\",\"uid\":\"b\"}");
    expect_wrong("{\"uid\":\"a\",\"sub\":7}");
    char jti[] = "jti";
    conf.user_id_claim = jti;
    expect_good("{\"sub\":\"alice\",\"jti\":\"bob\"}");
    expect_text(connect.user, "bob");
    conf.user_id_claim = make_conf().user_id_claim;
}

static int set_up(void **state)
{
    (void)state;
    conf = make_conf();
    conf.hmac_secret_key = secret;
    return 0;
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
        cmocka_unit_test(an_empty_payload_is_an_anonymous_user),
        cmocka_unit_test(claims_have_types),
        cmocka_unit_test(claims_of_the_other_kind_are_free),
        cmocka_unit_test(exp_is_a_number_or_the_token_is_invalid),
        cmocka_unit_test(a_token_ends_at_exp),
        cmocka_unit_test(a_token_begins_at_nbf),
        cmocka_unit_test(expire_at_decides_instead_of_exp),
        cmocka_unit_test(a_claim_stands_once),
        cmocka_unit_test(payloads_are_json_in_utf8),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(info_and_meta_keep_their_bytes),
        cmocka_unit_test(bad_base64_has_two_outcomes),
        cmocka_unit_test(channels_become_subscriptions_without_options),
        cmocka_unit_test(subs_win_over_channels),
        cmocka_unit_test(overrides_are_three_valued),
        cmocka_unit_test(each_kind_of_token_has_its_use),
        cmocka_unit_test(a_subscription_token_is_read_whole),
        cmocka_unit_test(another_claim_may_name_the_user),
    };
    return cmocka_run_group_tests_name("token claims", tests, set_up, clean_up);
}
