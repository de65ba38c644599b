/* SPDX-License-Identifier: Apache-2.0 */
/* Byte strings: a borrowed span and a growable buffer. */
#include "common/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/err.h"
#include "common/base/mem.h"

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

bool span_eq_nocase(struct span a, struct span b)
{
    if (a.n != b.n) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (lower((unsigned char)a.p[i]) != lower((unsigned char)b.p[i])) {
            return false;
        }
    }
    return true;
}

int span_cmp(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n != 0 ? memcmp(a.p, b.p, n) : 0;
    if (c != 0) {
        return c;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
    while (s.n != 0 && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n != 0 && is_space(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

size_t span_find(struct span s, char c, size_t from)
{
    if (from >= s.n) {
        return s.n;
    }
    const char *at = memchr(s.p + from, c, s.n - from);
    return at != NULL ? (size_t)(at - s.p) : s.n;
}

bool span_contains(struct span s, const char *part)
{
    size_t n = strlen(part);
    return n != 0 && n <= s.n && memmem(s.p, s.n, part, n) != NULL;
}

bool span_split(struct span *rest, char sep, struct span *part)
{
    if (rest->p == NULL) {
        return false;
    }
    size_t at = span_find(*rest, sep, 0);
    *part = span_of(rest->p, at);
    *rest = at < rest->n ? span_from(*rest, at + 1) : (struct span){0};
    return true;
}

int span_to_u64(struct span s, uint64_t *out)
{
    if (s.n == 0) {
        return ERR_SYNTAX;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return ERR_SYNTAX;
        }
        if (__builtin_mul_overflow(v, 10U, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v)) {
            return ERR_RANGE;
        }
    }
    *out = v;
    return 0;
}

int span_to_i64(struct span s, int64_t *out)
{
    bool negative = s.n != 0 && s.p[0] == '-';
    uint64_t v;
    int rc = span_to_u64(negative ? span_from(s, 1) : s, &v);
    if (rc != 0) {
        return rc;
    }
    if (v > (uint64_t)INT64_MAX + (negative ? 1U : 0U)) {
        return ERR_RANGE;
    }
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

/* Length of the well-formed sequence at p, or 0 (Unicode 15, table 3-7). */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    if (c < 0x80) {
        return 1;
    }
    if (c < 0xc2 || c > 0xf4) {
        return 0;
    }
    size_t len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (n < len) {
        return 0;
    }
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

/* The first byte at or after p that is not ASCII, or end. Most texts have none, so it looks at
 * several at a time. */
static const unsigned char *skip_ascii(const unsigned char *p, const unsigned char *end)
{
    uint64_t word;
    while ((size_t)(end - p) >= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        if ((word & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
        p += sizeof(word);
    }
    while (p < end && *p < 0x80) {
        p++;
    }
    return p;
}

bool span_is_utf8(struct span s)
{
    if (s.n == 0) {
        return true; /* p may be NULL, to which nothing may be added */
    }
    const unsigned char *p = (const unsigned char *)s.p;
    const unsigned char *end = p + s.n;
    while (p < end && (p = skip_ascii(p, end)) < end) {
        do {
            size_t len = utf8_sequence(p, (size_t)(end - p));
            if (len == 0) {
                return false;
            }
            p += len;
        } while (p < end && *p >= 0x80);
    }
    return true;
}

char *span_dup(struct span s)
{
    return mem_strndup(s.p, s.n);
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
}

char *buf_reserve(struct buf *b, size_t n)
{
    if (b->failed) {
        return NULL;
    }
    size_t need;
    if (__builtin_add_overflow(b->n, n, &need) || (b->max != 0 && need > b->max)) {
        b->failed = true;
        return NULL;
    }
    if (need > b->cap || b->p == NULL) {
        size_t cap = b->cap < 128 ? 128 : b->cap;
        while (cap < need) {
            cap += cap / 2 + 64;
        }
        if (b->max != 0 && cap > b->max) {
            cap = b->max; /* buf_add_char looks at the capacity alone */
        }
        b->p = mem_realloc(b->p, cap);
        b->cap = cap;
    }
    return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    char *at = buf_reserve(b, n);
    if (at != NULL && n != 0) {
        memcpy(at, p, n);
        b->n += n;
    }
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *at = n >= 0 ? buf_reserve(b, (size_t)n + 1) : NULL;
    if (at != NULL) {
        vsnprintf(at, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void buf_add_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_add_i64(struct buf *b, int64_t v)
{
    if (v < 0) {
        buf_add_char(b, '-');
        buf_add_u64(b, 0 - (uint64_t)v);
    } else {
        buf_add_u64(b, (uint64_t)v);
    }
}

const char *buf_cstr(struct buf *b)
{
    char *at = buf_reserve(b, 1);
    if (at == NULL) {
        return "";
    }
    *at = '\0';
    return b->p;
}
