/* SPDX-License-Identifier: Apache-2.0 */
/* Fossil deltas. */
#include "common/format/fossil.h"

#include <stdlib.h>

#include "common/base/err.h"
#include "common/base/mem.h"

/* Source blocks of this size are indexed. */
#define BLOCK 16
/* Candidates looked at for one position; more would make repetitive texts quadratic. */
#define MAX_CANDIDATES 250
/* Bytes of a UTF-8 character after its first. */
#define MAX_CONTINUATION 3

static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

static void add_number(struct buf *b, uint32_t v)
{
    char text[6];
    size_t at = sizeof(text);
    do {
        text[--at] = digits[v & 63];
        v >>= 6;
    } while (v != 0);
    buf_add(b, text + at, sizeof(text) - at);
}

static size_t number_size(uint32_t v)
{
    size_t n = 1;
    while (v >= 64) {
        v >>= 6;
        n++;
    }
    return n;
}

/* Sum of the big-endian words, the last one padded with zeros. */
static uint32_t checksum(struct span s)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < s.n; i++) {
        sum += (uint32_t)(unsigned char)s.p[i] << (8 * (3 - (i & 3)));
    }
    return sum;
}

/* A rolling hash over BLOCK bytes. */
struct rolling {
    uint16_t sum;
    uint16_t weighted;
};

static struct rolling roll_start(const char *p)
{
    struct rolling r = {0};
    for (unsigned i = 0; i < BLOCK; i++) {
        r.sum = (uint16_t)(r.sum + (unsigned char)p[i]);
        r.weighted = (uint16_t)(r.weighted + (BLOCK - i) * (unsigned char)p[i]);
    }
    return r;
}

static void roll(struct rolling *r, unsigned char gone, unsigned char come)
{
    r->sum = (uint16_t)(r->sum - gone + come);
    r->weighted = (uint16_t)(r->weighted - BLOCK * gone + r->sum);
}

static uint32_t roll_value(const struct rolling *r)
{
    return r->sum | (uint32_t)r->weighted << 16;
}

/* Blocks of the source by hash: heads of chains, and the next block in each chain. */
struct block_index {
    uint32_t slots;
    int32_t *head;
    int32_t *next;
};

static void index_source(struct block_index *x, struct span source)
{
    x->slots = (uint32_t)(source.n / BLOCK);
    x->head = mem_alloc(x->slots * sizeof(int32_t));
    x->next = mem_alloc(x->slots * sizeof(int32_t));
    memset(x->head, 0xff, x->slots * sizeof(int32_t));
    for (uint32_t i = x->slots; i-- > 0;) {
        struct rolling r = roll_start(source.p + (size_t)i * BLOCK);
        uint32_t slot = roll_value(&r) % x->slots;
        x->next[i] = x->head[slot];
        x->head[slot] = (int32_t)i;
    }
}

struct match {
    size_t from;   /* in the source */
    size_t to;     /* in the target */
    size_t length; /* 0: none */
};

static bool is_inside_char(struct span s, size_t at)
{
    return at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80;
}

/* Shrinks a match so that it splits no character of the target. A longer run of continuation bytes
 * is no UTF-8: shrinking over it would throw long matches away and make the search quadratic. */
static void align(struct match *m, struct span target)
{
    for (int i = 0; i < MAX_CONTINUATION && m->length != 0 && is_inside_char(target, m->to); i++) {
        m->from++;
        m->to++;
        m->length--;
    }
    for (int i = 0;
         i < MAX_CONTINUATION && m->length != 0 && is_inside_char(target, m->to + m->length); i++) {
        m->length--;
    }
}

/* Extends a block that may match at target[at] in both directions; not before `base`. */
static struct match extend(struct span source, struct span target, size_t block, size_t at,
                           size_t base)
{
    size_t forward = 0;
    while (block + forward < source.n && at + forward < target.n &&
           source.p[block + forward] == target.p[at + forward]) {
        forward++;
    }
    size_t back = 0;
    while (back < block && back < at - base &&
           source.p[block - back - 1] == target.p[at - back - 1]) {
        back++;
    }
    struct match m = {.from = block - back, .to = at - back, .length = forward + back};
    align(&m, target);
    return m;
}

/* The best copy that covers target[at], worth its own encoding. */
static struct match find(const struct block_index *x, struct span source, struct span target,
                         uint32_t hash, size_t at, size_t base)
{
    struct match best = {0};
    int32_t block = x->head[hash % x->slots];
    for (int tries = 0; block >= 0 && tries < MAX_CANDIDATES; tries++, block = x->next[block]) {
        struct match m = extend(source, target, (size_t)block * BLOCK, at, base);
        size_t cost = number_size((uint32_t)(m.to - base)) + number_size((uint32_t)m.length) +
                      number_size((uint32_t)m.from) + 3;
        if (m.length >= cost && m.length > best.length) {
            best = m;
        }
    }
    return best;
}

static void add_insert(struct buf *b, struct span target, size_t from, size_t to)
{
    if (to > from) {
        add_number(b, (uint32_t)(to - from));
        buf_add_char(b, ':');
        buf_add(b, target.p + from, to - from);
    }
}

/* Slides over the target from `base` to the next copy. Returns where to go on. */
static size_t next_copy(const struct block_index *x, struct span source, struct span target,
                        size_t base, struct buf *out)
{
    struct rolling r = roll_start(target.p + base);
    for (size_t at = base;; at++) {
        struct match m = find(x, source, target, roll_value(&r), at, base);
        if (m.length != 0) {
            add_insert(out, target, base, m.to);
            add_number(out, (uint32_t)m.length);
            buf_add_char(out, '@');
            add_number(out, (uint32_t)m.from);
            buf_add_char(out, ',');
            return m.to + m.length;
        }
        if (at + BLOCK >= target.n) {
            add_insert(out, target, base, target.n);
            return target.n;
        }
        roll(&r, (unsigned char)target.p[at], (unsigned char)target.p[at + BLOCK]);
    }
}

void fossil_create(struct span source, struct span target, struct buf *out)
{
    add_number(out, (uint32_t)target.n);
    buf_add_char(out, '\n');
    size_t base = 0;
    if (source.n > BLOCK) {
        struct block_index x;
        index_source(&x, source);
        while (target.n - base >= BLOCK) {
            base = next_copy(&x, source, target, base, out);
        }
        free(x.head);
        free(x.next);
    }
    add_insert(out, target, base, target.n);
    add_number(out, checksum(target));
    buf_add_char(out, ';');
}

/* ---- applying ---- */

static int read_number(struct span *s, uint32_t *out)
{
    uint64_t v = 0;
    size_t n = 0;
    for (; n < s->n; n++) {
        const char *d = s->p[n] != '\0' ? strchr(digits, s->p[n]) : NULL;
        if (d == NULL) {
            break;
        }
        v = v * 64 + (uint64_t)(d - digits);
        if (v > UINT32_MAX) {
            return ERR_RANGE;
        }
    }
    if (n == 0) {
        return ERR_SYNTAX;
    }
    *out = (uint32_t)v;
    *s = span_from(*s, n);
    return 0;
}

static bool take(struct span *s, char c)
{
    if (s->n == 0 || s->p[0] != c) {
        return false;
    }
    *s = span_from(*s, 1);
    return true;
}

/* One segment, or the end: 1 after the checksum. */
static int apply_segment(struct span source, struct span *delta, size_t start, uint32_t size,
                         struct buf *out)
{
    uint32_t count;
    int rc = read_number(delta, &count);
    if (rc != 0) {
        return rc;
    }
    if (take(delta, ';')) {
        struct span made = span_of(out->p != NULL ? out->p + start : "", out->n - start);
        if (made.n != size) {
            return ERR_RANGE;
        }
        return checksum(made) == count ? 1 : ERR_INVALID;
    }
    if (out->n - start + count > size) {
        return ERR_RANGE;
    }
    if (take(delta, ':')) {
        if (count > delta->n) {
            return ERR_RANGE;
        }
        buf_add(out, delta->p, count);
        *delta = span_from(*delta, count);
    } else if (take(delta, '@')) {
        uint32_t offset;
        if ((rc = read_number(delta, &offset)) != 0) {
            return rc;
        }
        if (!take(delta, ',')) {
            return ERR_SYNTAX;
        }
        if ((uint64_t)offset + count > source.n) {
            return ERR_RANGE;
        }
        buf_add(out, source.p + offset, count);
    } else {
        return ERR_SYNTAX;
    }
    return out->failed ? ERR_LIMIT : 0;
}

int fossil_apply(struct span source, struct span delta, struct buf *out)
{
    uint32_t size;
    size_t start = out->n;
    int rc = read_number(&delta, &size);
    if (rc != 0) {
        return rc;
    }
    if (!take(&delta, '\n')) {
        return ERR_SYNTAX;
    }
    while ((rc = apply_segment(source, &delta, start, size, out)) == 0) {
    }
    if (rc < 0) {
        return rc;
    }
    return delta.n == 0 ? 0 : ERR_SYNTAX;
}
