/* SPDX-License-Identifier: Apache-2.0 */
/* Takes a token apart before anything in it is believed. */
#include "common/format/b64.h"
#include "common/format/jscan.h"
#include "common/policy/token_keys.h"

static const struct token_alg algs[] = {
    {SPAN("HS256"), TOKEN_HMAC, 256},  {SPAN("HS384"), TOKEN_HMAC, 384},
    {SPAN("HS512"), TOKEN_HMAC, 512},  {SPAN("RS256"), TOKEN_RSA, 256},
    {SPAN("RS384"), TOKEN_RSA, 384},   {SPAN("RS512"), TOKEN_RSA, 512},
    {SPAN("ES256"), TOKEN_ECDSA, 256}, {SPAN("ES384"), TOKEN_ECDSA, 384},
    {SPAN("ES512"), TOKEN_ECDSA, 512}, {SPAN("EdDSA"), TOKEN_EDDSA, 0},
};

const struct token_alg *token__alg_find(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (span_eq(algs[i].name, name)) {
            return &algs[i];
        }
    }
    return NULL;
}

/* Strips the white space around one JSON object in UTF-8. False when the bytes are anything else.
 */
static bool take_object(struct span *bytes)
{
    struct jscan s = jscan_of(*bytes);
    struct span value;
    enum jscan_kind kind;
    if (jscan_value(&s, &value, &kind) != 0 || kind != JSCAN_OBJECT || !jscan_at_end(&s) ||
        !span_is_utf8(value)) {
        return false;
    }
    *bytes = value;
    return true;
}

static const char *read_header(struct span header, struct arena *a, struct token_parts *out)
{
    struct jscan s = jscan_enter(header);
    struct span raw_key;
    struct span value;
    enum jscan_kind kind;
    while (jscan_member(&s, &raw_key, &value, &kind)) {
        struct span key = jscan_string(raw_key, a);
        if (span_eq(key, SPAN("crit"))) {
            /* RFC 7515, 4.1.11 */
            return "the header has crit, which demands what this program does not know";
        }
        if (span_eq(key, SPAN("kid")) && kind == JSCAN_STRING) {
            if (out->kid.p != NULL) {
                return "the header has kid twice";
            }
            out->kid = jscan_string(jscan_unquote(value), a);
        }
        if (!span_eq(key, SPAN("alg"))) {
            continue;
        }
        if (kind != JSCAN_STRING || out->alg_name.p != NULL) {
            return "alg of the header has to be one string";
        }
        out->alg_name = jscan_string(jscan_unquote(value), a);
    }
    if (out->alg_name.p == NULL) {
        return "the header has no alg";
    }
    out->alg = token__alg_find(out->alg_name);
    return NULL;
}

/* What is no character of a token tells what was put around it. */
static const char *dressing(struct span token)
{
    if (token.n >= 7 && span_eq_nocase(span_of(token.p, 7), SPAN("Bearer "))) {
        return "the token begins with \"Bearer \"; send it alone";
    }
    for (size_t i = 0; i < token.n; i++) {
        char c = token.p[i];
        if (c == '"' || c == '\'') {
            return "there is a quote in the token; send it without";
        }
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
            return "there is a blank or a line break in the token; trim it";
        }
    }
    return NULL;
}

const char *token__split(struct span token, struct arena *a, struct token_parts *out)
{
    *out = (struct token_parts){0};
    size_t dot1 = span_find(token, '.', 0);
    size_t dot2 = span_find(token, '.', dot1 + 1);
    const char *dress = dressing(token);
    if (dress != NULL) {
        return dress;
    }
    if (dot2 == token.n || span_find(token, '.', dot2 + 1) != token.n) {
        return "a token has three parts with dots between them";
    }
    struct span header;
    if (b64url_decode(span_of(token.p, dot1), a, &header) != 0 ||
        b64url_decode(span_of(token.p + dot1 + 1, dot2 - dot1 - 1), a, &out->payload) != 0 ||
        b64url_decode(span_from(token, dot2 + 1), a, &out->signature) != 0) {
        return "a part of the token is not base64url without padding";
    }
    if (!take_object(&header)) {
        return "the header of the token is not a JSON object";
    }
    if (!take_object(&out->payload)) {
        return "the payload of the token is not a JSON object";
    }
    out->text = arena_strdup(a, token);
    out->signed_part = span_of(out->text, dot2);
    return read_header(header, a, out);
}
