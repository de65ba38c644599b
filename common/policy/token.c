/* SPDX-License-Identifier: Apache-2.0 */
/* Verification of tokens: shape, algorithm, signature, claims, audience and issuer, times, in this
 * order. */
#include "common/policy/token.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/policy/claims.h"
#include "common/policy/token_keys.h"

/* The keys stand in the configuration. With a JWKS endpoint the reference does not look at these,
 * and neither may we: whoever moved to JWKS has retired them. */
struct token_verifier {
    const struct conf_token *conf;
    bool skip_signature;
    bool has_jwks;
    struct span hmac_key;
    struct span hmac_previous_key;
    struct token_pubkey *rsa;
    struct token_pubkey *ecdsa;
    struct claims_rules *rules;
};

static bool is_set(const char *text)
{
    return text != NULL && *text != '\0';
}

static struct span text_of(const char *text)
{
    return span_str(text != NULL ? text : "");
}

struct token_verifier *token_verifier_new(const struct conf_token *t, bool skip_signature,
                                          struct err *e)
{
    struct token_verifier *v = mem_zalloc(sizeof(*v));
    v->conf = t;
    v->skip_signature = skip_signature;
    v->has_jwks = is_set(t->jwks_public_endpoint);
    v->hmac_key = text_of(t->hmac_secret_key);
    v->hmac_previous_key = text_of(t->hmac_previous_secret_key);
    if (is_set(t->rsa_public_key) &&
        (v->rsa = token__pubkey_new(t->rsa_public_key, TOKEN_RSA, e)) == NULL) {
        goto fail;
    }
    if (is_set(t->ecdsa_public_key) &&
        (v->ecdsa = token__pubkey_new(t->ecdsa_public_key, TOKEN_ECDSA, e)) == NULL) {
        goto fail;
    }
    v->rules = claims_rules_new(t, e);
    if (v->rules != NULL) {
        return v;
    }
fail:
    token_verifier_free(v);
    return NULL;
}

void token_verifier_free(struct token_verifier *v)
{
    if (v != NULL) {
        token__pubkey_free(v->rsa);
        token__pubkey_free(v->ecdsa);
        claims_rules_free(v->rules);
        free(v);
    }
}

static struct perr_result invalid(const char *reason, const char *detail)
{
    return (struct perr_result){PERR_CLOSE_INVALID_TOKEN, reason, detail};
}

static const struct perr_result good = {PERR_OK, NULL, NULL};

static struct perr_result check_hmac(const struct token_verifier *v, const struct token_parts *t,
                                     int64_t now_s)
{
    int64_t until = v->conf->hmac_previous_secret_key_valid_until;
    bool is_previous_over = until != 0 && now_s > until;
    if (v->hmac_key.n == 0 && v->hmac_previous_key.n == 0) {
        return invalid("token.no_key",
                       "the token is signed with HMAC, but hmac_secret_key is not configured");
    }
    if (token__hmac_fits(t, v->hmac_key)) {
        return good;
    }
    if (v->hmac_previous_key.n != 0 && token__hmac_fits(t, v->hmac_previous_key)) {
        return is_previous_over
                   ? invalid("token.signature",
                             "the token is signed with the previous key, which has ended")
                   : good;
    }
    return invalid("token.signature",
                   "the signature does not fit: the token was made with another secret");
}

static struct perr_result check_pubkey(const struct token_pubkey *k, const struct token_parts *t)
{
    bool is_rsa = t->alg->family == TOKEN_RSA;
    if (k == NULL) {
        return invalid(
            "token.no_key",
            is_rsa ? "the token is signed with RSA, but rsa_public_key is not configured"
                   : "the token is signed with ECDSA, but ecdsa_public_key is not configured");
    }
    if (!token__pubkey_can(k, t->alg)) {
        return invalid("token.alg",
                       "alg of the token and the curve of ecdsa_public_key do not go together");
    }
    return token__pubkey_fits(k, t)
               ? good
               : invalid("token.signature",
                         "the signature does not fit: the token was made with another private key");
}

static struct perr_result check_signature(const struct token_verifier *v,
                                          const struct token_parts *t, int64_t now_s)
{
    if (v->skip_signature) {
        return good;
    }
    if (t->alg == NULL) {
        return invalid(
            "token.alg",
            "alg of the token is none of HS256 HS384 HS512 RS256 RS384 RS512 ES256 ES384 ES512");
    }
    if (v->has_jwks) {
        return invalid(
            "token.no_key",
            "jwks_public_endpoint is configured, and this version cannot fetch keys from it");
    }
    switch (t->alg->family) {
    case TOKEN_HMAC:
        return check_hmac(v, t, now_s);
    case TOKEN_RSA:
        return check_pubkey(v->rsa, t);
    case TOKEN_ECDSA:
        return check_pubkey(v->ecdsa, t);
    }
    return invalid("token.alg", NULL);
}

/* Everything that both kinds of tokens share, but for the times. */
static struct perr_result open_token(const struct token_verifier *v, struct span token,
                                     int64_t now_s, struct arena *a, struct claims *c)
{
    if (token.n > TOKEN_MAX_BYTES) {
        return invalid("token.too_long", "the token is longer than 65536 bytes");
    }
    struct token_parts parts;
    const char *wrong = token__split(token, a, &parts);
    if (wrong != NULL) {
        return invalid("token.malformed", wrong);
    }
    struct perr_result r = check_signature(v, &parts, now_s);
    if (r.code != PERR_OK) {
        return r;
    }
    wrong = claims_decode(parts.payload, text_of(v->conf->user_id_claim), a, c);
    if (wrong != NULL) {
        return invalid("token.claims", wrong);
    }
    if (!claims_rules_accept_audience(v->rules, c, a)) {
        return invalid("token.audience",
                       "aud of the token is missing or not the configured audience");
    }
    if (!claims_rules_accept_issuer(v->rules, c)) {
        return invalid("token.issuer", "iss of the token is missing or not the configured issuer");
    }
    return good;
}

static struct perr_result check_times(const struct claims *c, int64_t now_s)
{
    if (c->exp.is_set && c->exp.s <= now_s) {
        return (struct perr_result){PERR_TOKEN_EXPIRED, "token.expired",
                                    "exp of the token has passed"};
    }
    int64_t not_before = c->nbf.s + (c->nbf.has_fraction ? 1 : 0);
    if (c->nbf.is_set && not_before > now_s) {
        return (struct perr_result){PERR_TOKEN_EXPIRED, "token.not_yet_valid",
                                    "nbf of the token is in the future, compare the clocks"};
    }
    return good;
}

/* When the connection or subscription ends: expire_at wins over exp, and its 0 is never. */
static int64_t end_of(const struct claims *c)
{
    if (!c->expire_at.is_set) {
        return c->exp.is_set ? c->exp.s : 0;
    }
    return c->expire_at.s > 0 ? c->expire_at.s : 0;
}

/* The reference takes it for a failure of its own, not of the token. */
static struct perr_result bad_b64(void)
{
    return (struct perr_result){PERR_INTERNAL, "token.claims",
                                "b64info or b64data of the token is not base64"};
}

struct perr_result token_read_connect(const struct token_verifier *v, struct span token,
                                      int64_t now_s, struct arena *a, struct token_connect *out)
{
    *out = (struct token_connect){0};
    struct claims c;
    struct perr_result r = open_token(v, token, now_s, a, &c);
    if (r.code != PERR_OK) {
        return r;
    }
    if (c.channel.n != 0) {
        return invalid("token.claims",
                       "a token with the claim channel is for subscribing, not for connecting");
    }
    struct token_connect t = {
        .user = c.user, .expire_at = end_of(&c), .info = c.info, .meta = c.meta};
    bool is_bad_b64 = false;
    const char *wrong = claims_subs(&c, a, &t, &is_bad_b64);
    if (wrong != NULL) {
        return invalid("token.claims", wrong);
    }
    r = check_times(&c, now_s);
    if (r.code != PERR_OK) {
        return r;
    }
    if (is_bad_b64 || claims_b64(c.b64info, a, &t.info) != 0) {
        return bad_b64();
    }
    *out = t;
    return r;
}

struct perr_result token_read_subscribe(const struct token_verifier *v, struct span token,
                                        int64_t now_s, struct arena *a, struct token_subscribe *out)
{
    *out = (struct token_subscribe){0};
    struct claims c;
    struct perr_result r = open_token(v, token, now_s, a, &c);
    if (r.code != PERR_OK) {
        return r;
    }
    if (c.channel.n == 0) {
        return invalid("token.claims", "a token without the claim channel is not for subscribing");
    }
    struct token_subscribe t = {
        .user = c.user, .channel = c.channel, .client = c.client, .expire_at = end_of(&c)};
    const char *wrong = claims_options(&c, a, &t.options);
    if (wrong != NULL) {
        return invalid("token.claims", wrong);
    }
    r = check_times(&c, now_s);
    if (r.code != PERR_OK) {
        return r;
    }
    if (claims_b64(c.b64info, a, &t.options.info) != 0 ||
        claims_b64(c.b64data, a, &t.options.data) != 0) {
        return bad_b64();
    }
    *out = t;
    return r;
}
