/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about documents of keys, their cache, and the servers that have them. */
#include "common/policy/jwks.h"

#include <stdlib.h>

#include "common/policy/token_keys.h"
#include "tests/unit/token_make.h"
#include "tests/unit/unit.h"

#define REFUSED PERR_CLOSE_INVALID_TOKEN

static struct arena arena;
static struct buf document;
static struct make_keys keys;

static int set_up(void **state)
{
    (void)state;
    return make_keys_new(&keys) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    make_keys_free(&keys);
    buf_free(&document);
    arena_fini(&arena);
    return 0;
}

/* ---- documents ---- */

static void begin_document(void)
{
    buf_clear(&document);
    buf_add_str(&document, "{\"keys\":[");
}

static void add_key(EVP_PKEY *key, const char *kid, const char *more)
{
    if (document.p[document.n - 1] != '[') {
        buf_add_char(&document, ',');
    }
    make_jwk(&document, key, kid, more);
}

static struct jwks *end_document(void)
{
    struct err e = {0};
    buf_add_str(&document, "]}");
    struct jwks *d = jwks_parse(buf_span(&document), &e);
    if (d == NULL) {
        fail_msg("%s", e.text);
    }
    return d;
}

static struct jwks *parse_text(const char *text, struct err *e)
{
    /* An exact allocation lets the sanitizer see a byte read too many. */
    char *exact = malloc(strlen(text) + 1);
    assert_non_null(exact);
    memcpy(exact, text, strlen(text));
    struct jwks *d = jwks_parse(span_of(exact, strlen(text)), e);
    free(exact);
    return d;
}

static void what_is_no_document_of_keys_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       "null",          "[]",
                                      "{}",     "{\"keys\":{}}", "{\"keys\":null}",
                                      "<html>", "{\"keys\":[]",  "{\"keys\":[]}x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = {0};
        struct jwks *d = parse_text(bad[i], &e);
        if (d != NULL) {
            jwks_free(d);
            fail_msg("%s is taken", bad[i]);
        }
        assert_true(e.code < 0 && e.text[0] != '\0');
    }
    struct jwks *none = parse_text("{\"keys\":[1,null,{},{\"kid\":7},\"x\",[]]}", NULL);
    assert_non_null(none);
    assert_int_equal(none->n, 0);
    jwks_free(none);
}

static void a_giant_document_is_refused(void **state)
{
    (void)state;
    struct buf big = {0};
    buf_add_str(&big, "{\"keys\":[");
    for (int i = 0; i < JWKS_MAX_KEYS; i++) {
        buf_addf(&big, "%s{\"kid\":\"%d\"}", i == 0 ? "" : ",", i);
    }
    size_t n = big.n;
    buf_add_str(&big, "]}");
    struct jwks *d = jwks_parse(buf_span(&big), NULL);
    assert_non_null(d);
    assert_int_equal(d->n, JWKS_MAX_KEYS);
    jwks_free(d);
    big.n = n;
    buf_add_str(&big, ",{}]}");
    struct err e = {0};
    assert_null(jwks_parse(buf_span(&big), &e));
    assert_int_equal(e.code, ERR_LIMIT);
    while (big.n <= JWKS_MAX_BYTES) {
        buf_add_char(&big, ' ');
    }
    assert_null(jwks_parse(buf_span(&big), &e));
    assert_int_equal(e.code, ERR_LIMIT);
    buf_free(&big);
}

static void expect_flaw(const char *key, const char *words)
{
    struct buf b = {0};
    buf_addf(&b, "{\"keys\":[%s]}", key);
    struct jwks *d = parse_text(buf_cstr(&b), NULL);
    assert_non_null(d);
    assert_int_equal(d->n, 1);
    assert_null(d->keys[0].key);
    if (d->keys[0].flaw == NULL || strstr(d->keys[0].flaw, words) == NULL) {
        fail_msg("%s: %s", key, d->keys[0].flaw != NULL ? d->keys[0].flaw : "no flaw");
    }
    struct perr_result r = jwks_explain(d, d->keys[0].kid);
    assert_int_equal(r.code, REFUSED);
    assert_string_equal(r.reason, "jwks.key");
    jwks_free(d);
    buf_free(&b);
}

static void expect_flaw_of(EVP_PKEY *key, const char *more, const char *words)
{
    struct buf b = {0};
    make_jwk(&b, key, "k", more);
    expect_flaw(buf_cstr(&b), words);
    buf_free(&b);
}

static void a_key_that_cannot_be_used_says_why(void **state)
{
    (void)state;
    expect_flaw("{\"kid\":\"k\",\"kty\":\"oct\",\"use\":\"sig\",\"k\":\"AAAA\"}", "kty");
    expect_flaw("{\"kid\":\"k\"}", "kty");
    expect_flaw("{\"kid\":\"k\",\"kty\":\"RSA\",\"use\":\"sig\",\"n\":\"AQAB\"}", "n and e");
    expect_flaw("{\"kid\":\"k\",\"kty\":\"RSA\",\"use\":\"sig\",\"n\":\"A=\",\"e\":\"AQAB\"}",
                "n and e");
    expect_flaw("{\"kid\":\"k\",\"kty\":\"RSA\",\"use\":\"sig\",\"n\":7,\"e\":\"AQAB\"}",
                "n and e");
    expect_flaw(
        "{\"kid\":\"k\",\"kty\":\"OKP\",\"use\":\"sig\",\"crv\":\"Ed25519\",\"x\":\"AQAB\"}",
        "32 bytes");
    expect_flaw("{\"kid\":\"k\",\"kty\":\"OKP\",\"use\":\"sig\",\"crv\":\"X25519\",\"x\":\"AQAB\"}",
                "Ed25519");
    expect_flaw("{\"kid\":\"k\",\"kty\":\"EC\",\"use\":\"sig\",\"crv\":\"P-256\",\"x\":\"AQAB\"}",
                "x and y");
    expect_flaw_of(keys.rsa, "", "use");
    expect_flaw_of(keys.rsa, ",\"use\":\"enc\"", "use");
    expect_flaw_of(keys.rsa, ",\"use\":[\"sig\"]", "use");
    expect_flaw_of(keys.short_rsa, MAKE_SIG, "2048");
    expect_flaw_of(keys.k256, MAKE_SIG, "curve"); /* says P-256, and is no point of it */
    expect_flaw_of(keys.rsa, MAKE_SIG ",\"alg\":\"PS256\"", "alg");
    expect_flaw_of(keys.rsa, MAKE_SIG ",\"alg\":\"ES256\"", "alg");
    expect_flaw_of(keys.rsa, MAKE_SIG ",\"alg\":\"HS256\"", "alg");
    expect_flaw_of(keys.p256, MAKE_SIG ",\"alg\":\"ES384\"", "alg");
    expect_flaw_of(keys.ed, MAKE_SIG ",\"alg\":\"ES256\"", "alg");
    expect_flaw_of(keys.p256, MAKE_SIG ",\"alg\":256", "alg");
}

static void a_point_off_the_curve_is_refused(void **state)
{
    (void)state;
    struct buf b = {0};
    make_jwk(&b, keys.p256, "k", MAKE_SIG);
    char *y = strstr(buf_cstr(&b), "\"y\":\"") + 5;
    y[0] = y[0] == 'A' ? 'B' : 'A';
    expect_flaw(buf_cstr(&b), "no point");
    buf_clear(&b);
    buf_add_str(&b, "{\"kid\":\"k\",\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"sig\",\"x\":\"");
    char zeros[32] = {0};
    make_part(&b, span_of(zeros, sizeof(zeros)));
    buf_add_str(&b, "\",\"y\":\"");
    make_part(&b, span_of(zeros, sizeof(zeros)));
    buf_add_str(&b, "\"}");
    expect_flaw(buf_cstr(&b), "no point");
    buf_free(&b);
}

static void a_giant_rsa_key_is_refused(void **state)
{
    (void)state;
    struct buf b = {0};
    char n[1025];
    memset(n, 0xff, sizeof(n));
    buf_add_str(&b, "{\"kid\":\"k\",\"kty\":\"RSA\",\"use\":\"sig\",\"e\":\"AQAB\",\"n\":\"");
    make_part(&b, span_of(n, sizeof(n)));
    buf_add_str(&b, "\"}");
    expect_flaw(buf_cstr(&b), "8192");
    buf_free(&b);
}

static void a_flawed_key_does_not_spoil_the_others(void **state)
{
    (void)state;
    begin_document();
    add_key(keys.short_rsa, "k1", MAKE_SIG);
    add_key(keys.p256, "k1", MAKE_SIG);
    add_key(keys.rsa, "k2", ",\"use\":\"enc\"");
    struct jwks *d = end_document();
    assert_int_equal(d->n, 3);
    assert_int_equal(jwks_explain(d, SPAN("k1")).code, PERR_OK);
    assert_string_equal(jwks_explain(d, SPAN("k2")).reason, "jwks.key");
    assert_string_equal(jwks_explain(d, SPAN("k")).reason, "jwks.kid");
    jwks_free(d);
}

/* ---- the cache ---- */

static enum jwks_found look_for(struct jwks_cache *c, struct span address, const char *kid,
                                const char *alg, int64_t now_s)
{
    struct token_pubkey *key = NULL;
    const struct jwks_query q = {address, span_str(kid), token__alg_find(span_str(alg)), now_s};
    arena_reset(&arena);
    enum jwks_found found = jwks_cache_find(c, &q, &arena, &key);
    assert_true((found == JWKS_FOUND) == (key != NULL));
    token__pubkey_free(key);
    return found;
}

static void put(struct jwks_cache *c, struct span address, struct jwks *d, int64_t now_s)
{
    jwks_cache_put(c, address, d, now_s);
    jwks_free(d);
}

static void a_key_is_forgotten_an_hour_after_its_last_use(void **state)
{
    (void)state;
    struct jwks_cache *c = jwks_cache_new();
    assert_int_equal(look_for(c, MAKE_URL, "k", "RS256", MAKE_NOW), JWKS_ABSENT);
    put(c, MAKE_URL, make_jwks(keys.rsa, "k", MAKE_SIG), MAKE_NOW);
    assert_int_equal(look_for(c, MAKE_URL, "k", "RS256", MAKE_NOW + 3599), JWKS_FOUND);
    assert_int_equal(look_for(c, MAKE_URL, "k", "RS256", MAKE_NOW + 3599 + 3599), JWKS_FOUND);
    assert_int_equal(look_for(c, MAKE_URL, "k", "RS256", MAKE_NOW + 3599 + 3599 + 3600),
                     JWKS_ABSENT);
    jwks_cache_free(c);
}

static void a_key_that_is_listed_no_more_ends_within_the_hour(void **state)
{
    (void)state;
    struct jwks_cache *c = jwks_cache_new();
    put(c, MAKE_URL, make_jwks(keys.rsa, "old", MAKE_SIG), MAKE_NOW);
    put(c, MAKE_URL, make_jwks(keys.p256, "new", MAKE_SIG), MAKE_NOW + 10);
    assert_int_equal(look_for(c, MAKE_URL, "new", "ES256", MAKE_NOW + 10), JWKS_FOUND);
    assert_int_equal(look_for(c, MAKE_URL, "old", "RS256", MAKE_NOW + 3599), JWKS_FOUND);
    assert_int_equal(look_for(c, MAKE_URL, "old", "RS256", MAKE_NOW + 3600), JWKS_ABSENT);
    assert_int_equal(look_for(c, MAKE_URL, "new", "ES256", MAKE_NOW + 3600), JWKS_FOUND);
    jwks_cache_free(c);
}

static void a_newer_document_replaces_the_key_of_a_kid(void **state)
{
    (void)state;
    struct jwks_cache *c = jwks_cache_new();
    put(c, MAKE_URL, make_jwks(keys.rsa, "k", MAKE_SIG), MAKE_NOW);
    put(c, MAKE_URL, make_jwks(keys.p256, "k", MAKE_SIG), MAKE_NOW);
    assert_int_equal(look_for(c, MAKE_URL, "k", "RS256", MAKE_NOW), JWKS_OTHER_ALG);
    assert_int_equal(look_for(c, MAKE_URL, "k", "ES256", MAKE_NOW), JWKS_FOUND);
    jwks_cache_free(c);
}

/* The owner of one document must not make keys for another. */
static void keys_belong_to_their_address(void **state)
{
    (void)state;
    struct jwks_cache *c = jwks_cache_new();
    put(c, MAKE_URL, make_jwks(keys.rsa, "k", MAKE_SIG), MAKE_NOW);
    assert_int_equal(look_for(c, SPAN("http://keys.example/other"), "k", "RS256", MAKE_NOW),
                     JWKS_ABSENT);
    assert_int_equal(look_for(c, SPAN("http://keys.example/jwk"), "s", "RS256", MAKE_NOW),
                     JWKS_ABSENT);
    jwks_cache_free(c);
}

static void a_kid_may_have_a_key_for_each_algorithm(void **state)
{
    (void)state;
    struct jwks_cache *c = jwks_cache_new();
    begin_document();
    add_key(keys.rsa, "k", MAKE_SIG ",\"alg\":\"RS512\"");
    add_key(keys.p384, "k", MAKE_SIG);
    add_key(keys.ed, "k", MAKE_SIG);
    put(c, MAKE_URL, end_document(), MAKE_NOW);
    assert_int_equal(look_for(c, MAKE_URL, "k", "RS512", MAKE_NOW), JWKS_FOUND);
    assert_int_equal(look_for(c, MAKE_URL, "k", "ES384", MAKE_NOW), JWKS_FOUND);
    assert_int_equal(look_for(c, MAKE_URL, "k", "EdDSA", MAKE_NOW), JWKS_FOUND);
    assert_int_equal(look_for(c, MAKE_URL, "k", "RS256", MAKE_NOW), JWKS_OTHER_ALG);
    assert_int_equal(look_for(c, MAKE_URL, "k", "ES256", MAKE_NOW), JWKS_OTHER_ALG);
    assert_int_equal(look_for(c, MAKE_URL, "k", "HS256", MAKE_NOW), JWKS_OTHER_ALG);
    jwks_cache_free(c);
}

static void the_cache_has_an_end(void **state)
{
    (void)state;
    struct jwks_cache *c = jwks_cache_new();
    for (int i = 0; i < 17; i++) {
        char address[64];
        begin_document();
        for (int k = 0; k < JWKS_MAX_KEYS; k++) {
            char kid[16];
            snprintf(kid, sizeof(kid), "%d", k);
            add_key(keys.ed, kid, MAKE_SIG);
        }
        snprintf(address, sizeof(address), "http://h/%d", i);
        put(c, span_str(address), end_document(), MAKE_NOW);
    }
    assert_int_equal(look_for(c, SPAN("http://h/0"), "0", "EdDSA", MAKE_NOW), JWKS_ABSENT);
    assert_int_equal(look_for(c, SPAN("http://h/1"), "0", "EdDSA", MAKE_NOW), JWKS_FOUND);
    assert_int_equal(look_for(c, SPAN("http://h/16"), "255", "EdDSA", MAKE_NOW), JWKS_FOUND);
    jwks_cache_free(c);
}

/* ---- servers ---- */

static void answers_of_servers_have_names(void **state)
{
    (void)state;
    static const struct {
        struct fetch_answer answer;
        const char *name;
        bool may_pass;
    } rows[] = {
        {{FETCH_OK, 200, SPAN("{\"keys\":[]}"), ""}, "ok", false},
        {{FETCH_OK, 200, SPAN("x"), ""}, "document", false},
        {{FETCH_OK, 204, SPAN(""), ""}, "status", false},
        {{FETCH_OK, 302, SPAN(""), ""}, "redirect", false},
        {{FETCH_OK, 404, SPAN("{\"keys\":[]}"), ""}, "status", false},
        {{FETCH_OK, 503, SPAN(""), ""}, "status", true},
        {{FETCH_UNREACHABLE, 0, SPAN(""), "refused"}, "unreachable", true},
        {{FETCH_UNTRUSTED, 0, SPAN(""), "self-signed"}, "certificate", false},
        {{FETCH_TIMEOUT, 200, SPAN("{\"keys\":[]}"), "slow"}, "timeout", true},
        {{FETCH_TOO_LARGE, 200, SPAN("{\"keys\":[]}"), ""}, "too_large", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        struct jwks *d = NULL;
        enum jwks_outcome o = jwks_read_answer(&rows[i].answer, &d, &e);
        assert_string_equal(jwks_outcome_name(o), rows[i].name);
        assert_true((d != NULL) == (o == JWKS_OK));
        assert_int_equal(jwks_is_passing(o, &rows[i].answer), rows[i].may_pass);
        struct perr_result r = jwks_refusal(o);
        assert_true((r.code == PERR_OK) == (o == JWKS_OK));
        assert_true(o == JWKS_OK || (strcmp(r.reason + 5, rows[i].name) == 0 && e.text[0] != '\0'));
        jwks_free(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_document_of_keys_is_refused),
        cmocka_unit_test(a_giant_document_is_refused),
        cmocka_unit_test(a_key_that_cannot_be_used_says_why),
        cmocka_unit_test(a_point_off_the_curve_is_refused),
        cmocka_unit_test(a_giant_rsa_key_is_refused),
        cmocka_unit_test(a_flawed_key_does_not_spoil_the_others),
        cmocka_unit_test(a_key_is_forgotten_an_hour_after_its_last_use),
        cmocka_unit_test(a_key_that_is_listed_no_more_ends_within_the_hour),
        cmocka_unit_test(a_newer_document_replaces_the_key_of_a_kid),
        cmocka_unit_test(keys_belong_to_their_address),
        cmocka_unit_test(a_kid_may_have_a_key_for_each_algorithm),
        cmocka_unit_test(the_cache_has_an_end),
        cmocka_unit_test(answers_of_servers_have_names),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
