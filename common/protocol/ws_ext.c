/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket extensions in the opening handshake. */
#include "common/protocol/ws_ext.h"

#define WINDOW_BITS_MIN 8
#define WINDOW_BITS_MAX 15
/* No parameter that we know has a longer value. */
#define VALUE_MAX 16

/* Parameters of permessage-deflate; each has a bit in `seen`. */
enum param {
    SERVER_NO_CONTEXT_TAKEOVER,
    CLIENT_NO_CONTEXT_TAKEOVER,
    SERVER_MAX_WINDOW_BITS,
    CLIENT_MAX_WINDOW_BITS,
    PARAM_COUNT,
};

static const char *const param_names[PARAM_COUNT] = {
    [SERVER_NO_CONTEXT_TAKEOVER] = "server_no_context_takeover",
    [CLIENT_NO_CONTEXT_TAKEOVER] = "client_no_context_takeover",
    [SERVER_MAX_WINDOW_BITS] = "server_max_window_bits",
    [CLIENT_MAX_WINDOW_BITS] = "client_max_window_bits",
};

/* A value without quotes and backslashes. */
struct value {
    bool is_there;
    char text[VALUE_MAX];
    size_t n; /* may be more than fits; then it is none of ours */
};

struct offer {
    bool is_deflate;
    bool is_declined;
    unsigned seen;
};

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void skip_space(struct span *s)
{
    while (s->n != 0 && (*s->p == ' ' || *s->p == '\t')) {
        *s = span_from(*s, 1);
    }
}

/* Takes the character c, with the white space after it. */
static bool take_char(struct span *s, char c)
{
    if (s->n == 0 || *s->p != c) {
        return false;
    }
    *s = span_from(*s, 1);
    skip_space(s);
    return true;
}

static bool take_token(struct span *s, struct span *token)
{
    size_t n = 0;
    while (n < s->n && is_token_char(s->p[n])) {
        n++;
    }
    *token = span_of(s->p, n);
    *s = span_from(*s, n);
    skip_space(s);
    return n != 0;
}

static void add_char(struct value *v, char c)
{
    if (v->n < VALUE_MAX) {
        v->text[v->n] = c;
    }
    v->n++;
}

/* The rest of a quoted string; what it says has to be a token. */
static bool take_quoted(struct span *s, struct value *v)
{
    while (s->n != 0 && *s->p != '"') {
        if (*s->p == '\\') {
            *s = span_from(*s, 1);
        }
        if (s->n == 0 || !is_token_char(*s->p)) {
            return false;
        }
        add_char(v, *s->p);
        *s = span_from(*s, 1);
    }
    return take_char(s, '"') && v->n != 0;
}

static bool take_value(struct span *s, struct value *v)
{
    struct span token;
    v->is_there = true;
    if (s->n != 0 && *s->p == '"') {
        *s = span_from(*s, 1);
        return take_quoted(s, v);
    }
    if (!take_token(s, &token)) {
        return false;
    }
    for (size_t i = 0; i < token.n; i++) {
        add_char(v, token.p[i]);
    }
    return true;
}

/* 8 to 15, without leading zeros; 0 for anything else. */
static unsigned window_bits(const struct value *v)
{
    uint64_t bits;
    if (v->n == 0 || v->n > 2 || v->text[0] == '0' ||
        span_to_u64(span_of(v->text, v->n), &bits) != 0) {
        return 0;
    }
    return bits >= WINDOW_BITS_MIN && bits <= WINDOW_BITS_MAX ? (unsigned)bits : 0;
}

static bool is_acceptable(enum param p, const struct value *v)
{
    switch (p) {
    case SERVER_MAX_WINDOW_BITS:
        return window_bits(v) == WINDOW_BITS_MAX;
    case CLIENT_MAX_WINDOW_BITS:
        return !v->is_there || window_bits(v) != 0;
    default:
        return !v->is_there;
    }
}

static void judge(struct offer *o, struct span name, const struct value *v)
{
    for (unsigned p = 0; p < PARAM_COUNT; p++) {
        if (span_eq_nocase(name, span_str(param_names[p]))) {
            o->is_declined |= (o->seen & 1U << p) != 0 || !is_acceptable((enum param)p, v);
            o->seen |= 1U << p;
            return;
        }
    }
    o->is_declined = true;
}

static bool take_offer(struct span *s, struct offer *o)
{
    struct span name;
    if (!take_token(s, &name)) {
        return false;
    }
    o->is_deflate = span_eq_nocase(name, SPAN("permessage-deflate"));
    while (take_char(s, ';')) {
        struct value v = {0};
        if (!take_token(s, &name) || (take_char(s, '=') && !take_value(s, &v))) {
            return false;
        }
        judge(o, name, &v);
    }
    return true;
}

bool ws_ext_offers_deflate(struct span value)
{
    bool found = false;
    skip_space(&value);
    while (value.n != 0) {
        struct offer o = {0};
        if (take_char(&value, ',')) {
            continue; /* lists may have empty elements (RFC 9110 5.6.1.2) */
        }
        if (!take_offer(&value, &o) || (value.n != 0 && *value.p != ',')) {
            return false;
        }
        found |= o.is_deflate && !o.is_declined;
    }
    return found;
}
