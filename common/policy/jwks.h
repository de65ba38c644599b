/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of public keys (JWK Set, RFC 7517) and the cache of what they held. */
#pragma once

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/fetch.h"
#include "common/protocol/perr.h"

#define JWKS_MAX_BYTES (512 * 1024)
#define JWKS_MAX_KEYS  256
/* A key that is not used for this long is forgotten (client protocol, 11.1). */
#define JWKS_CACHE_S 3600

struct token_alg;
struct token_pubkey;

/* One key of a document. */
struct jwk {
    struct span kid;
    struct token_pubkey *key;    /* NULL: it cannot be used */
    const struct token_alg *alg; /* the only one that it is for; NULL: all that go with the key */
    const char *flaw;            /* without a key: why, a constant sentence */
};

/* Keys without a kid are left out: nothing could find them. */
struct jwks {
    struct arena arena;
    struct jwk keys[JWKS_MAX_KEYS];
    size_t n;
};

/* RSA of 2048 to 8192 bits, EC on P-256, P-384 and P-521, Ed25519. A key that cannot be used does
 * not spoil the others. NULL and e (without the document's text) when it is no document of keys,
 * longer than JWKS_MAX_BYTES, or has more than JWKS_MAX_KEYS. */
struct jwks *jwks_parse(struct span document, struct err *e);
/* Accepts NULL. */
void jwks_free(struct jwks *d);

/* PERR_OK when the document has a key of this kid that can be used, else PERR_CLOSE_INVALID_TOKEN
 * with jwks.kid or jwks.key. */
struct perr_result jwks_explain(const struct jwks *d, struct span kid);

/* How the documents are asked for (client protocol, 11.1). */
#define JWKS_TIMEOUT_MS 1000
#define JWKS_ATTEMPTS   2

/* What became of asking; the label {result} of the metric. */
enum jwks_outcome {
    JWKS_OK,
    JWKS_UNREACHABLE,
    JWKS_CERTIFICATE, /* is not trusted */
    JWKS_TIMEOUT,
    JWKS_STATUS,   /* any but 200 and redirects */
    JWKS_REDIRECT, /* the operator has to name the address where the document is */
    JWKS_TOO_LARGE,
    JWKS_DOCUMENT, /* the body is no document of keys */
    JWKS_OUTCOME_COUNT
};

/* Reads an answer: *out is the document on JWKS_OK, else NULL and e says in detail what is wrong.
 */
enum jwks_outcome jwks_read_answer(const struct fetch_answer *a, struct jwks **out, struct err *e);
/* Whether asking again at once may help. */
bool jwks_is_passing(enum jwks_outcome o, const struct fetch_answer *a);
/* The refusal of a token whose document cannot be had. The reason is "jwks." and the outcome. */
struct perr_result jwks_refusal(enum jwks_outcome o);
/* "unreachable" ... for metrics. */
const char *jwks_outcome_name(enum jwks_outcome o);

/* Keys by document and kid, so that the owner of one document cannot make keys for another.
 * Thread-safe. */
struct jwks_cache;

struct jwks_cache *jwks_cache_new(void);
void jwks_cache_free(struct jwks_cache *c);

/* Takes over the usable keys of a document. Known ones of the same address that it does not list
 * any longer stay for what is left of their time, which further use does not prolong. now_s is Unix
 * time. */
void jwks_cache_put(struct jwks_cache *c, struct span url, const struct jwks *d, int64_t now_s);

enum jwks_found {
    JWKS_FOUND,
    JWKS_ABSENT,   /* or not used for too long */
    JWKS_OTHER_ALG /* the kid is known, but no key of it is for this algorithm */
};

/* jwks_cache_has asks for any key of the kid, and does not look at alg. jwks_cache_find: on
 * JWKS_FOUND, *out is a reference for the caller (token__pubkey_free), and the key's time
 * begins anew. The arena is used for the moment. */
struct jwks_query {
    struct span url;
    struct span kid;
    const struct token_alg *alg;
    int64_t now_s;
};
bool jwks_cache_has(struct jwks_cache *c, const struct jwks_query *q, struct arena *a);
enum jwks_found jwks_cache_find(struct jwks_cache *c, const struct jwks_query *q, struct arena *a,
                                struct token_pubkey **out);
