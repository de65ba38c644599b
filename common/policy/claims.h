/* SPDX-License-Identifier: Apache-2.0 */
/* The claims of a token: their names and types, and the rules for audience and issuer (client
 * protocol, 11.2 to 11.4). */
#pragma once

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/policy/token.h"

/* A NumericDate (RFC 7519, section 2). */
struct claim_time {
    bool is_set;
    bool has_fraction;
    int64_t s; /* rounded down */
};

/* Absent members have p == NULL. Strings are decoded; the rest are the JSON values as they stand in
 * the payload. */
struct claims {
    struct span user; /* sub, or the claim that user_id_claim names */
    struct span channel;
    struct span client;
    struct span iss;
    struct span aud; /* a string value or a list of strings */
    struct span jti;
    struct claim_time exp;
    struct claim_time nbf;
    struct claim_time iat;
    struct claim_time expire_at;
    struct span info;
    struct span b64info;
    struct span data;
    struct span b64data;
    struct span meta;
    struct span channels;
    struct span subs;
    struct span override;
    /* What is wrong with the claims that only a connection or only a subscription token has, or
     * NULL. A constant sentence. */
    const char *connect_fault;
    const char *subscribe_fault;
};

/* Reads an object that is known to be well-formed UTF-8 JSON. Names match exactly and may stand
 * once only (RFC 7519, section 4); unknown ones are ignored. user_claim is user_id_claim, n == 0
 * for sub. Returns NULL, or a constant sentence that says which claim of both kinds of tokens is
 * wrong. Strings live in the payload or the arena. */
const char *claims_decode(struct span payload, struct span user_claim, struct arena *a,
                          struct claims *out);

/* The same for exp and nbf alone; the others may be anything. */
const char *claims_decode_times(struct span payload, struct arena *a, struct claims *out);

/* Reads channel options from the claims of a subscription token: info, data and override, without
 * the b64 forms. Returns as claims_decode. */
const char *claims_options(const struct claims *c, struct arena *a, struct token_sub *out);

/* Reads `subs`, or else `channels`, into out->subs. Returns as claims_decode. Duplicate channels of
 * `channels` are dropped. The b64 forms of all of them are decoded at the end: *bad_b64 tells that
 * one is no base64, which is looked at after the times. */
const char *claims_subs(const struct claims *c, struct arena *a, struct token_connect *out,
                        bool *bad_b64);

/* Decodes a b64 claim into *value. An absent or empty one leaves *value alone. ERR_SYNTAX. */
int claims_b64(struct span text, struct arena *a, struct span *value);

/* What a configuration demands of aud and iss. */
struct claims_rules;

/* NULL and e when a pattern is malformed. The conf must outlive it. */
struct claims_rules *claims_rules_new(const struct conf_token *t, struct err *e);
void claims_rules_free(struct claims_rules *r);
/* Thread-safe. True as well when nothing is demanded. */
bool claims_rules_accept_audience(const struct claims_rules *r, const struct claims *c,
                                  struct arena *a);
bool claims_rules_accept_issuer(const struct claims_rules *r, const struct claims *c);

/* A named group of audience_regex or issuer_regex. */
struct claims_group {
    bool is_issuer;
    bool is_literal; /* all its texts are written out in the pattern */
    int index;
};

/* ERR_UNKNOWN, or ERR_CONFLICT when both patterns have a group of this name. */
int claims_rules_find_group(const struct claims_rules *r, struct span name,
                            struct claims_group *out);
/* What it matched in claims that were accepted; p == NULL when it took no part. */
struct span claims_rules_group(const struct claims_rules *r, const struct claims_group *g,
                               const struct claims *c, struct arena *a);
