/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about tokens signed with HMAC: their shape, algorithm and signature. */
#include "common/policy/token.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "tests/unit/token_make.h"
#include "tests/unit/unit.h"

#define HS256 SPAN("{\"alg\":\"HS256\",\"typ\":\"JWT\"}")
#define ALICE SPAN("{\"sub\":\"alice\"}")

static char secret[] = MAKE_SECRET;
static struct arena arena;
static struct buf token;

static struct perr_result read_with(const struct conf_token *conf, bool skip, struct span text)
{
    struct err e;
    struct token_verifier *v = token_verifier_new(conf, skip, &e);
    assert_non_null(v);
    /* An exact allocation lets the sanitizer see a byte read too many. */
    char *exact = malloc(text.n != 0 ? text.n : 1);
    assert_non_null(exact);
    memcpy(exact, text.p, text.n);
    struct token_connect t;
    arena_reset(&arena);
    struct perr_result r = token_read_connect(v, span_of(exact, text.n), MAKE_NOW, &arena, &t);
    assert_true(r.code == PERR_OK || (t.user.p == NULL && t.sub_count == 0));
    free(exact);
    token_verifier_free(v);
    return r;
}

static struct conf_token hmac_conf(void)
{
    struct conf_token conf = make_conf();
    conf.hmac_secret_key = secret;
    return conf;
}

static void expect(struct perr_result r, const char *reason)
{
    if (reason == NULL) {
        if (r.code != PERR_OK) {
            fail_msg("refused: %s, %s", r.reason, r.detail);
        }
        return;
    }
    assert_int_equal(r.code, PERR_CLOSE_INVALID_TOKEN);
    assert_string_equal(r.reason, reason);
    assert_non_null(r.detail);
}

static void expect_text(struct span text, const char *reason)
{
    struct conf_token conf = hmac_conf();
    expect(read_with(&conf, false, text), reason);
}

static void expect_header(struct span header, const char *reason)
{
    make_hmac(&token, header, ALICE, SPAN(MAKE_SECRET), 256);
    expect_text(buf_span(&token), reason);
}

static void hmac_of_three_sizes_is_accepted(void **state)
{
    (void)state;
    make_hmac(&token, HS256, ALICE, SPAN(MAKE_SECRET), 256);
    expect_text(buf_span(&token), NULL);
    make_hmac(&token, SPAN("{\"alg\":\"HS384\"}"), ALICE, SPAN(MAKE_SECRET), 384);
    expect_text(buf_span(&token), NULL);
    make_hmac(&token, SPAN("{\"alg\":\"HS512\"}"), ALICE, SPAN(MAKE_SECRET), 512);
    expect_text(buf_span(&token), NULL);
}

static void the_digest_is_that_of_the_header(void **state)
{
    (void)state;
    make_hmac(&token, HS256, ALICE, SPAN(MAKE_SECRET), 512);
    expect_text(buf_span(&token), "token.signature");
    make_hmac(&token, SPAN("{\"alg\":\"HS512\"}"), ALICE, SPAN(MAKE_SECRET), 256);
    expect_text(buf_span(&token), "token.signature");
}

static void alg_none_is_refused_with_and_without_a_key(void **state)
{
    (void)state;
    struct conf_token empty = make_conf();
    const struct span headers[] = {SPAN("{\"alg\":\"none\"}"), SPAN("{\"alg\":\"None\"}"),
                                   SPAN("{\"alg\":\"\"}")};
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        make_hmac(&token, headers[i], ALICE, SPAN(MAKE_SECRET), 256);
        expect_text(buf_span(&token), "token.alg");
        expect(read_with(&empty, false, buf_span(&token)), "token.alg");
        while (token.p[token.n - 1] != '.') {
            token.n--;
        }
        expect_text(buf_span(&token), "token.alg");
        expect(read_with(&empty, false, buf_span(&token)), "token.alg");
    }
}

static void an_algorithm_has_one_name(void **state)
{
    (void)state;
    static const struct span headers[] = {
        SPAN("{\"alg\":\"hs256\"}"),        SPAN("{\"alg\":\"HS256 \"}"),
        SPAN("{\"alg\":\"HS256\\u0000\"}"), SPAN("{\"alg\":\"HS1\"}"),
        SPAN("{\"alg\":\"PS256\"}"),        SPAN("{\"alg\":\"EdDSA\"}"),
    };
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        expect_header(headers[i], "token.alg");
    }
    expect_header(SPAN("{\"alg\":\"H\\u0053256\"}"), NULL);
}

static void a_header_says_alg_once_and_as_a_string(void **state)
{
    (void)state;
    static const struct span headers[] = {
        SPAN("{}"),
        SPAN("{\"typ\":\"JWT\"}"),
        SPAN("{\"Alg\":\"HS256\"}"),
        SPAN("{\"alg\":256}"),
        SPAN("{\"alg\":null}"),
        SPAN("{\"alg\":[\"HS256\"]}"),
        SPAN("{\"alg\":\"HS256\",\"alg\":\"HS256\"}"),
        SPAN("{\"alg\":\"none\",\"alg\":\"HS256\"}"),
        SPAN("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}"),
        SPAN("[\"HS256\"]"),
        SPAN("\"HS256\""),
        SPAN("{\"alg\":\"HS256\""),
        SPAN("{\"alg\":\"HS256\"}x"),
        SPAN(""),
        SPAN("{\"alg\":\"HS256\",\"x\":\"\xff\"}"),
    };
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        expect_header(headers[i], "token.malformed");
    }
}

static void what_libjwt_cannot_read_is_accepted(void **state)
{
    (void)state;
    expect_header(SPAN("{\"alg\":\"HS256\",\"typ\":\"\"}"), NULL);
    expect_header(SPAN("{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}"), NULL);
    expect_header(SPAN(" {\"alg\":\"HS256\",\"x\":1e999}\n"), NULL);
    static const struct span claims[] = {
        SPAN("{\"sub\":\"alice\",\"info\":{\"n\":12345678901234567890}}"),
        SPAN("{\"sub\":\"alice\",\"info\":1e400}"),
        SPAN("{\"sub\":\"alice\",\"info\":\"\\u0000\"}"),
    };
    for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
        make_hmac(&token, HS256, claims[i], SPAN(MAKE_SECRET), 256);
        expect_text(buf_span(&token), NULL);
        make_hmac(&token, HS256, claims[i], SPAN("another secret"), 256);
        expect_text(buf_span(&token), "token.signature");
    }
}

static void every_other_signature_is_refused(void **state)
{
    (void)state;
    make_hmac(&token, HS256, ALICE, SPAN("another secret"), 256);
    expect_text(buf_span(&token), "token.signature");
    make_hmac(&token, HS256, ALICE, SPAN(MAKE_SECRET), 256);
    size_t dots[2];
    dots[0] = span_find(buf_span(&token), '.', 0);
    dots[1] = span_find(buf_span(&token), '.', dots[0] + 1);
    for (size_t i = 0; i < token.n; i++) {
        char was = token.p[i];
        token.p[i] = was == 'A' ? 'B' : 'A';
        struct conf_token conf = hmac_conf();
        struct perr_result r = read_with(&conf, false, buf_span(&token));
        if (r.code == PERR_OK) {
            fail_msg("accepted with byte %zu changed", i);
        }
        token.p[i] = was;
    }
    /* Cut to nothing, and to half. */
    expect_text(span_of(token.p, dots[1] + 1), "token.signature");
    expect_text(span_of(token.p, dots[1] + 1 + 20), "token.signature");
}

static void without_a_key_nothing_is_accepted(void **state)
{
    (void)state;
    struct conf_token conf = make_conf();
    make_hmac(&token, HS256, ALICE, SPAN(""), 256);
    expect(read_with(&conf, false, buf_span(&token)), "token.no_key");
    make_hmac(&token, HS256, ALICE, SPAN(MAKE_SECRET), 256);
    expect(read_with(&conf, false, buf_span(&token)), "token.no_key");
}

static void an_empty_key_does_not_stand_beside_another(void **state)
{
    (void)state;
    make_hmac(&token, HS256, ALICE, SPAN(""), 256);
    expect_text(buf_span(&token), "token.signature");
    struct conf_token conf = make_conf();
    conf.hmac_previous_secret_key = secret;
    expect(read_with(&conf, false, buf_span(&token)), "token.signature");
}

static void the_previous_key_is_accepted_until_its_end(void **state)
{
    (void)state;
    char new_secret[] = "the new secret";
    struct conf_token conf = make_conf();
    conf.hmac_secret_key = new_secret;
    make_hmac(&token, HS256, ALICE, SPAN(MAKE_SECRET), 256);
    expect(read_with(&conf, false, buf_span(&token)), "token.signature");
    conf.hmac_previous_secret_key = secret;
    expect(read_with(&conf, false, buf_span(&token)), NULL);
    conf.hmac_previous_secret_key_valid_until = MAKE_NOW;
    expect(read_with(&conf, false, buf_span(&token)), NULL);
    conf.hmac_previous_secret_key_valid_until = MAKE_NOW - 1;
    expect(read_with(&conf, false, buf_span(&token)), "token.signature");
    make_hmac(&token, HS256, ALICE, span_str(new_secret), 256);
    expect(read_with(&conf, false, buf_span(&token)), NULL);
}

static void a_jwks_endpoint_retires_the_other_keys(void **state)
{
    (void)state;
    char url[] = "http://127.0.0.1:1/jwks";
    struct conf_token conf = hmac_conf();
    conf.jwks_public_endpoint = url;
    make_hmac(&token, HS256, ALICE, SPAN(MAKE_SECRET), 256);
    expect(read_with(&conf, false, buf_span(&token)), "token.alg");
}

static void a_token_has_three_parts(void **state)
{
    (void)state;
    static const struct span texts[] = {SPAN(""),        SPAN("."),       SPAN(".."),
                                        SPAN("..."),     SPAN("invalid"), SPAN("x.y"),
                                        SPAN("x.y.z.w"), SPAN("x.y.z."),  SPAN(".y.z")};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        expect_text(texts[i], "token.malformed");
    }
    make_hmac(&token, HS256, ALICE, SPAN(MAKE_SECRET), 256);
    expect_text(span_of(token.p, span_find(buf_span(&token), '.', 40)), "token.malformed");
    buf_add_str(&token, ".x");
    expect_text(buf_span(&token), "token.malformed");
}

static void every_part_has_one_spelling(void **state)
{
    (void)state;
    make_hmac(&token, HS256, ALICE, SPAN(MAKE_SECRET), 256);
    size_t n = token.n;
    buf_add_char(&token, '='); /* padding */
    expect_text(buf_span(&token), "token.malformed");
    token.n = n;
    /* 32 bytes are 43 characters, the last of which has two bits to spare. */
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t digit = (size_t)(strchr(alphabet, token.p[n - 1]) - alphabet);
    token.p[n - 1] = alphabet[digit ^ 1];
    expect_text(buf_span(&token), "token.malformed");
    token.p[n - 1] = alphabet[digit];
    expect_text(buf_span(&token), NULL);
    static const char odd[] = {'+', '/', ' ', '\n', '\0', '\x80', '='};
    for (size_t i = 0; i < sizeof(odd); i++) {
        token.p[5] = odd[i];
        expect_text(buf_span(&token), "token.malformed");
    }
}

static void a_long_token_is_refused_unread(void **state)
{
    (void)state;
    struct buf claims = {0};
    buf_add_str(&claims, "{\"sub\":\"alice\",\"info\":\"");
    while (claims.n < TOKEN_MAX_BYTES / 4 * 3 - 114) {
        buf_add_char(&claims, 'x');
    }
    buf_add_str(&claims, "\"}");
    make_hmac(&token, HS256, buf_span(&claims), SPAN(MAKE_SECRET), 256);
    assert_in_range(token.n, TOKEN_MAX_BYTES - 100, TOKEN_MAX_BYTES);
    expect_text(buf_span(&token), NULL);
    claims.n -= 2;
    while (claims.n < TOKEN_MAX_BYTES / 4 * 3) {
        buf_add_char(&claims, 'x');
    }
    buf_add_str(&claims, "\"}");
    make_hmac(&token, HS256, buf_span(&claims), SPAN(MAKE_SECRET), 256);
    expect_text(buf_span(&token), "token.too_long");
    buf_free(&claims);
    /* libjwt decodes on the stack: this one ended the process. */
    size_t n = (size_t)16 << 20;
    char *huge = mem_alloc(n);
    memset(huge, 'A', n);
    huge[100] = '.';
    huge[n - 100] = '.';
    expect_text(span_of(huge, n), "token.too_long");
    free(huge);
}

static void without_signatures_the_rest_still_counts(void **state)
{
    (void)state;
    struct conf_token conf = make_conf();
    make_hmac(&token, HS256, ALICE, SPAN("another secret"), 256);
    expect(read_with(&conf, true, buf_span(&token)), NULL);
    make_hmac(&token, SPAN("{\"alg\":\"none\"}"), ALICE, SPAN("x"), 256);
    expect(read_with(&conf, true, buf_span(&token)), NULL);
    make_hmac(&token, HS256, SPAN("{\"sub\":1}"), SPAN("x"), 256);
    expect(read_with(&conf, true, buf_span(&token)), "token.claims");
    expect(read_with(&conf, true, SPAN("x.y.z")), "token.malformed");
    make_hmac(&token, HS256, SPAN("{\"exp\":1749999999}"), SPAN("x"), 256);
    assert_int_equal(read_with(&conf, true, buf_span(&token)).code, PERR_TOKEN_EXPIRED);
}

/* "invalid token: detail" is the reason of a close frame. */
static void details_fit_a_close_frame(void **state)
{
    (void)state;
    static const struct span texts[] = {SPAN("x"), SPAN("!.!.!"), SPAN("e30.e30.e30"),
                                        SPAN("eyJhbGciOiJ4In0.e30.e30")};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct conf_token conf = hmac_conf();
        struct perr_result r = read_with(&conf, false, texts[i]);
        struct buf b = {0};
        perr_explain(&r, 1000, &b);
        assert_in_range(b.n, 1, 123);
        buf_free(&b);
    }
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
        cmocka_unit_test(hmac_of_three_sizes_is_accepted),
        cmocka_unit_test(the_digest_is_that_of_the_header),
        cmocka_unit_test(alg_none_is_refused_with_and_without_a_key),
        cmocka_unit_test(an_algorithm_has_one_name),
        cmocka_unit_test(a_header_says_alg_once_and_as_a_string),
        cmocka_unit_test(what_libjwt_cannot_read_is_accepted),
        cmocka_unit_test(every_other_signature_is_refused),
        cmocka_unit_test(without_a_key_nothing_is_accepted),
        cmocka_unit_test(an_empty_key_does_not_stand_beside_another),
        cmocka_unit_test(the_previous_key_is_accepted_until_its_end),
        cmocka_unit_test(a_jwks_endpoint_retires_the_other_keys),
        cmocka_unit_test(a_token_has_three_parts),
        cmocka_unit_test(every_part_has_one_spelling),
        cmocka_unit_test(a_long_token_is_refused_unread),
        cmocka_unit_test(without_signatures_the_rest_still_counts),
        cmocka_unit_test(details_fit_a_close_frame),
    };
    return cmocka_run_group_tests_name("token", tests, NULL, clean_up);
}
