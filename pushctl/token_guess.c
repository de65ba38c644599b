/* SPDX-License-Identifier: Apache-2.0 */
/* Tries the keys that somebody may have used by mistake. */
#include "pushctl/token_guess.h"

#include "common/base/mem.h"
#include "common/format/b64.h"
#include "common/policy/token.h"

#include <stdlib.h>
#include <string.h>

struct guess {
    struct span token;
    int64_t now_s;
    const char *found;
};

/* Keys are C strings in a configuration, so one with a NUL inside cannot be tried. */
static void try_key(struct guess *g, struct span key, const char *sentence)
{
    static char none[] = "";
    if (g->found != NULL || key.n == 0 || memchr(key.p, '\0', key.n) != NULL) {
        return;
    }
    char *copy = span_dup(key);
    const struct conf_token t = {.hmac_secret_key = copy,
                                 .hmac_previous_secret_key = none,
                                 .rsa_public_key = none,
                                 .ecdsa_public_key = none,
                                 .jwks_public_endpoint = none,
                                 .audience = none,
                                 .audience_regex = none,
                                 .issuer = none,
                                 .issuer_regex = none,
                                 .user_id_claim = none};
    struct arena a = {0};
    struct token_connect ignored;
    struct token_verifier *v = token_verifier_new(&t, false, NULL);
    struct perr_result r = token_read_connect(v, g->token, g->now_s, &a, &ignored);
    /* Whatever is wrong behind the signature does not matter here; no_key is a token that has no
     * HMAC at all. */
    if (r.reason == NULL ||
        (strcmp(r.reason, "token.signature") != 0 && strcmp(r.reason, "token.no_key") != 0)) {
        g->found = sentence;
    }
    token_verifier_free(v);
    arena_fini(&a);
    mem_wipe(copy, key.n);
    free(copy);
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c | 0x20) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

static bool from_hex(struct span text, struct arena *a, struct span *out)
{
    char *bytes = arena_alloc(a, text.n / 2 + 1);
    for (size_t i = 0; i + 1 < text.n; i += 2) {
        int high = hex_digit(text.p[i]);
        int low = hex_digit(text.p[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i / 2] = (char)(high << 4 | low);
    }
    *out = span_of(bytes, text.n / 2);
    return text.n % 2 == 0;
}

static void try_decoded(struct guess *g, struct span key)
{
    struct arena a = {0};
    struct span bytes;
    if (from_hex(key, &a, &bytes)) {
        try_key(g, bytes,
                "it fits the key decoded from hexadecimal: the application has to use the text of "
                "the key as it is");
    }
    if (b64_decode(key, &a, &bytes) == 0 || b64url_decode(key, &a, &bytes) == 0) {
        try_key(g, bytes,
                "it fits the key decoded from base64: the application has to use the text of the "
                "key as it is");
    }
    arena_fini(&a);
}

/* Text around the key that came along from a file or a shell. */
static void try_dressed(struct guess *g, struct span key)
{
    static const struct {
        const char *before, *after, *sentence;
    } dresses[] = {
        {"", "\n", "it fits the key with a newline at its end: trim what is read from a file"},
        {"", "\r\n", "it fits the key with a line end of Windows: trim what is read from a file"},
        {"\"", "\"", "it fits the key between double quotes: they are taken for a part of it"},
        {"'", "'", "it fits the key between single quotes: they are taken for a part of it"},
        {" ", "", "it fits the key with a space before it"},
        {"", " ", "it fits the key with a space behind it"},
    };
    for (size_t i = 0; i < ARRAY_LEN(dresses); i++) {
        struct buf b = {0};
        buf_addf(&b, "%s%.*s%s", dresses[i].before, SPAN_FMT(key), dresses[i].after);
        try_key(g, buf_span(&b), dresses[i].sentence);
        mem_wipe(b.p, b.n);
        buf_free(&b);
    }
    struct span trimmed = span_trim(key);
    if (trimmed.n >= 2 && trimmed.p[0] == trimmed.p[trimmed.n - 1] &&
        strchr("\"'", trimmed.p[0]) != NULL) {
        trimmed = span_of(trimmed.p + 1, trimmed.n - 2);
    }
    if (trimmed.n != key.n) {
        try_key(g, trimmed,
                "it fits the key without the white space or quotes around it: repair the "
                "configuration of the server");
    }
}

const char *token_guess_key(const struct conf *c, bool is_subscription, struct span token,
                            int64_t now_s)
{
    const struct conf_token *connect = &c->client.token;
    const struct conf_token *subscribe = &c->client.subscription_token;
    bool is_apart = is_subscription && subscribe->enabled;
    struct span key = span_str(is_apart ? subscribe->hmac_secret_key : connect->hmac_secret_key);
    struct guess g = {.token = token, .now_s = now_s};
    try_dressed(&g, key);
    try_decoded(&g, key);
    if (is_apart) {
        try_key(&g, span_str(connect->hmac_secret_key),
                "it fits client.token.hmac_secret_key, but client.subscription_token is enabled "
                "and has a key of its own");
    } else {
        try_key(&g, span_str(subscribe->hmac_secret_key),
                "it fits client.subscription_token.hmac_secret_key, which is not used here");
    }
    try_key(&g, span_str(c->http_api.key),
            "it fits http_api.key: the application signs with the wrong secret");
    for (size_t i = 0; i < c->pushd.api_key_count; i++) {
        try_key(&g, span_str(c->pushd.api_keys[i].key),
                "it fits a key of pushd.api_keys: the application signs with the wrong secret");
    }
    try_key(&g, span_str(c->admin.secret),
            "it fits admin.secret: the application signs with the wrong secret");
    try_key(&g, span_str(c->admin.password),
            "it fits admin.password: the application signs with the wrong secret");
    try_key(&g, SPAN("secret"),
            "it fits the key \"secret\" of many examples: the application has not got its key");
    return g.found;
}
