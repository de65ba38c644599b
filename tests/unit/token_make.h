/* SPDX-License-Identifier: Apache-2.0 */
/* Makes tokens for tests, good ones and such as nobody should make: any header, any claims, any
 * key. */
#pragma once

#include "common/policy/jwks.h"
#include "common/policy/token.h"

#include <openssl/evp.h>

#define MAKE_NOW    INT64_C(1750000000)
#define MAKE_SECRET "a secret that only this test knows"

/* A conf_token without any key: strings are "", never NULL. */
struct conf_token make_conf(void);

/* base64url of text. */
void make_part(struct buf *out, struct span text);

/* header.claims.HMAC; bits are those of the digest, whatever the header says. */
void make_hmac(struct buf *out, struct span header, struct span claims, struct span key,
               unsigned bits);

/* header.claims.signature of an RSA, EC or (bits 0) Ed25519 key. */
void make_signed(struct buf *out, struct span header, struct span claims, EVP_PKEY *key,
                 unsigned bits);

/* The public half as PEM, to be freed with free(). */
char *make_public_pem(EVP_PKEY *key);

/* The public half as a JSON Web Key; `more` is text of further members, such as ,"alg":"RS256". */
void make_jwk(struct buf *out, EVP_PKEY *key, const char *kid, const char *more);
/* A document of one such key, to be freed with jwks_free. */
struct jwks *make_jwks(EVP_PKEY *key, const char *kid, const char *more);

/* One key of each kind, and the address of the document that has them. */
struct make_keys {
    EVP_PKEY *rsa;
    EVP_PKEY *short_rsa; /* 1024 bits */
    EVP_PKEY *p256;
    EVP_PKEY *p384;
    EVP_PKEY *p521;
    EVP_PKEY *k256;
    EVP_PKEY *ed;
    EVP_PKEY *other_ed;
};
#define MAKE_URL SPAN("http://keys.example/jwks")
#define MAKE_SIG ",\"use\":\"sig\""

/* False when libcrypto refuses one; free them all the same. */
bool make_keys_new(struct make_keys *k);
void make_keys_free(struct make_keys *k);
