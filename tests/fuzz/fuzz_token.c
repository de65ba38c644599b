/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: tokens before and after verification. The first byte chooses: t: the rest is a
 * token; h: it is the header of one; else it is the claims. */
#include "common/base/err.h"
#include "common/format/b64.h"
#include "common/format/jscan.h"
#include "common/policy/jwks.h"
#include "common/policy/token.h"

#include <openssl/hmac.h>

#include "tests/fuzz/fuzz_util.h"

#define NOW INT64_C(1750000000)

static char none[] = "";
static char secret[] = "fuzz";
static char uid[] = "uid";
static char audience[] = "app";
static char pattern[] = "^(?:me|you)[0-9]*$";
static char ec_key[] = "-----BEGIN PUBLIC KEY-----\n"
                       "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEecmjnLjRyFxkbtunmPHstJX2Okk6\n"
                       "gojBbSdTjWPQMC/oSlCkoJQeKcfHYSJLZ1Aragkwz+ZB2Pnt5yDWnm3kSQ==\n"
                       "-----END PUBLIC KEY-----\n";

/* The same key in a document. */
static char endpoint[] = "http://keys.example/{{realm}}";
static char realms[] = "^(?P<realm>me|you)[0-9]*$";
static const char document[] =
    "{\"keys\":[{\"kid\":\"k\",\"kty\":\"EC\",\"use\":\"sig\",\"crv\":\"P-256\","
    "\"x\":\"ecmjnLjRyFxkbtunmPHstJX2Okk6gojBbSdTjWPQMC8\","
    "\"y\":\"6EpQpKCUHinHx2EiS2dQK2oJMM_mQdj57ecg1p5t5Ek\"}]}";

static struct conf_token plain_conf;
static struct conf_token jwks_conf;
static struct conf_token strict_conf;
static struct token_verifier *verifying;
static struct token_verifier *skipping;
static struct token_verifier *strict;
static struct token_verifier *fetching;

static void set_up(void)
{
    if (verifying != NULL) {
        return;
    }
    plain_conf = (struct conf_token){.hmac_secret_key = secret,
                                     .hmac_previous_secret_key = none,
                                     .rsa_public_key = none,
                                     .ecdsa_public_key = ec_key,
                                     .jwks_public_endpoint = none,
                                     .audience = none,
                                     .audience_regex = none,
                                     .issuer = none,
                                     .issuer_regex = none,
                                     .user_id_claim = none};
    strict_conf = plain_conf;
    strict_conf.user_id_claim = uid;
    strict_conf.audience = audience;
    strict_conf.issuer_regex = pattern;
    verifying = token_verifier_new(&plain_conf, false, NULL);
    skipping = token_verifier_new(&plain_conf, true, NULL);
    strict = token_verifier_new(&strict_conf, true, NULL);
    jwks_conf = plain_conf;
    jwks_conf.jwks_public_endpoint = endpoint;
    jwks_conf.issuer_regex = realms;
    fetching = token_verifier_new(&jwks_conf, false, NULL);
    struct jwks *d = jwks_parse(span_str(document), NULL);
    struct jwks_cache *cache = jwks_cache_new();
    fuzz_require(fetching != NULL && d != NULL && d->keys[0].key != NULL, "the key is one");
    jwks_cache_put(cache, SPAN("http://keys.example/me"), d, NOW);
    jwks_free(d);
    token_verifier_set_cache(fetching, cache);
    fuzz_require(verifying != NULL && skipping != NULL && strict != NULL, "verifiers can be made");
}

static void check_span(struct span s)
{
    fuzz_require(s.p != NULL || s.n == 0, "an absent span is empty");
    for (size_t i = 0; i < s.n; i++) {
        volatile char c = s.p[i]; /* a sanitizer looks at the address */
        (void)c;
    }
}

static void check_result(struct perr_result r, bool is_zero)
{
    bool is_known = r.code == PERR_OK || r.code == PERR_TOKEN_EXPIRED ||
                    r.code == PERR_CLOSE_INVALID_TOKEN || r.code == PERR_INTERNAL;
    fuzz_require(is_known, "the result is one of four");
    fuzz_require((r.code == PERR_OK) == (r.reason == NULL),
                 "a refusal has a reason, a success has none");
    fuzz_require(r.code == PERR_OK || is_zero, "a refused token gives nothing");
    struct buf b = {0};
    perr_explain(&r, 1000, &b);
    fuzz_require(b.n <= 123, "the explanation fits a close frame");
    buf_free(&b);
}

static void check_options(const struct token_sub *s)
{
    check_span(s->channel);
    check_span(s->info);
    check_span(s->data);
    fuzz_require(span_is_utf8(s->channel), "a channel is UTF-8");
}

static uint32_t read_both(const struct token_verifier *v, struct span token, struct arena *a)
{
    struct token_connect c;
    struct perr_result r = token_read_connect(v, token, NOW, a, &c);
    check_result(r, c.user.p == NULL && c.subs == NULL && c.info.p == NULL && c.expire_at == 0);
    check_span(c.user);
    check_span(c.info);
    check_span(c.meta);
    fuzz_require(span_is_utf8(c.user), "a user is UTF-8");
    fuzz_require(c.expire_at >= 0, "an end is no negative time");
    for (size_t i = 0; i < c.sub_count; i++) {
        check_options(&c.subs[i]);
        for (size_t k = 0; k < i && i < 32; k++) {
            fuzz_require(!span_eq(c.subs[i].channel, c.subs[k].channel), "a channel comes once");
        }
    }
    struct token_subscribe s;
    struct perr_result rs = token_read_subscribe(v, token, NOW, a, &s);
    check_result(rs, s.user.p == NULL && s.channel.p == NULL && s.options.data.p == NULL);
    check_options(&s.options);
    check_span(s.client);
    fuzz_require(r.code != PERR_OK || rs.code != PERR_OK,
                 "no token is for connecting and for subscribing");
    return r.code * 10000 + rs.code;
}

static void sign(struct buf *out, struct span header, struct span claims)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    b64url_encode(out, header);
    buf_add_char(out, '.');
    b64url_encode(out, claims);
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)out->p, out->n, mac, &n);
    buf_add_char(out, '.');
    b64url_encode(out, span_of(mac, n));
}

/* What a token says does not depend on whether its good signature was looked at: neither libjwt nor
 * we refuse what the other accepts. */
static void check_claims(struct span claims, struct arena *a)
{
    struct buf token = {0};
    sign(&token, SPAN("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), claims);
    uint32_t with = read_both(verifying, buf_span(&token), a);
    uint32_t without = read_both(skipping, buf_span(&token), a);
    fuzz_require(with == without, "a good signature changes nothing");
    read_both(strict, buf_span(&token), a);
    token.p[token.n - 2] = token.p[token.n - 2] == 'A' ? 'B' : 'A';
    struct token_connect c;
    struct perr_result r = token_read_connect(verifying, buf_span(&token), NOW, a, &c);
    fuzz_require(r.code == PERR_CLOSE_INVALID_TOKEN, "a bad signature is refused");
    buf_free(&token);
}

/* Nobody here has the private half of the document's key. */
static void check_fetching(struct span token, struct arena *a)
{
    struct token_connect c;
    struct token_wanted wanted;
    struct perr_result r = token_read_connect(fetching, token, NOW, a, &c);
    check_result(r, c.user.p == NULL);
    fuzz_require(r.code != PERR_OK, "a token without a signature is refused");
    if (token_is_pending(&r)) {
        fuzz_require(token_wanted_key(fetching, token, a, &wanted), "what is awaited has a name");
        check_span(wanted.kid);
        fuzz_require(span_eq_str(wanted.url, "http://keys.example/me") ||
                         span_eq_str(wanted.url, "http://keys.example/you"),
                     "a token does not choose the address");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    set_up();
    if (size == 0) {
        return 0;
    }
    struct arena a = {0};
    struct span rest = span_of((const char *)data + 1, size - 1);
    struct buf token = {0};
    switch (data[0]) {
    case 't':
        read_both(verifying, rest, &a);
        read_both(skipping, rest, &a);
        read_both(strict, rest, &a);
        check_fetching(rest, &a);
        break;
    case 'h':
        sign(&token, rest, SPAN("{\"sub\":\"alice\",\"iss\":\"you7\"}"));
        check_fetching(buf_span(&token), &a);
        read_both(verifying, buf_span(&token), &a);
        read_both(skipping, buf_span(&token), &a);
        break;
    default:
        check_claims(rest, &a);
        break;
    }
    buf_free(&token);
    arena_fini(&a);
    return 0;
}
