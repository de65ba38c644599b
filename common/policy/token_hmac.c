/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC signatures, by libcrypto and libjwt, which have to agree. */
#include "common/policy/token_keys.h"

#include <jwt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <limits.h>

static const EVP_MD *digest_of(unsigned bits)
{
    return bits == 256 ? EVP_sha256() : bits == 384 ? EVP_sha384() : EVP_sha512();
}

static bool fits_by_mac(const struct token_parts *t, struct span key)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    return HMAC(digest_of(t->alg->bits), key.p, (int)key.n, (const unsigned char *)t->signed_part.p,
                t->signed_part.n, mac, &n) != NULL &&
           n == t->signature.n && CRYPTO_memcmp(mac, t->signature.p, n) == 0;
}

static jwt_alg_t libjwt_alg(unsigned bits)
{
    return bits == 256 ? JWT_ALG_HS256 : bits == 384 ? JWT_ALG_HS384 : JWT_ALG_HS512;
}

/* libjwt believes everything without a key, takes any case of an algorithm's name and any text for
 * base64, so all that is settled before: the key is not empty, the algorithm is HMAC by its exact
 * name, the parts are canonical and small (it decodes on the stack). */
static bool fits_by_libjwt(const struct token_parts *t, struct span key)
{
    jwt_t *jwt = NULL;
    if (jwt_decode(&jwt, t->text, (const unsigned char *)key.p, (int)key.n) != 0) {
        return false;
    }
    bool fits = jwt != NULL && jwt_get_alg(jwt) == libjwt_alg(t->alg->bits);
    jwt_free(jwt);
    return fits;
}

/* Some legal tokens: an integer of 20 digits in info, a typ other than JWT. libjwt refuses them
 * with the same code as a wrong signature; without a key it only reads. */
static bool is_beyond_libjwt(const struct token_parts *t)
{
    jwt_t *jwt = NULL;
    if (jwt_decode(&jwt, t->text, NULL, 0) != 0) {
        return true;
    }
    jwt_free(jwt);
    return false;
}

bool token__hmac_fits(const struct token_parts *t, struct span key)
{
    if (key.n == 0 || key.n > INT_MAX || t->alg->family != TOKEN_HMAC ||
        t->signature.n != t->alg->bits / 8) {
        return false;
    }
    /* libcrypto goes first so that nobody without the key reaches libjwt's parser: a forged token
     * of 8 KiB then takes 40 us and not 360. Of what passes, libjwt has to be convinced as well, if
     * it can read it. */
    return fits_by_mac(t, key) && (fits_by_libjwt(t, key) || is_beyond_libjwt(t));
}

int token__hmac_sign(struct span key, struct span input, unsigned char mac[32])
{
    unsigned n = 0;
    if (key.n == 0 || key.n > INT_MAX) {
        return key.n == 0 ? ERR_MISSING : ERR_LIMIT;
    }
    return HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)input.p, input.n, mac,
                &n) != NULL &&
                   n == 32
               ? 0
               : ERR_INTERNAL;
}
