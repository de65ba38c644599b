/* SPDX-License-Identifier: Apache-2.0 */
/* A strict JSON scanner. */
#include "common/format/jscan.h"

#include "common/base/err.h"

#define BITS 64 /* of a word */

static void skip_space(struct jscan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r')) {
        s->p++;
    }
}

bool jscan_at_end(struct jscan *s)
{
    skip_space(s);
    return s->p == s->end;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* p is behind the opening quote. Returns the position behind the closing one, or NULL. */
static const char *skip_string(const char *p, const char *end)
{
    while (p < end) {
        unsigned char c = (unsigned char)*p++;
        if (c == '"') {
            return p;
        }
        if (c < 0x20) {
            return NULL;
        }
        if (c != '\\') {
            continue;
        }
        if (p == end) {
            return NULL;
        }
        c = (unsigned char)*p++;
        if (c == 'u') {
            if (end - p < 4 || !is_hex(p[0]) || !is_hex(p[1]) || !is_hex(p[2]) || !is_hex(p[3])) {
                return NULL;
            }
            p += 4;
        } else if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL) {
            return NULL;
        }
    }
    return NULL;
}

static const char *skip_digits(const char *p, const char *end)
{
    const char *start = p;
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p > start ? p : NULL;
}

static const char *skip_number(const char *p, const char *end)
{
    if (p < end && *p == '-') {
        p++;
    }
    if (p < end && *p == '0') {
        p++;
    } else if ((p = skip_digits(p, end)) == NULL) {
        return NULL;
    }
    if (p < end && *p == '.' && (p = skip_digits(p + 1, end)) == NULL) {
        return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }
        p = skip_digits(p, end);
    }
    return p;
}

static const char *skip_word(const char *p, const char *end, const char *word)
{
    size_t n = strlen(word);
    return (size_t)(end - p) >= n && memcmp(p, word, n) == 0 ? p + n : NULL;
}

static const char *skip_scalar(const char *p, const char *end, enum jscan_kind *kind)
{
    switch (*p) {
    case '"':
        *kind = JSCAN_STRING;
        return skip_string(p + 1, end);
    case 't':
        *kind = JSCAN_BOOL;
        return skip_word(p, end, "true");
    case 'f':
        *kind = JSCAN_BOOL;
        return skip_word(p, end, "false");
    case 'n':
        *kind = JSCAN_NULL;
        return skip_word(p, end, "null");
    default:
        *kind = JSCAN_NUMBER;
        return skip_number(p, end);
    }
}

/* The key and the colon of a member; s->p is at the key's quote after white space. */
static bool skip_key(struct jscan *s)
{
    skip_space(s);
    if (s->p == s->end || *s->p != '"' || (s->p = skip_string(s->p + 1, s->end)) == NULL) {
        return false;
    }
    skip_space(s);
    if (s->p == s->end || *s->p != ':') {
        return false;
    }
    s->p++;
    return true;
}

/* Walks containers without recursion: the stack of open brackets is one bit a level, the innermost
 * lowest. Every BITS levels the bits are set aside. */
static int skip_container(struct jscan *s)
{
    uint64_t outer[JSCAN_MAX_DEPTH / BITS];
    uint64_t is_object = 0;
    int depth = 0;
    bool want_value = true; /* else: a comma or a closing bracket */
    for (;;) {
        skip_space(s);
        if (s->p == s->end) {
            return ERR_SYNTAX;
        }
        char c = *s->p;
        if (want_value && (c == '{' || c == '[')) {
            if (depth == JSCAN_MAX_DEPTH) {
                return ERR_LIMIT;
            }
            if (depth != 0 && depth % BITS == 0) {
                outer[depth / BITS - 1] = is_object;
            }
            is_object = (is_object << 1) | (c == '{');
            depth++;
            s->p++;
            skip_space(s);
            if (s->p < s->end && *s->p == (c == '{' ? '}' : ']')) {
                want_value = false; /* empty: close it below */
                continue;
            }
            if (c == '{' && !skip_key(s)) {
                return ERR_SYNTAX;
            }
            continue;
        }
        if (want_value) {
            enum jscan_kind ignored;
            if ((s->p = skip_scalar(s->p, s->end, &ignored)) == NULL) {
                return ERR_SYNTAX;
            }
            want_value = false;
            continue;
        }
        s->p++;
        if (c == ',') {
            if ((is_object & 1) != 0 && !skip_key(s)) {
                return ERR_SYNTAX;
            }
            want_value = true;
        } else if (c == ((is_object & 1) != 0 ? '}' : ']')) {
            is_object >>= 1;
            if (--depth == 0) {
                return 0;
            }
            if (depth % BITS == 0) {
                is_object = outer[depth / BITS - 1];
            }
        } else {
            return ERR_SYNTAX;
        }
    }
}

int jscan_value(struct jscan *s, struct span *value, enum jscan_kind *kind)
{
    skip_space(s);
    if (s->p == s->end) {
        return ERR_SYNTAX;
    }
    const char *start = s->p;
    int rc = 0;
    if (*start == '{' || *start == '[') {
        *kind = *start == '{' ? JSCAN_OBJECT : JSCAN_ARRAY;
        rc = skip_container(s);
    } else if ((s->p = skip_scalar(start, s->end, kind)) == NULL) {
        rc = ERR_SYNTAX;
    }
    if (rc != 0) {
        s->p = start;
        return rc;
    }
    *value = span_of(start, (size_t)(s->p - start));
    return 0;
}

bool jscan_is_valid(struct span text)
{
    struct jscan s = jscan_of(text);
    struct span value;
    enum jscan_kind kind;
    return text.p != NULL && jscan_value(&s, &value, &kind) == 0 && jscan_at_end(&s) &&
           span_is_utf8(text);
}

struct jscan jscan_enter(struct span container)
{
    return (struct jscan){.p = container.p + 1, .end = container.p + container.n - 1};
}

static void skip_comma(struct jscan *s)
{
    skip_space(s);
    if (s->p < s->end && *s->p == ',') {
        s->p++;
        skip_space(s);
    }
}

bool jscan_member(struct jscan *s, struct span *raw_key, struct span *value, enum jscan_kind *kind)
{
    skip_comma(s);
    if (s->p >= s->end) {
        return false;
    }
    const char *key = s->p + 1;
    const char *behind = *s->p == '"' ? skip_string(key, s->end) : NULL;
    if (behind == NULL) {
        return false;
    }
    *raw_key = span_of(key, (size_t)(behind - 1 - key));
    return skip_key(s) && jscan_value(s, value, kind) == 0;
}

bool jscan_element(struct jscan *s, struct span *value, enum jscan_kind *kind)
{
    skip_comma(s);
    return s->p < s->end && jscan_value(s, value, kind) == 0;
}

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return v;
}

static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

/* *p is behind the backslash; the escape is known to be well formed. */
static char *put_escape(char *out, const char **p, const char *end)
{
    static const char from[] = "bfnrt";
    static const char to[] = "\b\f\n\r\t";
    char c = *(*p)++;
    const char *at = strchr(from, c);
    if (at != NULL) {
        *out++ = to[at - from];
        return out;
    }
    if (c != 'u') {
        *out++ = c;
        return out;
    }
    uint32_t v = hex4(*p);
    *p += 4;
    if (v >= 0xd800 && v < 0xe000) {
        bool has_low = v < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u';
        uint32_t low = has_low ? hex4(*p + 2) : 0;
        if (low >= 0xdc00 && low < 0xe000) {
            *p += 6;
            v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
        } else {
            v = 0xfffd;
        }
    }
    return put_utf8(out, v);
}

struct span jscan_string(struct span raw, struct arena *a)
{
    if (memchr(raw.p, '\\', raw.n) == NULL && span_is_utf8(raw)) {
        return raw;
    }
    /* The longest growth is one bad byte to the three of U+FFFD. */
    char *start = arena_alloc(a, raw.n * 3 + 1);
    char *out = start;
    const char *p = raw.p;
    const char *end = raw.p + raw.n;
    while (p < end) {
        if (*p == '\\') {
            p++;
            out = put_escape(out, &p, end);
            continue;
        }
        size_t len = 1;
        while (len < 4 && p + len < end && ((unsigned char)p[len] & 0xc0) == 0x80) {
            len++;
        }
        unsigned char lead = (unsigned char)*p;
        if (lead < 0x80) {
            len = 1;
        } else if (lead >= 0xc0) {
            size_t want = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
            len = want < len ? want : len;
        } else {
            len = 1;
        }
        if (span_is_utf8(span_of(p, len))) {
            memcpy(out, p, len);
            out += len;
            p += len;
        } else {
            out = put_utf8(out, 0xfffd);
            p++;
        }
    }
    return span_of(start, (size_t)(out - start));
}
