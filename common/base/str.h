/* SPDX-License-Identifier: Apache-2.0 */
/* Byte strings: a borrowed span and a growable buffer. */
#pragma once

#include "common/base/base.h"

#include <string.h>

/* Borrowed bytes, never NUL-terminated by promise. p == NULL means absent, n == 0 with p != NULL
 * means empty. */
struct span {
    const char *p;
    size_t n;
};

#define SPAN(literal) ((struct span){.p = "" literal, .n = sizeof(literal) - 1})
#define SPAN_FMT(s)   (int)(s).n, ((s).p != NULL ? (s).p : "")

static inline struct span span_of(const void *p, size_t n)
{
    return (struct span){.p = (const char *)p, .n = n};
}

/* A NULL text gives an absent span. */
static inline struct span span_str(const char *s)
{
    return (struct span){.p = s, .n = s != NULL ? strlen(s) : 0};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool span_eq_str(struct span a, const char *s)
{
    return span_eq(a, span_str(s));
}

static inline bool span_starts(struct span s, struct span prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* The part of s from `at` on; empty when at is beyond its end. */
static inline struct span span_from(struct span s, size_t at)
{
    return at < s.n ? span_of(s.p + at, s.n - at) : span_of(s.p != NULL ? s.p + s.n : "", 0);
}

/* ASCII letters compare without case. */
bool span_eq_nocase(struct span a, struct span b);

/* Order as of memcmp, shorter first on a tie. */
int span_cmp(struct span a, struct span b);

/* Strips spaces, tabs, CR and LF from both ends. */
struct span span_trim(struct span s);

/* Position of the first c at or after `from`, or s.n. */
size_t span_find(struct span s, char c, size_t from);

/* Whether the text has this part somewhere; false for an empty one. */
bool span_contains(struct span s, const char *part);

/* Splits off the text before the next `sep` from *rest. False when *rest is used up (rest->p ==
 * NULL). */
bool span_split(struct span *rest, char sep, struct span *part);

/* Decimal digits only, no sign, no white space. ERR_SYNTAX or ERR_RANGE. */
int span_to_u64(struct span s, uint64_t *out);
/* The same with an optional minus sign. */
int span_to_i64(struct span s, int64_t *out);

/* Whether the bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool span_is_utf8(struct span s);

/* NUL-terminated copy, freed by the caller with free(). */
char *span_dup(struct span s);

/* Bytes that grow. `max` is a hard limit, 0 = none: going over it sets `failed` and drops the
 * addition and every later one, so a writer checks once at its end. Zero-initialised it is ready to
 * use. */
struct buf {
    char *p;
    size_t n;
    size_t cap;
    size_t max;
    bool failed;
};

void buf_free(struct buf *b);
/* Empties, keeps the memory, clears `failed`. */
void buf_clear(struct buf *b);
/* Makes room for n more bytes and returns where they go (not counted yet: add to b->n), or NULL at
 * the limit. */
char *buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_add_u64(struct buf *b, uint64_t v);
void buf_add_i64(struct buf *b, int64_t v);
/* NUL-terminates without counting the NUL, and returns the text. */
const char *buf_cstr(struct buf *b);

static inline void buf_add_span(struct buf *b, struct span s)
{
    buf_add(b, s.p, s.n);
}

static inline void buf_add_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

static inline void buf_add_char(struct buf *b, char c)
{
    if (LIKELY(b->n < b->cap) && LIKELY(!b->failed)) {
        b->p[b->n++] = c;
    } else {
        buf_add(b, &c, 1);
    }
}

static inline struct span buf_span(const struct buf *b)
{
    return span_of(b->p != NULL ? b->p : "", b->n);
}
