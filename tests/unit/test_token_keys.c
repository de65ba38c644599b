/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about tokens signed with RSA and ECDSA, and about keys of the wrong kind. */
#include <stdlib.h>

#include "common/format/b64.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "tests/unit/token_make.h"
#include "tests/unit/unit.h"

#define ALICE SPAN("{\"sub\":\"alice\"}")

static struct {
    EVP_PKEY *rsa, *other_rsa, *p256, *p384, *p521;
    char *rsa_pem, *p256_pem, *p384_pem, *p521_pem;
} keys;
static char secret[] = MAKE_SECRET;
static struct arena arena;
static struct buf token;

static void expect(const struct conf_token *conf, const char *reason)
{
    struct err e;
    struct token_verifier *v = token_verifier_new(conf, false, &e);
    if (v == NULL) {
        fail_msg("%s", e.text);
        return;
    }
    struct token_connect t;
    arena_reset(&arena);
    struct perr_result r = token_read_connect(v, buf_span(&token), MAKE_NOW, &arena, &t);
    if (reason == NULL) {
        assert_int_equal(r.code, PERR_OK);
        assert_true(span_eq_str(t.user, "alice"));
    } else {
        assert_int_equal(r.code, PERR_CLOSE_INVALID_TOKEN);
        assert_string_equal(r.reason, reason);
    }
    token_verifier_free(v);
}

static struct conf_token rsa_conf(void)
{
    struct conf_token conf = make_conf();
    conf.rsa_public_key = keys.rsa_pem;
    return conf;
}

static struct conf_token ec_conf(char *pem)
{
    struct conf_token conf = make_conf();
    conf.ecdsa_public_key = pem;
    return conf;
}

static void rsa_of_three_sizes_is_accepted(void **state)
{
    (void)state;
    struct conf_token conf = rsa_conf();
    make_signed(&token, SPAN("{\"alg\":\"RS256\"}"), ALICE, keys.rsa, 256);
    expect(&conf, NULL);
    make_signed(&token, SPAN("{\"alg\":\"RS384\"}"), ALICE, keys.rsa, 384);
    expect(&conf, NULL);
    make_signed(&token, SPAN("{\"alg\":\"RS512\"}"), ALICE, keys.rsa, 512);
    expect(&conf, NULL);
    make_signed(&token, SPAN("{\"alg\":\"RS512\"}"), ALICE, keys.rsa, 256);
    expect(&conf, "token.signature");
    make_signed(&token, SPAN("{\"alg\":\"RS256\"}"), ALICE, keys.other_rsa, 256);
    expect(&conf, "token.signature");
}

static void each_curve_has_its_algorithm(void **state)
{
    (void)state;
    struct {
        struct span header;
        EVP_PKEY *key;
        char *pem;
        unsigned bits;
    } rows[] = {{SPAN("{\"alg\":\"ES256\"}"), keys.p256, keys.p256_pem, 256},
                {SPAN("{\"alg\":\"ES384\"}"), keys.p384, keys.p384_pem, 384},
                {SPAN("{\"alg\":\"ES512\"}"), keys.p521, keys.p521_pem, 512}};
    for (size_t header = 0; header < ARRAY_LEN(rows); header++) {
        for (size_t key = 0; key < ARRAY_LEN(rows); key++) {
            make_signed(&token, rows[header].header, ALICE, rows[key].key, rows[header].bits);
            struct conf_token conf = ec_conf(rows[key].pem);
            expect(&conf, header == key ? NULL : "token.alg");
        }
    }
}

static void ecdsa_signatures_are_raw_and_of_full_length(void **state)
{
    (void)state;
    struct conf_token conf = ec_conf(keys.p256_pem);
    make_signed(&token, SPAN("{\"alg\":\"ES256\"}"), ALICE, keys.p256, 256);
    size_t n = token.n;
    token.n = n - 1;
    expect(&conf, "token.malformed");
    token.n = n - 2; /* 63 bytes */
    expect(&conf, "token.signature");
    token.n = span_find(buf_span(&token), '.', 25) + 1; /* none at all */
    expect(&conf, "token.signature");
    char zeros[64] = {0};
    make_part(&token, span_of(zeros, sizeof(zeros)));
    expect(&conf, "token.signature");
}

static void a_changed_payload_is_refused(void **state)
{
    (void)state;
    struct conf_token rsa = rsa_conf();
    struct conf_token ec = ec_conf(keys.p256_pem);
    make_signed(&token, SPAN("{\"alg\":\"RS256\"}"), ALICE, keys.rsa, 256);
    size_t at = span_find(buf_span(&token), '.', 0) + 17; /* in the name */
    token.p[at] = token.p[at] == 'a' ? 'b' : 'a';
    expect(&rsa, "token.signature");
    make_signed(&token, SPAN("{\"alg\":\"ES256\"}"), ALICE, keys.p256, 256);
    token.p[at] = token.p[at] == 'a' ? 'b' : 'a';
    expect(&ec, "token.signature");
}

/* Everybody has the public key, so nobody may sign with it. */
static void a_public_key_is_no_hmac_secret(void **state)
{
    (void)state;
    struct conf_token conf = rsa_conf();
    struct span header = SPAN("{\"alg\":\"HS256\"}");
    make_hmac(&token, header, ALICE, span_str(keys.rsa_pem), 256);
    expect(&conf, "token.no_key");
    conf.hmac_secret_key = secret;
    expect(&conf, "token.signature");
    struct conf_token ec = ec_conf(keys.p256_pem);
    make_hmac(&token, header, ALICE, span_str(keys.p256_pem), 256);
    expect(&ec, "token.no_key");
}

static void each_family_needs_its_own_key(void **state)
{
    (void)state;
    struct conf_token hmac = make_conf();
    hmac.hmac_secret_key = secret;
    struct conf_token rsa = rsa_conf();
    struct conf_token ec = ec_conf(keys.p256_pem);
    make_hmac(&token, SPAN("{\"alg\":\"HS256\"}"), ALICE, SPAN(MAKE_SECRET), 256);
    expect(&rsa, "token.no_key");
    expect(&ec, "token.no_key");
    make_signed(&token, SPAN("{\"alg\":\"RS256\"}"), ALICE, keys.rsa, 256);
    expect(&hmac, "token.no_key");
    expect(&ec, "token.no_key");
    make_signed(&token, SPAN("{\"alg\":\"ES256\"}"), ALICE, keys.p256, 256);
    expect(&hmac, "token.no_key");
    expect(&rsa, "token.no_key");
}

static void a_header_cannot_choose_the_family_of_a_signature(void **state)
{
    (void)state;
    struct conf_token all = rsa_conf();
    all.hmac_secret_key = secret;
    all.ecdsa_public_key = keys.p256_pem;
    make_signed(&token, SPAN("{\"alg\":\"RS256\"}"), ALICE, keys.p256, 256);
    expect(&all, "token.signature");
    make_signed(&token, SPAN("{\"alg\":\"ES256\"}"), ALICE, keys.rsa, 256);
    expect(&all, "token.signature");
    make_signed(&token, SPAN("{\"alg\":\"HS256\"}"), ALICE, keys.rsa, 256);
    expect(&all, "token.signature");
    make_hmac(&token, SPAN("{\"alg\":\"RS256\"}"), ALICE, SPAN(MAKE_SECRET), 256);
    expect(&all, "token.signature");
}

static void expect_no_verifier(const struct conf_token *conf, const char *part_of_text)
{
    struct err e;
    assert_null(token_verifier_new(conf, false, &e));
    if (strstr(e.text, part_of_text) == NULL) {
        fail_msg("%s\nlacks: %s", e.text, part_of_text);
    }
}

static char *private_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    char *text = NULL;
    long n = BIO_get_mem_data(bio, &text);
    char *copy = span_dup(span_of(text, (size_t)n));
    BIO_free(bio);
    return copy;
}

static void keys_that_are_none_are_explained(void **state)
{
    (void)state;
    char garbage[] = "-----BEGIN PUBLIC KEY-----\\nMFkw";
    struct conf_token conf = rsa_conf();
    conf.rsa_public_key = garbage;
    expect_no_verifier(&conf, "rsa_public_key is not a PEM public key of type RSA");
    conf.rsa_public_key = keys.p256_pem;
    expect_no_verifier(&conf, "rsa_public_key is not a PEM public key of type RSA");
    conf = ec_conf(keys.rsa_pem);
    expect_no_verifier(&conf, "ecdsa_public_key is not a PEM public key of type EC");
    char *private_key = private_pem(keys.rsa);
    conf = rsa_conf();
    conf.rsa_public_key = private_key;
    expect_no_verifier(&conf, "rsa_public_key holds a private key");
    free(private_key);
    EVP_PKEY *odd = EVP_EC_gen("secp256k1");
    char *odd_pem = make_public_pem(odd);
    conf = ec_conf(odd_pem);
    expect_no_verifier(&conf, "secp256k1");
    free(odd_pem);
    EVP_PKEY_free(odd);
}

static void a_certificate_is_a_public_key(void **state)
{
    (void)state;
    X509 *cert = X509_new();
    assert_int_equal(X509_set_pubkey(cert, keys.rsa), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 60);
    assert_true(X509_sign(cert, keys.rsa, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    char *text = NULL;
    long n = BIO_get_mem_data(bio, &text);
    char *pem = span_dup(span_of(text, (size_t)n));
    BIO_free(bio);
    X509_free(cert);
    struct conf_token conf = rsa_conf();
    conf.rsa_public_key = pem;
    make_signed(&token, SPAN("{\"alg\":\"RS256\"}"), ALICE, keys.rsa, 256);
    expect(&conf, NULL);
    conf = ec_conf(pem);
    expect_no_verifier(&conf, "ecdsa_public_key is not");
    free(pem);
}

static int make_keys(void **state)
{
    (void)state;
    keys.rsa = EVP_RSA_gen(2048);
    keys.other_rsa = EVP_RSA_gen(2048);
    keys.p256 = EVP_EC_gen("P-256");
    keys.p384 = EVP_EC_gen("P-384");
    keys.p521 = EVP_EC_gen("P-521");
    keys.rsa_pem = make_public_pem(keys.rsa);
    keys.p256_pem = make_public_pem(keys.p256);
    keys.p384_pem = make_public_pem(keys.p384);
    keys.p521_pem = make_public_pem(keys.p521);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY *const pkeys[] = {keys.rsa, keys.other_rsa, keys.p256, keys.p384, keys.p521};
    char *const pems[] = {keys.rsa_pem, keys.p256_pem, keys.p384_pem, keys.p521_pem};
    for (size_t i = 0; i < ARRAY_LEN(pkeys); i++) {
        EVP_PKEY_free(pkeys[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(pems); i++) {
        free(pems[i]);
    }
    arena_fini(&arena);
    buf_free(&token);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rsa_of_three_sizes_is_accepted),
        cmocka_unit_test(each_curve_has_its_algorithm),
        cmocka_unit_test(ecdsa_signatures_are_raw_and_of_full_length),
        cmocka_unit_test(a_changed_payload_is_refused),
        cmocka_unit_test(a_public_key_is_no_hmac_secret),
        cmocka_unit_test(each_family_needs_its_own_key),
        cmocka_unit_test(a_header_cannot_choose_the_family_of_a_signature),
        cmocka_unit_test(keys_that_are_none_are_explained),
        cmocka_unit_test(a_certificate_is_a_public_key),
    };
    return cmocka_run_group_tests_name("token keys", tests, make_keys, free_keys);
}
