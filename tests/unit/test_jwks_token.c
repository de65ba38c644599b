/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about tokens that are checked with fetched keys, and about where the keys come from. */
#include <stdlib.h>

#include "common/policy/jwks.h"
#include "common/policy/token.h"
#include "tests/unit/token_make.h"
#include "tests/unit/unit.h"

#define ALICE SPAN("{\"sub\":\"alice\"}")

static char url[] = "http://keys.example/jwks";
static struct arena arena;
static struct buf token;
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
    buf_free(&token);
    arena_fini(&arena);
    return 0;
}

static void put(struct jwks_cache *c, struct span address, struct jwks *d)
{
    jwks_cache_put(c, address, d, MAKE_NOW);
    jwks_free(d);
}

/* ---- tokens ---- */

static void expect_with(const struct conf_token *conf, struct jwks_cache *c, const char *reason)
{
    struct err e;
    struct token_verifier *v = token_verifier_new(conf, false, &e);
    assert_non_null(v);
    token_verifier_set_cache(v, c);
    struct token_connect t;
    arena_reset(&arena);
    struct perr_result r = token_read_connect(v, buf_span(&token), MAKE_NOW, &arena, &t);
    token_verifier_free(v);
    if ((reason == NULL) != (r.code == PERR_OK) ||
        (reason != NULL && strcmp(reason, r.reason) != 0)) {
        fail_msg("%s instead of %s", r.reason != NULL ? r.reason : "accepted",
                 reason != NULL ? reason : "accepted");
    }
    assert_true(token_is_pending(&r) == (reason != NULL && strcmp(reason, "jwks.pending") == 0));
}

static struct conf_token jwks_conf(void)
{
    struct conf_token conf = make_conf();
    conf.jwks_public_endpoint = url;
    return conf;
}

static void expect(struct jwks_cache *c, const char *reason)
{
    struct conf_token conf = jwks_conf();
    expect_with(&conf, c, reason);
}

static void sign(const char *alg, const char *kid, EVP_PKEY *key, unsigned bits)
{
    struct buf header = {0};
    buf_addf(&header, "{\"alg\":\"%s\",\"kid\":\"%s\"}", alg, kid);
    make_signed(&token, buf_span(&header), ALICE, key, bits);
    buf_free(&header);
}

static void keys_of_all_kinds_check_tokens(void **state)
{
    (void)state;
    const struct {
        EVP_PKEY *key;
        const char *alg;
        unsigned bits;
    } rows[] = {{keys.rsa, "RS256", 256},  {keys.rsa, "RS384", 384},  {keys.rsa, "RS512", 512},
                {keys.p256, "ES256", 256}, {keys.p384, "ES384", 384}, {keys.p521, "ES512", 512},
                {keys.ed, "EdDSA", 0}};
    struct jwks_cache *c = jwks_cache_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char more[64];
        snprintf(more, sizeof(more), MAKE_SIG ",\"alg\":\"%s\"", rows[i].alg);
        put(c, MAKE_URL, make_jwks(rows[i].key, rows[i].alg, more));
        sign(rows[i].alg, rows[i].alg, rows[i].key, rows[i].bits);
        expect(c, NULL);
        token.p[token.n - 10] = token.p[token.n - 10] == 'A' ? 'B' : 'A';
        expect(c, "token.signature");
    }
    jwks_cache_free(c);
}

static void a_token_names_a_key_that_is_here(void **state)
{
    (void)state;
    struct jwks_cache *c = jwks_cache_new();
    put(c, MAKE_URL, make_jwks(keys.ed, "k1", MAKE_SIG));
    sign("EdDSA", "k1", keys.other_ed, 0);
    expect(c, "token.signature");
    sign("EdDSA", "k2", keys.ed, 0);
    expect(c, "jwks.pending");
    sign("EdDSA", "", keys.ed, 0);
    expect(c, "jwks.no_kid");
    make_signed(&token, SPAN("{\"alg\":\"EdDSA\"}"), ALICE, keys.ed, 0);
    expect(c, "jwks.no_kid");
    make_signed(&token, SPAN("{\"alg\":\"EdDSA\",\"kid\":7}"), ALICE, keys.ed, 0);
    expect(c, "jwks.no_kid");
    make_signed(&token, SPAN("{\"alg\":\"EdDSA\",\"kid\":\"k1\",\"kid\":\"k1\"}"), ALICE, keys.ed,
                0);
    expect(c, "token.malformed");
    sign("EdDSA", "k1", keys.ed, 0);
    expect(c, NULL);
    expect(NULL, "jwks.pending");
    jwks_cache_free(c);
}

static void the_key_decides_about_the_algorithm(void **state)
{
    (void)state;
    struct jwks_cache *c = jwks_cache_new();
    put(c, MAKE_URL, make_jwks(keys.rsa, "k", MAKE_SIG ",\"alg\":\"RS256\""));
    sign("RS512", "k", keys.rsa, 512);
    expect(c, "jwks.alg");
    sign("ES256", "k", keys.p256, 256);
    expect(c, "jwks.alg");
    make_signed(&token, SPAN("{\"alg\":\"PS256\",\"kid\":\"k\"}"), ALICE, keys.rsa, 256);
    expect(c, "token.alg");
    /* Everybody has the public key, so nobody may sign with it. */
    char *pem = make_public_pem(keys.rsa);
    make_hmac(&token, SPAN("{\"alg\":\"HS256\",\"kid\":\"k\"}"), ALICE, span_str(pem), 256);
    expect(c, "token.alg");
    free(pem);
    jwks_cache_free(c);
}

static void nothing_is_fetched_where_signatures_are_not_looked_at(void **state)
{
    (void)state;
    struct conf_token conf = jwks_conf();
    struct token_verifier *v = token_verifier_new(&conf, true, NULL);
    struct token_connect t;
    struct token_wanted wanted;
    sign("EdDSA", "k", keys.ed, 0);
    arena_reset(&arena);
    assert_int_equal(token_read_connect(v, buf_span(&token), MAKE_NOW, &arena, &t).code, PERR_OK);
    assert_false(token_wanted_key(v, buf_span(&token), &arena, &wanted));
    token_verifier_free(v);
}

static void a_signature_of_another_length_is_refused(void **state)
{
    (void)state;
    struct jwks_cache *c = jwks_cache_new();
    put(c, MAKE_URL, make_jwks(keys.ed, "k", MAKE_SIG));
    sign("EdDSA", "k", keys.ed, 0);
    size_t dot = span_find(buf_span(&token), '.', span_find(buf_span(&token), '.', 0) + 1);
    token.n = dot + 1;
    expect(c, "token.signature");
    char zeros[65] = {0};
    make_part(&token, span_of(zeros, 65));
    expect(c, "token.signature");
    token.n = dot + 1;
    make_part(&token, span_of(zeros, 64));
    expect(c, "token.signature");
    jwks_cache_free(c);
}

/* ---- addresses ---- */

static char template[] = "https://{{host}}/{{realm}}/keys";
static char issuer[] = "^https://(?P<host>a\\.example|b\\.example)/";
static char audience[] = "^(?P<realm>one|two)$";

static struct conf_token template_conf(void)
{
    struct conf_token conf = make_conf();
    conf.jwks_public_endpoint = template;
    conf.issuer_regex = issuer;
    conf.audience_regex = audience;
    return conf;
}

static void the_address_may_depend_on_issuer_and_audience(void **state)
{
    (void)state;
    struct conf_token conf = template_conf();
    struct jwks_cache *c = jwks_cache_new();
    put(c, SPAN("https://b.example/two/keys"), make_jwks(keys.ed, "k", MAKE_SIG));
    struct span header = SPAN("{\"alg\":\"EdDSA\",\"kid\":\"k\"}");
    make_signed(&token, header, SPAN("{\"iss\":\"https://b.example/x\",\"aud\":[\"z\",\"two\"]}"),
                keys.ed, 0);
    expect_with(&conf, c, NULL);
    make_signed(&token, header, SPAN("{\"iss\":\"https://a.example/x\",\"aud\":\"two\"}"), keys.ed,
                0);
    expect_with(&conf, c, "jwks.pending");
    struct token_wanted wanted;
    struct token_verifier *v = token_verifier_new(&conf, false, NULL);
    assert_true(token_wanted_key(v, buf_span(&token), &arena, &wanted));
    assert_true(span_eq_str(wanted.url, "https://a.example/two/keys"));
    assert_true(span_eq_str(wanted.kid, "k"));
    make_signed(&token, header, SPAN("{\"iss\":\"https://c.example/x\",\"aud\":\"two\"}"), keys.ed,
                0);
    expect_with(&conf, c, "token.issuer");
    assert_false(token_wanted_key(v, buf_span(&token), &arena, &wanted));
    make_signed(&token, header, SPAN("{\"iss\":\"https://a.example/x\"}"), keys.ed, 0);
    expect_with(&conf, c, "token.audience");
    token_verifier_free(v);
    jwks_cache_free(c);
}

static void expect_template(const char *endpoint, const char *pattern, bool skips,
                            const char *words)
{
    struct conf_token conf = make_conf();
    struct err e = {0};
    char *copies[] = {span_dup(span_str(endpoint)), span_dup(span_str(pattern))};
    conf.jwks_public_endpoint = copies[0];
    conf.issuer_regex = copies[1];
    conf.insecure_skip_jwks_endpoint_safety_check = skips;
    struct token_verifier *v = token_verifier_new(&conf, false, &e);
    if ((v != NULL) != (words == NULL) || (words != NULL && strstr(e.text, words) == NULL)) {
        fail_msg("%s with %s: %s", endpoint, pattern, v != NULL ? "taken" : e.text);
    }
    token_verifier_free(v);
    free(copies[0]);
    free(copies[1]);
}

static void a_token_cannot_choose_the_host(void **state)
{
    (void)state;
    static const char *const open[] = {"(?P<h>.*)",     "(?P<h>[ab])", "(?P<h>a|b+)",
                                       "(?P<h>(?i)ab)", "(?P<h>a?)",   "(?P<h>a|(?:b|\\w))"};
    for (size_t i = 0; i < ARRAY_LEN(open); i++) {
        expect_template("https://{{h}}/k", open[i], false, "list of texts");
        expect_template("https://{{h}}/k", open[i], true, NULL);
    }
    expect_template("https://{{h}}/k", "(?P<h>a\\.b|c-d|\\Qe.f\\E)", false, NULL);
    expect_template("https://{{h}}/k", "x(?P<h>a(?:b|c))", false, NULL);
}

static void a_malformed_address_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint;
        const char *words;
    } rows[] = {
        {"keys.example/jwks", "URL"},  {"file:///etc/passwd", "URL"},
        {"https://", "URL"},           {"http:///x", "URL"},
        {"https://a b/", "character"}, {"https://a/{{h", "}}"},
        {"https://a/{{x}}", "(?P<x>"}, {"https://a/{h}", "character"},
        {"https://a/\n", "character"}, {"https://a/{{}}", "needs"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect_template(rows[i].endpoint, "(?P<h>a|b)", false, rows[i].words);
    }
    expect_template("{{h}}/keys", "(?P<h>https://a|https://b)", false, NULL);
}

/* With the safety check off the token may say much, but no other kind of address. */
static void an_odd_value_gives_no_address(void **state)
{
    (void)state;
    static const char *const odd[] = {"a b", "a\\nb", "\\u00e9", "<x>", ""};
    struct conf_token conf = make_conf();
    char endpoint[] = "{{u}}/keys";
    char any[] = "^(?P<u>.*)$";
    char part[] = "https://(?:(?P<u>https://x)|y)";
    conf.jwks_public_endpoint = endpoint;
    conf.issuer_regex = any;
    conf.insecure_skip_jwks_endpoint_safety_check = true;
    for (size_t i = 0; i < ARRAY_LEN(odd) + 2; i++) {
        struct buf claims = {0};
        if (i < ARRAY_LEN(odd)) {
            buf_addf(&claims, "{\"iss\":\"https://%s\"}", odd[i]);
        } else if (i == ARRAY_LEN(odd)) {
            buf_add_str(&claims, "{\"iss\":\"file:///etc\"}");
        } else {
            conf.issuer_regex = part; /* the group takes no part */
            buf_add_str(&claims, "{\"iss\":\"https://y\"}");
        }
        make_signed(&token, SPAN("{\"alg\":\"EdDSA\",\"kid\":\"k\"}"), buf_span(&claims), keys.ed,
                    0);
        expect_with(&conf, NULL, i == 1 ? "token.issuer" : "jwks.url");
        buf_free(&claims);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_all_kinds_check_tokens),
        cmocka_unit_test(a_token_names_a_key_that_is_here),
        cmocka_unit_test(the_key_decides_about_the_algorithm),
        cmocka_unit_test(nothing_is_fetched_where_signatures_are_not_looked_at),
        cmocka_unit_test(a_signature_of_another_length_is_refused),
        cmocka_unit_test(the_address_may_depend_on_issuer_and_audience),
        cmocka_unit_test(a_token_cannot_choose_the_host),
        cmocka_unit_test(a_malformed_address_is_refused),
        cmocka_unit_test(an_odd_value_gives_no_address),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
