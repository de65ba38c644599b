/* SPDX-License-Identifier: Apache-2.0 */
/* Verification of tokens: shape, algorithm, signature, claims, audience and issuer, times, in this
 * order. */
#include "common/policy/token.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/policy/claims.h"
#include "common/policy/jwks.h"
#include "common/policy/jwks_url.h"
#include "common/policy/token_keys.h"

static const char reason_pending[] = "jwks.pending";

/* The keys stand in the configuration. With a JWKS endpoint the reference does not look at these,
 * and neither may we: whoever moved to JWKS has retired them. */
struct token_verifier {
    const struct conf_token *conf;
    bool skip_signature;
    struct span hmac_key;
    struct span hmac_previous_key;
    struct token_pubkey *rsa;
    struct token_pubkey *ecdsa;
    struct claims_rules *rules;
    struct jwks_url *jwks; /* NULL without an endpoint */
    struct jwks_cache *cache;
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
    if (v->rules == NULL) {
        goto fail;
    }
    if (is_set(t->jwks_public_endpoint) && (v->jwks = jwks_url_new(t, v->rules, e)) == NULL) {
        err_prefix(e, "jwks_public_endpoint");
        goto fail;
    }
    return v;
fail:
    token_verifier_free(v);
    return NULL;
}

void token_verifier_free(struct token_verifier *v)
{
    if (v != NULL) {
        token__pubkey_free(v->rsa);
        token__pubkey_free(v->ecdsa);
        jwks_url_free(v->jwks);
        claims_rules_free(v->rules);
        free(v);
    }
}

void token_verifier_set_cache(struct token_verifier *v, struct jwks_cache *cache)
{
    v->cache = cache;
}

static struct perr_result invalid(const char *reason, const char *detail)
{
    return (struct perr_result){PERR_CLOSE_INVALID_TOKEN, reason, detail};
}

static const struct perr_result good = {PERR_OK, NULL, NULL};

static struct perr_result other_secret(void)
{
    return invalid("token.signature",
                   "the signature does not fit: the token was made with another secret");
}

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
    return other_secret();
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

bool token_is_pending(const struct perr_result *r)
{
    return r->reason == reason_pending;
}

/* The key is that of the document and kid, and of what it can check: nothing of the token chooses
 * the algorithm. `c` may be NULL when the address is the same for all tokens. */
static struct perr_result find_wanted(const struct token_verifier *v, const struct token_parts *t,
                                      const struct claims *c, struct arena *a,
                                      struct token_wanted *out)
{
    if (t->alg->family == TOKEN_HMAC) {
        return invalid("token.alg",
                       "the token is signed with HMAC, but jwks_public_endpoint is configured");
    }
    if (t->kid.n == 0) {
        return invalid("jwks.no_kid", "the header of the token has no kid, which names its key");
    }
    out->kid = t->kid;
    const char *wrong = jwks_url_fill(v->jwks, c, a, &out->url);
    return wrong == NULL ? good : invalid("jwks.url", wrong);
}

static struct perr_result check_jwks(const struct token_verifier *v, const struct token_parts *t,
                                     const struct claims *c, int64_t now_s, struct arena *a)
{
    struct token_wanted wanted;
    struct perr_result r = find_wanted(v, t, c, a, &wanted);
    if (r.code != PERR_OK) {
        return r;
    }
    struct token_pubkey *key = NULL;
    enum jwks_found found = JWKS_ABSENT;
    if (v->cache != NULL) {
        const struct jwks_query q = {wanted.url, wanted.kid, t->alg, now_s};
        found = jwks_cache_find(v->cache, &q, a, &key);
    }
    if (found == JWKS_ABSENT) {
        return invalid(reason_pending, "the key of the token is not here yet");
    }
    if (found == JWKS_OTHER_ALG) {
        return invalid("jwks.alg", "alg of the token is not that of its key");
    }
    bool fits = token__pubkey_fits(key, t);
    token__pubkey_free(key);
    return fits ? good
                : invalid("token.signature",
                          "the signature does not fit the key that the token's kid names");
}

static struct perr_result check_signature(const struct token_verifier *v,
                                          const struct token_parts *t, int64_t now_s)
{
    switch (t->alg->family) {
    case TOKEN_HMAC:
        return check_hmac(v, t, now_s);
    case TOKEN_RSA:
        return check_pubkey(v->rsa, t);
    case TOKEN_ECDSA:
        return check_pubkey(v->ecdsa, t);
    case TOKEN_EDDSA:
        return invalid("token.alg", "alg EdDSA is for keys of a jwks_public_endpoint only");
    }
    return invalid("token.alg", NULL);
}

/* Reads the claims and checks whom the token is from and for. */
static struct perr_result read_claims(const struct token_verifier *v, const struct token_parts *t,
                                      struct arena *a, struct claims *c)
{
    const char *wrong = claims_decode(t->payload, text_of(v->conf->user_id_claim), a, c);
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

static struct perr_result split(struct span token, struct arena *a, struct token_parts *parts)
{
    if (token.n > TOKEN_MAX_BYTES) {
        return invalid("token.too_long", "the token is longer than 65536 bytes");
    }
    const char *wrong = token__split(token, a, parts);
    return wrong == NULL ? good : invalid("token.malformed", wrong);
}

/* Everything that both kinds of tokens share, but for the times. */
static struct perr_result open_token(const struct token_verifier *v, struct span token,
                                     int64_t now_s, struct arena *a, struct claims *c)
{
    struct token_parts parts;
    struct perr_result r = split(token, a, &parts);
    if (r.code != PERR_OK) {
        return r;
    }
    if (v->skip_signature) {
        return read_claims(v, &parts, a, c);
    }
    if (parts.alg == NULL) {
        return invalid("token.alg",
                       "alg of the token is none of HS256 HS384 HS512 RS256 RS384 RS512 ES256 "
                       "ES384 ES512 EdDSA");
    }
    if (v->jwks != NULL && !jwks_url_is_fixed(v->jwks)) {
        /* What is not verified yet only chooses among the addresses of the configuration. */
        r = read_claims(v, &parts, a, c);
        return r.code == PERR_OK ? check_jwks(v, &parts, c, now_s, a) : r;
    }
    r = v->jwks != NULL ? check_jwks(v, &parts, NULL, now_s, a) : check_signature(v, &parts, now_s);
    return r.code == PERR_OK ? read_claims(v, &parts, a, c) : r;
}

bool token_wanted_key(const struct token_verifier *v, struct span token, struct arena *a,
                      struct token_wanted *out)
{
    struct token_parts parts;
    struct claims c;
    *out = (struct token_wanted){0};
    if (v->jwks == NULL || v->skip_signature || split(token, a, &parts).code != PERR_OK ||
        parts.alg == NULL) {
        return false;
    }
    bool is_fixed = jwks_url_is_fixed(v->jwks);
    return (is_fixed || read_claims(v, &parts, a, &c).code == PERR_OK) &&
           find_wanted(v, &parts, is_fixed ? NULL : &c, a, out).code == PERR_OK;
}

/* "exp of the token has passed 37 s ago": how far off tells an old token from a clock or a time
 * zone that is wrong. */
static const char *by_seconds(struct arena *a, const char *before, int64_t seconds,
                              const char *after)
{
    struct buf b = {0};
    buf_addf(&b, "%s %lld s %s", before, (long long)seconds, after);
    const char *text = arena_strdup(a, buf_span(&b));
    buf_free(&b);
    return text;
}

static struct perr_result check_times(const struct claims *c, int64_t now_s, struct arena *a)
{
    if (c->exp.is_set && c->exp.s <= now_s) {
        return (struct perr_result){
            PERR_TOKEN_EXPIRED, "token.expired",
            by_seconds(a, "exp of the token has passed", now_s - c->exp.s, "ago")};
    }
    int64_t not_before = c->nbf.s + (c->nbf.has_fraction ? 1 : 0);
    if (c->nbf.is_set && not_before > now_s) {
        return (struct perr_result){PERR_TOKEN_EXPIRED, "token.not_yet_valid",
                                    by_seconds(a, "nbf of the token is", not_before - now_s,
                                               "in the future, compare the clocks")};
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

static const char bad_b64[] = "b64info or b64data of the token is not base64";

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
    const char *wrong =
        c.connect_fault != NULL ? c.connect_fault : claims_subs(&c, a, &t, &is_bad_b64);
    if (wrong != NULL) {
        return invalid("token.claims", wrong);
    }
    r = check_times(&c, now_s, a);
    if (r.code != PERR_OK) {
        return r;
    }
    if (is_bad_b64) {
        return invalid("token.claims", bad_b64);
    }
    if (claims_b64(c.b64info, a, &t.info) != 0) {
        /* The reference takes this one for a failure of its own, not of the token. */
        return (struct perr_result){PERR_INTERNAL, "token.claims", bad_b64};
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
    struct token_subscribe t = {
        .user = c.user, .channel = c.channel, .client = c.client, .expire_at = end_of(&c)};
    const char *wrong =
        c.subscribe_fault != NULL ? c.subscribe_fault : claims_options(&c, a, &t.options);
    if (wrong != NULL) {
        return invalid("token.claims", wrong);
    }
    r = check_times(&c, now_s, a);
    if (r.code != PERR_OK) {
        return r;
    }
    if (c.channel.n == 0) {
        return invalid("token.claims", "a token without the claim channel is not for subscribing");
    }
    if (claims_b64(c.b64info, a, &t.options.info) != 0 ||
        claims_b64(c.b64data, a, &t.options.data) != 0) {
        return invalid("token.claims", bad_b64);
    }
    *out = t;
    return r;
}

struct perr_result token_read_foreign(struct span hmac_key, struct span token, int64_t now_s,
                                      struct arena *a, struct span *payload)
{
    struct token_parts parts;
    struct claims times;
    *payload = (struct span){0};
    struct perr_result r = split(token, a, &parts);
    if (r.code != PERR_OK) {
        return r;
    }
    if (parts.alg == NULL || parts.alg->family != TOKEN_HMAC) {
        return invalid("token.alg", "alg of the token is none of HS256 HS384 HS512");
    }
    if (!token__hmac_fits(&parts, hmac_key)) {
        return other_secret();
    }
    const char *wrong = claims_decode_times(parts.payload, a, &times);
    if (wrong != NULL) {
        return invalid("token.claims", wrong);
    }
    r = check_times(&times, now_s, a);
    if (r.code == PERR_OK) {
        *payload = parts.payload;
    }
    return r;
}
