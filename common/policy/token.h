/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Tokens of connections and subscriptions: verification and minting (client protocol,
 * section 11). */
#pragma once

#include "common/base/arena.h"
#include "common/policy/conf.h"
#include "common/protocol/perr.h"

/* As much as a message of a client may have by default. libjwt decodes on the stack. */
#define TOKEN_MAX_BYTES 65536

/* Keys prepared from a conf_token; read-only after creation, so all threads may share one. */
struct token_verifier;

/* NULL and e when a key cannot be parsed. The conf must outlive it. skip_signature is
 * client.insecure_skip_token_signature_verify. */
struct token_verifier *token_verifier_new(const struct conf_token *t, bool skip_signature,
                                          struct err *e);
void token_verifier_free(struct token_verifier *v);

struct jwks_cache;
/* Where a verifier with a jwks_public_endpoint looks for its keys; borrowed. Without one, all its
 * keys are missing. Before other threads use the verifier. */
void token_verifier_set_cache(struct token_verifier *v, struct jwks_cache *cache);

/* An optional bool of an override object. */
enum token_override {
    OVERRIDE_NONE = 0,
    OVERRIDE_FALSE,
    OVERRIDE_TRUE
};

/* Options of one server-side subscription or of a subscription token. */
struct token_sub {
    struct span channel;
    struct span info; /* JSON or decoded b64info; p == NULL: none */
    struct span data;
    enum token_override presence;
    enum token_override join_leave;
    enum token_override force_push_join_leave;
    enum token_override force_recovery;
    enum token_override force_positioning;
};

struct token_connect {
    struct span user;
    int64_t expire_at; /* Unix seconds, 0: never; already expire_at before exp */
    struct span info;
    struct span meta;
    struct token_sub *subs; /* from `subs`, or else `channels` */
    size_t sub_count;
};

struct token_subscribe {
    struct span user;
    struct span channel;
    struct span client; /* n == 0: any */
    int64_t expire_at;
    struct token_sub options; /* info, data, overrides */
};

/* Verifies and reads a token. Spans live in the arena. The result code says what the protocol
 * answers for a connection token: PERR_OK, PERR_TOKEN_EXPIRED (exp passed or nbf not reached),
 * PERR_CLOSE_INVALID_TOKEN, PERR_INTERNAL (bad b64info). `reason` is one of the stable identifiers
 * token.malformed token.alg token.signature token.claims token.audience token.issuer token.expired
 * token.not_yet_valid token.too_long token.no_key, jwks.no_kid jwks.url jwks.alg jwks.pending;
 * `detail` says it in words, never with key material. out is zeroed unless the result is PERR_OK.
 * now_s is Unix time. Thread-safe. */
struct perr_result token_read_connect(const struct token_verifier *v, struct span token,
                                      int64_t now_s, struct arena *a, struct token_connect *out);
/* The same for a subscription token; the caller maps PERR_CLOSE_INVALID_TOKEN to error 103 and
 * compares channel, user and client. */
struct perr_result token_read_subscribe(const struct token_verifier *v, struct span token,
                                        int64_t now_s, struct arena *a,
                                        struct token_subscribe *out);

/* Verifies a JWT that is none of ours and has claims of its own, such as the session of an
 * application: HMAC with this key, exp and nbf. *payload gets its claims, one JSON object in the
 * arena. Results as token_read_connect. */
struct perr_result token_read_foreign(struct span hmac_key, struct span token, int64_t now_s,
                                      struct arena *a, struct span *payload);

/* Whether only the key of the token is missing: whoever can fetch it (token_wanted_key) puts it
 * into the cache and reads the token again. Everybody else takes it for the refusal that it is. */
bool token_is_pending(const struct perr_result *r);

/* The key that a pending token needs. Spans live in the arena, or as long as the verifier. False
 * when the token needs none. */
struct token_wanted {
    struct span url; /* of the document */
    struct span kid;
};
bool token_wanted_key(const struct token_verifier *v, struct span token, struct arena *a,
                      struct token_wanted *out);

/* What to put into a token; zero and absent members are left out. Spans named json are raw JSON
 * values. */
struct token_mint {
    struct span user;
    struct span user_claim; /* conf_token.user_id_claim; n == 0: sub */
    bool omit_sub;          /* no user at all */
    int64_t iat;
    int64_t exp;         /* 0: none */
    struct span channel; /* subscription tokens */
    struct span info_json;
    const struct span *channels; /* claim `channels` */
    size_t channel_count;
    struct span audience;
    struct span issuer;
};

/* Appends an HS256 token. ERR_MISSING with an empty key, ERR_SYNTAX for text that is not UTF-8 or
 * info that is not JSON, ERR_LIMIT when it would be longer than TOKEN_MAX_BYTES, or than out may
 * be. */
int token_mint(const struct token_mint *m, struct span hmac_key, struct buf *out, struct err *e);
