/* SPDX-License-Identifier: Apache-2.0 */
/* Glob patterns. A set of positions in the pattern walks over the text, so that no pattern takes
 * more than length times length. */
#include "common/base/err.h"
#include "common/policy/channel.h"
#include "common/policy/utf8.h"

#define PATTERN_MAX_BYTES 2048
#define WORDS             (PATTERN_MAX_BYTES / 64 + 1)
#define DEPTH_MAX         32

/* Positions are byte offsets of the pattern's items; the one behind its end is the match. */
struct positions {
    uint64_t bits[WORDS];
};

/* The position behind a [..] class whose bracket is at `at`, or 0 when it is malformed. */
static size_t class_end(struct span p, size_t at)
{
    size_t n;
    size_t i = at + 1;
    if (i < p.n && p.p[i] == '!') {
        i++;
    }
    size_t first = i;
    while (i < p.n && p.p[i] != ']') {
        if (p.p[i] == '\\') {
            i++;
        }
        if (i >= p.n) {
            return 0;
        }
        utf8_at(p, i, &n);
        i += n;
    }
    return i < p.n && i > first ? i + 1 : 0;
}

/* The length of the item at `at`: a class, an escaped character, or one character. 0 when
 * malformed. */
static size_t item_length(struct span p, size_t at)
{
    size_t n;
    if (p.p[at] == '[') {
        size_t end = class_end(p, at);
        return end > 0 ? end - at : 0;
    }
    if (p.p[at] == '\\') {
        if (at + 1 >= p.n) {
            return 0;
        }
        utf8_at(p, at + 1, &n);
        return n + 1;
    }
    utf8_at(p, at, &n);
    return n;
}

bool glob_is_valid(struct span p)
{
    int depth = 0;
    if (p.n > PATTERN_MAX_BYTES) {
        return false;
    }
    for (size_t at = 0; at < p.n;) {
        size_t n = item_length(p, at);
        if (n == 0) {
            return false;
        }
        depth += p.p[at] == '{';
        depth -= p.p[at] == '}' && depth > 0;
        if (depth > DEPTH_MAX) {
            return false;
        }
        at += n;
    }
    return depth == 0;
}

/* One character of a class, escape resolved; *at moves behind it. */
static uint32_t class_char(struct span p, size_t *at)
{
    size_t n;
    *at += p.p[*at] == '\\';
    uint32_t c = utf8_at(p, *at, &n);
    *at += n;
    return c;
}

static bool class_has(struct span p, size_t at, size_t end, uint32_t c)
{
    bool is_negated = p.p[at + 1] == '!';
    bool found = false;
    for (size_t i = at + 1 + is_negated; i < end - 1;) {
        uint32_t low = class_char(p, &i);
        uint32_t high = low;
        if (i + 1 < end - 1 && p.p[i] == '-') {
            i++;
            high = class_char(p, &i);
        }
        found = found || (c >= low && c <= high);
    }
    return found != is_negated;
}

static bool has(const struct positions *s, size_t at)
{
    return (s->bits[at / 64] >> (at % 64) & 1) != 0;
}

static void put(struct positions *s, size_t at)
{
    s->bits[at / 64] |= 1ULL << (at % 64);
}

/* Walks the pattern once, left to right: every jump that takes no text leads to the right, so one
 * pass completes the set. For each open group: whether its beginning is in the set, and whether one
 * of its alternatives has come to its end. */
static void complete(struct span p, struct positions *s)
{
    bool begun[DEPTH_MAX + 1];
    bool done[DEPTH_MAX + 1];
    int depth = 0;
    for (size_t at = 0; at < p.n; at += item_length(p, at)) {
        char c = p.p[at];
        bool here = has(s, at);
        if (c == '*' && here) {
            put(s, at + 1);
        } else if (c == '{') {
            depth++;
            begun[depth] = here;
            done[depth] = false;
            if (here) {
                put(s, at + 1);
            }
        } else if (c == ',' && depth > 0) {
            done[depth] = done[depth] || here;
            if (begun[depth]) {
                put(s, at + 1);
            }
        } else if (c == '}' && depth > 0) {
            if (done[depth] || here) {
                put(s, at + 1);
            }
            depth--;
        }
    }
}

/* The set after one character. The marks of groups take no text. */
static void step(struct span p, const struct positions *from, uint32_t c, struct positions *to)
{
    int depth = 0;
    for (size_t at = 0, n; at < p.n; at += n) {
        n = item_length(p, at);
        char kind = p.p[at];
        bool is_mark = kind == '{' || (depth > 0 && (kind == ',' || kind == '}'));
        depth += kind == '{';
        depth -= kind == '}' && depth > 0;
        if (is_mark || !has(from, at)) {
            continue;
        }
        size_t ignored;
        if (kind == '*') {
            put(to, at);
        } else if (kind == '?' || (kind == '[' && class_has(p, at, at + n, c)) ||
                   (kind != '[' && utf8_at(p, at + (kind == '\\'), &ignored) == c)) {
            put(to, at + n);
        }
    }
}

bool glob_match(struct span pattern, struct span text)
{
    if (!glob_is_valid(pattern)) {
        return false;
    }
    struct positions now = {{1}};
    complete(pattern, &now);
    for (size_t at = 0, n; at < text.n; at += n) {
        struct positions next = {{0}};
        step(pattern, &now, utf8_at(text, at, &n), &next);
        complete(pattern, &next);
        now = next;
    }
    return has(&now, pattern.n);
}
