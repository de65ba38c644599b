/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: documents of keys and their addresses. The first byte chooses: u or U (without the
 * safety check): endpoint, issuer_regex and iss with NULs between them; else the rest is a
 * document. */
#include "common/policy/jwks.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/policy/claims.h"
#include "common/policy/jwks_url.h"
#include "common/policy/rx.h"
#include "common/policy/token_keys.h"

#include "tests/fuzz/fuzz_util.h"

#define NOW INT64_C(1750000000)

static char none[] = "";
static const char *const algs[] = {"HS256", "RS256", "RS384", "RS512",
                                   "ES256", "ES384", "ES512", "EdDSA"};

/* Whether the cache has a key of this kid for some algorithm, or none at all. */
static void check_cached(struct jwks_cache *c, struct span url, const struct jwk *k, bool is_usable)
{
    struct arena a = {0};
    bool has = false;
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        struct token_pubkey *key = NULL;
        const struct jwks_query q = {url, k->kid, token__alg_find(span_str(algs[i])), NOW};
        enum jwks_found found = jwks_cache_find(c, &q, &a, &key);
        fuzz_require((found == JWKS_FOUND) == (key != NULL), "a key is found or not");
        fuzz_require((found == JWKS_ABSENT) != is_usable, "what can be used is in the cache");
        fuzz_require(key == NULL || i != 0, "no public key is an HMAC secret");
        fuzz_require(key == NULL || token__pubkey_can(key, q.alg), "a key goes with the algorithm");
        has = has || key != NULL;
        token__pubkey_free(key);
        fuzz_require(jwks_cache_has(c, &q, &a) == is_usable, "both ways of asking agree");
    }
    fuzz_require(has == is_usable, "a key that can be used is for something");
    arena_fini(&a);
}

static void check_document(struct span text)
{
    struct err e = {0};
    struct jwks *d = jwks_parse(text, &e);
    if (d == NULL) {
        fuzz_require(e.code < 0 && e.text[0] != '\0', "a refusal says why");
        return;
    }
    struct jwks_cache *c = jwks_cache_new();
    fuzz_require(d->n <= JWKS_MAX_KEYS, "not too many keys");
    jwks_cache_put(c, SPAN("http://a/"), d, NOW);
    for (size_t i = 0; i < d->n; i++) {
        const struct jwk *k = &d->keys[i];
        struct perr_result r = jwks_explain(d, k->kid);
        fuzz_require((k->key == NULL) == (k->flaw != NULL), "a key, or a reason");
        fuzz_require(k->key == NULL || r.code == PERR_OK, "the kid of a key is known");
        check_cached(c, SPAN("http://a/"), k, r.code == PERR_OK);
        check_cached(c, SPAN("http://b/"), k, false);
    }
    jwks_free(d);
    jwks_cache_free(c);
}

/* What a list of texts captures cannot be what the token made up: it stands in the pattern. */
static void check_fill(const struct jwks_url *u, struct span iss)
{
    struct arena a = {0};
    struct claims c = {.iss = iss};
    struct span url = {0};
    if (jwks_url_fill(u, &c, &a, &url) == NULL) {
        fuzz_require(url.n <= JWKS_URL_MAX_BYTES, "an address is not too long");
        fuzz_require(span_eq_nocase(span_of(url.p, 4), SPAN("http")), "it is one of HTTP");
        for (size_t i = 0; i < url.n; i++) {
            fuzz_require(url.p[i] > ' ' && url.p[i] < 0x7f, "it has no odd bytes");
        }
    }
    arena_fini(&a);
}

static void check_capture(const char *pattern, struct span text)
{
    struct rx *r = rx_new(span_str(pattern), NULL);
    if (r == NULL) {
        return;
    }
    struct span found;
    int group = rx_group(r, SPAN("h"));
    if (group >= 0) {
        bool finds = rx_finds(r, text);
        fuzz_require(rx_capture(r, group, text, &found) == finds, "both engines agree");
        fuzz_require(found.p == NULL ||
                         (finds && found.p >= text.p && found.p + found.n <= text.p + text.n),
                     "what is captured stands in the text");
    }
    rx_free(r);
}

static void check_address(struct span rest, bool skips_check)
{
    struct span endpoint = {0};
    struct span pattern = {0};
    if (!span_split(&rest, '\0', &endpoint) || !span_split(&rest, '\0', &pattern) ||
        rest.p == NULL) {
        return;
    }
    char *copies[] = {span_dup(endpoint), span_dup(pattern)};
    const struct conf_token conf = {.jwks_public_endpoint = copies[0],
                                    .issuer_regex = copies[1],
                                    .insecure_skip_jwks_endpoint_safety_check = skips_check,
                                    .audience = none,
                                    .audience_regex = none,
                                    .issuer = none};
    struct claims_rules *rules = claims_rules_new(&conf, NULL);
    struct jwks_url *u = rules != NULL ? jwks_url_new(&conf, rules, NULL) : NULL;
    if (u != NULL) {
        check_fill(u, rest);
    }
    check_capture(copies[1], rest);
    jwks_url_free(u);
    claims_rules_free(rules);
    free(copies[0]);
    free(copies[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct span rest = span_of((const char *)data + 1, size - 1);
    if (data[0] == 'u' || data[0] == 'U') {
        check_address(rest, data[0] == 'U');
    } else {
        check_document(rest);
    }
    return 0;
}
