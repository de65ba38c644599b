/* SPDX-License-Identifier: Apache-2.0 */
/* RSA, ECDSA and EdDSA signatures by libcrypto, with keys parsed once: parsing costs ten times as
 * much as checking. */
#include "common/base/mem.h"
#include "common/policy/token_keys.h"

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdatomic.h>
#include <stdlib.h>

#define ED25519_SIGNATURE_BYTES 64

struct token_pubkey {
    _Atomic unsigned refs;
    EVP_PKEY *pkey;
    enum token_family family;
    unsigned digest_bits; /* ECDSA: the only one that goes with its curve */
    size_t half;          /* ECDSA: bytes of r, and of s */
};

static const struct {
    const char *group;
    unsigned digest_bits;
    size_t half;
} curves[] = {
    {"prime256v1", 256, 32},
    {"secp384r1", 384, 48},
    {"secp521r1", 512, 66},
};

static EVP_PKEY *parse_public_key(const char *pem, const char *type)
{
    EVP_PKEY *pkey = NULL;
    OSSL_DECODER_CTX *d = OSSL_DECODER_CTX_new_for_pkey(&pkey, "PEM", NULL, type,
                                                        OSSL_KEYMGMT_SELECT_PUBLIC_KEY, NULL, NULL);
    const unsigned char *at = (const unsigned char *)pem;
    size_t n = strlen(pem);
    if (d == NULL || OSSL_DECODER_from_data(d, &at, &n) != 1) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    OSSL_DECODER_CTX_free(d);
    return pkey;
}

static EVP_PKEY *parse_certificate(const char *pem, const char *type)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    EVP_PKEY *pkey = cert != NULL ? X509_get_pubkey(cert) : NULL;
    X509_free(cert);
    BIO_free(bio);
    if (pkey != NULL && !EVP_PKEY_is_a(pkey, type)) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    return pkey;
}

static int find_curve(struct token_pubkey *k, struct err *e)
{
    char group[64] = "";
    EVP_PKEY_get_utf8_string_param(k->pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL);
    for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
        if (strcmp(curves[i].group, group) == 0) {
            k->digest_bits = curves[i].digest_bits;
            k->half = curves[i].half;
            return 0;
        }
    }
    return err_set(
        e, ERR_INVALID,
        "the key is on the curve %s; tokens have P-256 (ES256), P-384 (ES384) or P-521 (ES512)",
        *group != '\0' ? group : "(unnamed)");
}

struct token_pubkey *token__pubkey_new(const char *pem, enum token_family family, struct err *e)
{
    const char *type = family == TOKEN_RSA ? "RSA" : "EC";
    const char *option = family == TOKEN_RSA ? "rsa_public_key" : "ecdsa_public_key";
    if (strstr(pem, "PRIVATE KEY-----") != NULL) {
        err_set(
            e, ERR_INVALID,
            "%s holds a private key: keep that where tokens are made, and put the public key here "
            "(openssl pkey -in private.pem -pubout)",
            option);
        return NULL;
    }
    EVP_PKEY *pkey = parse_public_key(pem, type);
    if (pkey == NULL) {
        pkey = parse_certificate(pem, type);
    }
    ERR_clear_error(); /* or the next TLS call of this thread reports it */
    if (pkey == NULL) {
        err_set(
            e, ERR_SYNTAX,
            "%s is not a PEM public key of type %s: it begins with -----BEGIN PUBLIC KEY----- and "
            "has line breaks (\\n in JSON)",
            option, type);
        return NULL;
    }
    struct token_pubkey *k = token__pubkey_of(pkey, family, e);
    if (k == NULL) {
        err_prefix(e, "%s", option);
    }
    return k;
}

struct token_pubkey *token__pubkey_of(EVP_PKEY *pkey, enum token_family family, struct err *e)
{
    struct token_pubkey *k = mem_zalloc(sizeof(*k));
    atomic_init(&k->refs, 1);
    k->family = family;
    k->pkey = pkey;
    if (family != TOKEN_ECDSA || find_curve(k, e) == 0) {
        return k;
    }
    token__pubkey_free(k);
    return NULL;
}

struct token_pubkey *token__pubkey_ref(struct token_pubkey *k)
{
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    return k;
}

void token__pubkey_free(struct token_pubkey *k)
{
    if (k != NULL && atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) == 1) {
        EVP_PKEY_free(k->pkey);
        free(k);
    }
}

bool token__pubkey_can(const struct token_pubkey *k, const struct token_alg *alg)
{
    return k->family == alg->family && (k->family != TOKEN_ECDSA || k->digest_bits == alg->bits);
}

static bool verify(const struct token_pubkey *k, const struct token_parts *t, const void *signature,
                   size_t n)
{
    const EVP_MD *md = t->alg->bits == 0     ? NULL
                       : t->alg->bits == 256 ? EVP_sha256()
                       : t->alg->bits == 384 ? EVP_sha384()
                                             : EVP_sha512();
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool fits = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, md, NULL, k->pkey) == 1 &&
                EVP_DigestVerify(ctx, signature, n, (const unsigned char *)t->signed_part.p,
                                 t->signed_part.n) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return fits;
}

/* JWT has r and s one after the other (RFC 7518, 3.4), OpenSSL wants them in DER. */
static bool verify_ecdsa(const struct token_pubkey *k, const struct token_parts *t)
{
    if (t->signature.n != 2 * k->half) {
        return false;
    }
    const unsigned char *raw = (const unsigned char *)t->signature.p;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)k->half, NULL);
    BIGNUM *s = BN_bin2bn(raw + k->half, (int)k->half, NULL);
    unsigned char *der = NULL;
    bool fits = false;
    if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = NULL; /* they belong to sig now */
        s = NULL;
        int n = i2d_ECDSA_SIG(sig, &der);
        fits = n > 0 && verify(k, t, der, (size_t)n);
    }
    OPENSSL_free(der);
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return fits;
}

bool token__pubkey_fits(const struct token_pubkey *k, const struct token_parts *t)
{
    if (!token__pubkey_can(k, t->alg)) {
        return false;
    }
    if (k->family == TOKEN_ECDSA) {
        return verify_ecdsa(k, t);
    }
    if (k->family == TOKEN_EDDSA && t->signature.n != ED25519_SIGNATURE_BYTES) {
        return false;
    }
    return verify(k, t, t->signature.p, t->signature.n);
}
