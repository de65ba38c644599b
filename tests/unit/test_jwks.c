/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about documents of keys, their cache, and tokens that are checked with them. */
#include "common/policy/jwks.h"

#include <stdlib.h>

#include "common/policy/token.h"
#include "common/policy/token_keys.h"
#include "tests/unit/token_make.h"
#include "tests/unit/unit.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>

#define URL     SPAN("http://keys.example/jwks")
#define SIG     ",\"use\":\"sig\""
#define ALICE   SPAN("{\"sub\":\"alice\"}")
#define REFUSED PERR_CLOSE_INVALID_TOKEN

static char url[] = "http://keys.example/jwks";
static struct arena arena;
static struct buf token;
static struct buf document;
static struct {
    EVP_PKEY *rsa;
    EVP_PKEY *short_rsa;
    EVP_PKEY *p256;
    EVP_PKEY *p384;
    EVP_PKEY *p521;
    EVP_PKEY *k256;
    EVP_PKEY *ed;
    EVP_PKEY *other_ed;
} keys;

static int make_keys(void **state)
{
    (void)state;
    keys.rsa = EVP_RSA_gen(2048);
    keys.short_rsa = EVP_RSA_gen(1024);
    keys.p256 = EVP_EC_gen("P-256");
    keys.p384 = EVP_EC_gen("P-384");
    keys.p521 = EVP_EC_gen("P-521");
    keys.k256 = EVP_EC_gen("secp256k1");
    keys.ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    keys.other_ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return keys.rsa != NULL && keys.ed != NULL && keys.p521 != NULL ? 0 : -1;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY *all[] = {keys.rsa,  keys.short_rsa, keys.p256, keys.p384,
                       keys.p521, keys.k256,      keys.ed,   keys.other_ed};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        EVP_PKEY_free(all[i]);
    }
    buf_free(&token);
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

/* A document of one key. */
static struct jwks *one_key(EVP_PKEY *key, const char *kid, const char *more)
{
    begin_document();
    add_key(key, kid, more);
    return end_document();
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
    expect_flaw_of(keys.short_rsa, SIG, "2048");
    expect_flaw_of(keys.k256, SIG, "curve"); /* says P-256, and is no point of it */
    expect_flaw_of(keys.rsa, SIG ",\"alg\":\"PS256\"", "alg");
    expect_flaw_of(keys.rsa, SIG ",\"alg\":\"ES256\"", "alg");
    expect_flaw_of(keys.rsa, SIG ",\"alg\":\"HS256\"", "alg");
    expect_flaw_of(keys.p256, SIG ",\"alg\":\"ES384\"", "alg");
    expect_flaw_of(keys.ed, SIG ",\"alg\":\"ES256\"", "alg");
    expect_flaw_of(keys.p256, SIG ",\"alg\":256", "alg");
}

static void a_point_off_the_curve_is_refused(void **state)
{
    (void)state;
    struct buf b = {0};
    make_jwk(&b, keys.p256, "k", SIG);
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
    add_key(keys.short_rsa, "k1", SIG);
    add_key(keys.p256, "k1", SIG);
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
    assert_int_equal(look_for(c, URL, "k", "RS256", MAKE_NOW), JWKS_ABSENT);
    put(c, URL, one_key(keys.rsa, "k", SIG), MAKE_NOW);
    assert_int_equal(look_for(c, URL, "k", "RS256", MAKE_NOW + 3599), JWKS_FOUND);
    assert_int_equal(look_for(c, URL, "k", "RS256", MAKE_NOW + 3599 + 3599), JWKS_FOUND);
    assert_int_equal(look_for(c, URL, "k", "RS256", MAKE_NOW + 3599 + 3599 + 3600), JWKS_ABSENT);
    jwks_cache_free(c);
}

static void a_key_that_is_listed_no_more_ends_within_the_hour(void **state)
{
    (void)state;
    struct jwks_cache *c = jwks_cache_new();
    put(c, URL, one_key(keys.rsa, "old", SIG), MAKE_NOW);
    put(c, URL, one_key(keys.p256, "new", SIG), MAKE_NOW + 10);
    assert_int_equal(look_for(c, URL, "new", "ES256", MAKE_NOW + 10), JWKS_FOUND);
    assert_int_equal(look_for(c, URL, "old", "RS256", MAKE_NOW + 3599), JWKS_FOUND);
    assert_int_equal(look_for(c, URL, "old", "RS256", MAKE_NOW + 3600), JWKS_ABSENT);
    assert_int_equal(look_for(c, URL, "new", "ES256", MAKE_NOW + 3600), JWKS_FOUND);
    jwks_cache_free(c);
}

static void a_newer_document_replaces_the_key_of_a_kid(void **state)
{
    (void)state;
    struct jwks_cache *c = jwks_cache_new();
    put(c, URL, one_key(keys.rsa, "k", SIG), MAKE_NOW);
    put(c, URL, one_key(keys.p256, "k", SIG), MAKE_NOW);
    assert_int_equal(look_for(c, URL, "k", "RS256", MAKE_NOW), JWKS_OTHER_ALG);
    assert_int_equal(look_for(c, URL, "k", "ES256", MAKE_NOW), JWKS_FOUND);
    jwks_cache_free(c);
}

/* The owner of one document must not make keys for another. */
static void keys_belong_to_their_address(void **state)
{
    (void)state;
    struct jwks_cache *c = jwks_cache_new();
    put(c, URL, one_key(keys.rsa, "k", SIG), MAKE_NOW);
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
    add_key(keys.rsa, "k", SIG ",\"alg\":\"RS512\"");
    add_key(keys.p384, "k", SIG);
    add_key(keys.ed, "k", SIG);
    put(c, URL, end_document(), MAKE_NOW);
    assert_int_equal(look_for(c, URL, "k", "RS512", MAKE_NOW), JWKS_FOUND);
    assert_int_equal(look_for(c, URL, "k", "ES384", MAKE_NOW), JWKS_FOUND);
    assert_int_equal(look_for(c, URL, "k", "EdDSA", MAKE_NOW), JWKS_FOUND);
    assert_int_equal(look_for(c, URL, "k", "RS256", MAKE_NOW), JWKS_OTHER_ALG);
    assert_int_equal(look_for(c, URL, "k", "ES256", MAKE_NOW), JWKS_OTHER_ALG);
    assert_int_equal(look_for(c, URL, "k", "HS256", MAKE_NOW), JWKS_OTHER_ALG);
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
            add_key(keys.ed, kid, SIG);
        }
        snprintf(address, sizeof(address), "http://h/%d", i);
        put(c, span_str(address), end_document(), MAKE_NOW);
    }
    assert_int_equal(look_for(c, SPAN("http://h/0"), "0", "EdDSA", MAKE_NOW), JWKS_ABSENT);
    assert_int_equal(look_for(c, SPAN("http://h/1"), "0", "EdDSA", MAKE_NOW), JWKS_FOUND);
    assert_int_equal(look_for(c, SPAN("http://h/16"), "255", "EdDSA", MAKE_NOW), JWKS_FOUND);
    jwks_cache_free(c);
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
        snprintf(more, sizeof(more), SIG ",\"alg\":\"%s\"", rows[i].alg);
        put(c, URL, one_key(rows[i].key, rows[i].alg, more), MAKE_NOW);
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
    put(c, URL, one_key(keys.ed, "k1", SIG), MAKE_NOW);
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
    put(c, URL, one_key(keys.rsa, "k", SIG ",\"alg\":\"RS256\""), MAKE_NOW);
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

static void a_signature_of_another_length_is_refused(void **state)
{
    (void)state;
    struct jwks_cache *c = jwks_cache_new();
    put(c, URL, one_key(keys.ed, "k", SIG), MAKE_NOW);
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
    put(c, SPAN("https://b.example/two/keys"), one_key(keys.ed, "k", SIG), MAKE_NOW);
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
        cmocka_unit_test(keys_of_all_kinds_check_tokens),
        cmocka_unit_test(a_token_names_a_key_that_is_here),
        cmocka_unit_test(the_key_decides_about_the_algorithm),
        cmocka_unit_test(a_signature_of_another_length_is_refused),
        cmocka_unit_test(the_address_may_depend_on_issuer_and_audience),
        cmocka_unit_test(a_token_cannot_choose_the_host),
        cmocka_unit_test(a_malformed_address_is_refused),
        cmocka_unit_test(an_odd_value_gives_no_address),
        cmocka_unit_test(answers_of_servers_have_names),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
