/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of public keys: JSON to keys of libcrypto (RFC 7517, 7518, 8037). */
#include "common/policy/jwks.h"

#include "common/base/mem.h"
#include "common/format/b64.h"
#include "common/policy/token_keys.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#define RSA_MIN_BITS   2048 /* RFC 7518, 3.3 */
#define RSA_MAX_BITS   8192 /* a larger one would keep a worker busy */
#define EXPONENT_BYTES 8
#define COORDINATE_MAX 66
#define ED25519_BYTES  32
#define KID_MAX_BYTES  1024

static struct span text_member(const json_t *key, const char *name)
{
    const json_t *value = json_object_get(key, name);
    return json_is_string(value) ? span_of(json_string_value(value), json_string_length(value))
                                 : (struct span){0};
}

/* Big-endian bytes of a member, without zeros in front. */
static bool bytes_member(const json_t *key, const char *name, struct arena *a, struct span *out)
{
    struct span text = text_member(key, name);
    if (text.n == 0 || b64url_decode(text, a, out) != 0) {
        return false;
    }
    while (out->n > 1 && out->p[0] == '\0') {
        *out = span_from(*out, 1);
    }
    return out->n != 0;
}

static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *bld)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

static EVP_PKEY *make_rsa(struct span n, struct span e)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
    BIGNUM *exponent = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
    EVP_PKEY *pkey = NULL;
    if (bld != NULL && modulus != NULL && exponent != NULL && BN_is_odd(modulus) &&
        BN_is_odd(exponent) && !BN_is_one(exponent) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, exponent) == 1) {
        pkey = make_key("RSA", bld);
    }
    BN_free(modulus);
    BN_free(exponent);
    OSSL_PARAM_BLD_free(bld);
    return pkey;
}

static const char *read_rsa(const json_t *key, struct arena *a, EVP_PKEY **out)
{
    struct span n;
    struct span e;
    if (!bytes_member(key, "n", a, &n) || !bytes_member(key, "e", a, &e) || e.n > EXPONENT_BYTES) {
        return "n and e of the RSA key are not numbers in base64url";
    }
    if (n.n > RSA_MAX_BITS / 8) {
        return "the RSA key is longer than 8192 bits";
    }
    *out = make_rsa(n, e);
    if (*out != NULL && EVP_PKEY_get_bits(*out) < RSA_MIN_BITS) {
        EVP_PKEY_free(*out);
        *out = NULL;
        return "the RSA key is shorter than 2048 bits";
    }
    return *out != NULL ? NULL : "n and e make no RSA key";
}

/* libcrypto refuses a point that is not on the curve. */
static EVP_PKEY *make_ec(const char *group, const unsigned char *point, size_t n)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    if (bld != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, n) == 1) {
        pkey = make_key("EC", bld);
    }
    OSSL_PARAM_BLD_free(bld);
    return pkey;
}

static const char *read_ec(const json_t *key, struct arena *a, EVP_PKEY **out)
{
    static const struct {
        const char *crv;
        const char *group;
        size_t bytes;
    } curves[] = {
        {"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};
    struct span crv = text_member(key, "crv");
    struct span x;
    struct span y;
    if (!bytes_member(key, "x", a, &x) || !bytes_member(key, "y", a, &y)) {
        return "x and y of the EC key are not numbers in base64url";
    }
    for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
        size_t n = curves[i].bytes;
        if (!span_eq_str(crv, curves[i].crv) || x.n > n || y.n > n) {
            continue;
        }
        unsigned char point[1 + 2 * COORDINATE_MAX] = {4}; /* uncompressed (SEC 1, 2.3.3) */
        memcpy(point + 1 + n - x.n, x.p, x.n);
        memcpy(point + 1 + 2 * n - y.n, y.p, y.n);
        *out = make_ec(curves[i].group, point, 1 + 2 * n);
        return *out != NULL ? NULL : "x and y of the EC key are no point of its curve";
    }
    return "the EC key is not on P-256, P-384 or P-521";
}

static const char *read_okp(const json_t *key, struct arena *a, EVP_PKEY **out)
{
    struct span x;
    if (!span_eq_str(text_member(key, "crv"), "Ed25519")) {
        return "the key of type OKP is not on Ed25519";
    }
    if (b64url_decode(text_member(key, "x"), a, &x) != 0 || x.n != ED25519_BYTES) {
        return "x of the Ed25519 key is not 32 bytes in base64url";
    }
    *out = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, (const unsigned char *)x.p, x.n);
    return *out != NULL ? NULL : "x makes no Ed25519 key";
}

static const struct {
    const char *kty;
    enum token_family family;
    const char *(*read)(const json_t *key, struct arena *a, EVP_PKEY **out);
} types[] = {
    {"RSA", TOKEN_RSA, read_rsa},
    {"EC", TOKEN_ECDSA, read_ec},
    {"OKP", TOKEN_EDDSA, read_okp},
};

static const char *read_key(const json_t *key, struct arena *a, struct jwk *out)
{
    struct span kty = text_member(key, "kty");
    size_t i = 0;
    while (i < ARRAY_LEN(types) && !span_eq_str(kty, types[i].kty)) {
        i++;
    }
    if (i == ARRAY_LEN(types)) {
        return "kty of the key is none of RSA, EC and OKP";
    }
    if (!span_eq_str(text_member(key, "use"), "sig")) {
        return "use of the key is not sig";
    }
    EVP_PKEY *pkey = NULL;
    const char *flaw = types[i].read(key, a, &pkey);
    if (flaw != NULL) {
        return flaw;
    }
    out->key = token__pubkey_of(pkey, types[i].family, NULL);
    if (out->key == NULL) {
        return "the key is on an unknown curve";
    }
    const json_t *alg = json_object_get(key, "alg");
    out->alg = token__alg_find(text_member(key, "alg"));
    if (alg == NULL || (out->alg != NULL && token__pubkey_can(out->key, out->alg))) {
        return NULL;
    }
    token__pubkey_free(out->key);
    out->key = NULL;
    return "alg of the key is none that tokens have, or does not go with the key";
}

static void read_keys(const json_t *list, struct jwks *d)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *key = json_array_get(list, i);
        struct span kid = text_member(key, "kid");
        if (kid.p == NULL || kid.n > KID_MAX_BYTES) {
            continue;
        }
        struct jwk *k = &d->keys[d->n++];
        k->kid = arena_dup(&d->arena, kid);
        k->flaw = read_key(key, &d->arena, k);
    }
}

struct jwks *jwks_parse(struct span document, struct err *e)
{
    if (document.n > JWKS_MAX_BYTES) {
        err_set(e, ERR_LIMIT, "the document of keys is longer than %d bytes", JWKS_MAX_BYTES);
        return NULL;
    }
    json_error_t where;
    json_t *root = json_loadb(document.p, document.n, 0, &where);
    const json_t *list = json_object_get(root, "keys");
    struct jwks *d = NULL;
    if (root == NULL) {
        err_set(e, ERR_SYNTAX, "the document of keys is not JSON (line %d)", where.line);
    } else if (!json_is_array(list)) {
        err_set(e, ERR_TYPE, "the document has no list \"keys\"");
    } else if (json_array_size(list) > JWKS_MAX_KEYS) {
        err_set(e, ERR_LIMIT, "the document has %zu keys, at most %d are read",
                json_array_size(list), JWKS_MAX_KEYS);
    } else {
        d = mem_zalloc(sizeof(*d));
        read_keys(list, d);
        ERR_clear_error();
    }
    json_decref(root);
    return d;
}

void jwks_free(struct jwks *d)
{
    if (d != NULL) {
        for (size_t i = 0; i < d->n; i++) {
            token__pubkey_free(d->keys[i].key);
        }
        arena_fini(&d->arena);
        free(d);
    }
}

struct perr_result jwks_explain(const struct jwks *d, struct span kid)
{
    const char *flaw = NULL;
    for (size_t i = 0; i < d->n; i++) {
        const struct jwk *k = &d->keys[i];
        if (!span_eq(k->kid, kid)) {
            continue;
        }
        if (k->key != NULL) {
            return (struct perr_result){PERR_OK, NULL, NULL};
        }
        flaw = flaw != NULL ? flaw : k->flaw;
    }
    if (flaw != NULL) {
        return (struct perr_result){PERR_CLOSE_INVALID_TOKEN, "jwks.key", flaw};
    }
    return (struct perr_result){PERR_CLOSE_INVALID_TOKEN, "jwks.kid",
                                "jwks_public_endpoint lists no key of the token's kid"};
}
