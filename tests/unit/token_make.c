/* SPDX-License-Identifier: Apache-2.0 */
/* Makes tokens for tests. */
#include "tests/unit/token_make.h"

#include <stdlib.h>

#include "common/format/b64.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "tests/unit/unit.h"

static char none[] = "";

struct conf_token make_conf(void)
{
    return (struct conf_token){
        .hmac_secret_key = none,
        .hmac_previous_secret_key = none,
        .rsa_public_key = none,
        .ecdsa_public_key = none,
        .jwks_public_endpoint = none,
        .audience = none,
        .audience_regex = none,
        .issuer = none,
        .issuer_regex = none,
        .user_id_claim = none,
    };
}

void make_part(struct buf *out, struct span text)
{
    b64url_encode(out, text);
}

static const EVP_MD *digest_of(unsigned bits)
{
    return bits == 0     ? NULL
           : bits == 256 ? EVP_sha256()
           : bits == 384 ? EVP_sha384()
                         : EVP_sha512();
}

static void add_signed_part(struct buf *out, struct span header, struct span claims)
{
    make_part(out, header);
    buf_add_char(out, '.');
    make_part(out, claims);
}

void make_hmac(struct buf *out, struct span header, struct span claims, struct span key,
               unsigned bits)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    buf_clear(out);
    add_signed_part(out, header, claims);
    assert_non_null(
        HMAC(digest_of(bits), key.p, (int)key.n, (const unsigned char *)out->p, out->n, mac, &n));
    buf_add_char(out, '.');
    make_part(out, span_of(mac, n));
}

/* DER to r and s one after the other. */
static size_t to_raw(unsigned char *sig, size_t n, int half)
{
    const unsigned char *der = sig;
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)n);
    assert_non_null(s);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, half), half);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + half, half), half);
    ECDSA_SIG_free(s);
    return 2 * (size_t)half;
}

void make_signed(struct buf *out, struct span header, struct span claims, EVP_PKEY *key,
                 unsigned bits)
{
    unsigned char sig[1024];
    size_t n = sizeof(sig);
    buf_clear(out);
    add_signed_part(out, header, claims);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, digest_of(bits), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)out->p, out->n), 1);
    EVP_MD_CTX_free(ctx);
    if (EVP_PKEY_is_a(key, "EC")) {
        n = to_raw(sig, n, (EVP_PKEY_get_bits(key) + 7) / 8);
    }
    buf_add_char(out, '.');
    make_part(out, span_of(sig, n));
}

char *make_public_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    char *text = NULL;
    long n = BIO_get_mem_data(bio, &text);
    char *copy = span_dup(span_of(text, (size_t)n));
    BIO_free(bio);
    return copy;
}

/* A number of a key in base64url, of at least `size` bytes. */
static void add_number(struct buf *out, EVP_PKEY *key, const char *name, int size)
{
    BIGNUM *n = NULL;
    unsigned char bytes[1024];
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
    int len = BN_num_bytes(n) > size ? BN_num_bytes(n) : size;
    assert_int_equal(BN_bn2binpad(n, bytes, len), len);
    make_part(out, span_of(bytes, (size_t)len));
    BN_free(n);
}

static void add_ec(struct buf *out, EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);
    buf_addf(out, "\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"", bits);
    add_number(out, key, OSSL_PKEY_PARAM_EC_PUB_X, (bits + 7) / 8);
    buf_add_str(out, "\",\"y\":\"");
    add_number(out, key, OSSL_PKEY_PARAM_EC_PUB_Y, (bits + 7) / 8);
}

void make_jwk(struct buf *out, EVP_PKEY *key, const char *kid, const char *more)
{
    buf_addf(out, "{\"kid\":\"%s\"%s,", kid, more);
    if (EVP_PKEY_is_a(key, "RSA")) {
        buf_add_str(out, "\"kty\":\"RSA\",\"n\":\"");
        add_number(out, key, OSSL_PKEY_PARAM_RSA_N, 0);
        buf_add_str(out, "\",\"e\":\"");
        add_number(out, key, OSSL_PKEY_PARAM_RSA_E, 0);
    } else if (EVP_PKEY_is_a(key, "EC")) {
        add_ec(out, key);
    } else {
        unsigned char x[32];
        size_t n = sizeof(x);
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, x, &n), 1);
        buf_add_str(out, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
        make_part(out, span_of(x, n));
    }
    buf_add_str(out, "\"}");
}

struct jwks *make_jwks(EVP_PKEY *key, const char *kid, const char *more)
{
    struct buf text = {0};
    buf_add_str(&text, "{\"keys\":[");
    make_jwk(&text, key, kid, more);
    buf_add_str(&text, "]}");
    struct jwks *d = jwks_parse(buf_span(&text), NULL);
    assert_non_null(d);
    buf_free(&text);
    return d;
}

bool make_keys_new(struct make_keys *k)
{
    *k = (struct make_keys){
        .rsa = EVP_RSA_gen(2048),
        .short_rsa = EVP_RSA_gen(1024),
        .p256 = EVP_EC_gen("P-256"),
        .p384 = EVP_EC_gen("P-384"),
        .p521 = EVP_EC_gen("P-521"),
        .k256 = EVP_EC_gen("secp256k1"),
        .ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
        .other_ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
    };
    return k->rsa != NULL && k->short_rsa != NULL && k->p256 != NULL && k->p384 != NULL &&
           k->p521 != NULL && k->k256 != NULL && k->ed != NULL && k->other_ed != NULL;
}

void make_keys_free(struct make_keys *k)
{
    EVP_PKEY *all[] = {k->rsa,  k->short_rsa, k->p256, k->p384,
                       k->p521, k->k256,      k->ed,   k->other_ed};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        EVP_PKEY_free(all[i]);
    }
}
