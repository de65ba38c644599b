/* SPDX-License-Identifier: Apache-2.0 */
/* Algorithms, signatures and the keys that check them. For token*.c only. */
#pragma once

#include "common/base/arena.h"
#include "common/base/err.h"

#include <openssl/types.h>

enum token_family {
    TOKEN_HMAC,
    TOKEN_RSA,
    TOKEN_ECDSA,
    TOKEN_EDDSA
};

struct token_alg {
    struct span name; /* exact: names of algorithms have a case (RFC 7515, 4.1.1) */
    enum token_family family;
    unsigned bits; /* of the digest: 256, 384, 512; EdDSA has its own: 0 */
};

/* NULL for a name that is not in the table, "none" among them. */
const struct token_alg *token__alg_find(struct span name);

/* A token taken apart: three canonical base64url parts, header and payload JSON objects in UTF-8.
 */
struct token_parts {
    const char *text;        /* the whole, NUL-terminated */
    struct span signed_part; /* up to the second dot */
    struct span payload;
    struct span signature; /* decoded */
    struct span alg_name;
    const struct token_alg *alg; /* of the header, NULL if unknown */
    struct span kid;             /* of the header, absent unless it is a string */
};

/* Takes a token apart, in the arena. Returns NULL, or a constant sentence about what is malformed.
 * The length is the caller's to check. */
const char *token__split(struct span token, struct arena *a, struct token_parts *out);

/* Whether an HMAC token was made with this key. An empty key never fits. */
bool token__hmac_fits(const struct token_parts *t, struct span key);
/* HMAC-SHA256 over `input`; the key must not be empty. */
int token__hmac_sign(struct span key, struct span input, unsigned char mac[32]);

/* A public key, parsed once. Thread-safe after creation, counted by reference. */
struct token_pubkey;

/* From PEM: a public key or a certificate of that family. NULL and e otherwise. */
struct token_pubkey *token__pubkey_new(const char *pem, enum token_family family, struct err *e);
/* From a key of that family that libcrypto made; takes it over. NULL and e for a curve that tokens
 * do not have. */
struct token_pubkey *token__pubkey_of(EVP_PKEY *pkey, enum token_family family, struct err *e);
struct token_pubkey *token__pubkey_ref(struct token_pubkey *k);
/* Gives back one reference. Accepts NULL. */
void token__pubkey_free(struct token_pubkey *k);
/* Whether this key can check the algorithm: an ECDSA key has one curve, which fits one digest (RFC
 * 7518, 3.4). */
bool token__pubkey_can(const struct token_pubkey *k, const struct token_alg *alg);
bool token__pubkey_fits(const struct token_pubkey *k, const struct token_parts *t);
