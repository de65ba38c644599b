/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean": the known option or word that is nearest to an unknown one. */
#include "common/base/mem.h"
#include "common/policy/conf_loader.h"

#include <stdlib.h>

#define NAME_MAX_BYTES 120

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Insertions, deletions, replacements, and exchanges of neighbours. */
static unsigned distance(struct span a, struct span b)
{
    unsigned rows[3][NAME_MAX_BYTES + 1];
    unsigned *before = rows[0];
    unsigned *last = rows[1];
    unsigned *now = rows[2];
    for (unsigned j = 0; j <= b.n; j++) {
        last[j] = j;
    }
    for (size_t i = 1; i <= a.n; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            char x = lower(a.p[i - 1]);
            char y = lower(b.p[j - 1]);
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b.p[j - 2]) && y == lower(a.p[i - 2]) &&
                before[j - 2] + 1 < now[j]) {
                now[j] = before[j - 2] + 1;
            }
        }
        unsigned *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b.n];
}

static struct span last_part(struct span path)
{
    for (size_t i = path.n; i > 0; i--) {
        if (path.p[i - 1] == '.') {
            return span_from(path, i);
        }
    }
    return path;
}

struct nearest {
    const char *path; /* of an option, whose first bytes may name an object */
    size_t bytes;
    unsigned distance;
};

static void consider(struct nearest *best, const char *path, struct span shown, struct span name)
{
    size_t gap = shown.n > name.n ? shown.n - name.n : name.n - shown.n;
    if (shown.n > NAME_MAX_BYTES ||
        gap >= best->distance) { /* each byte more or less is one step */
        return;
    }
    unsigned d = distance(name, shown);
    if (d < best->distance) {
        *best = (struct nearest){.path = path, .bytes = shown.n, .distance = d};
    }
}

/* One mistake in a short name, four in a long one. */
static unsigned tolerance(struct span name)
{
    return name.n >= 24 ? 5 : 2 + (unsigned)name.n / 8;
}

const char *conf_near_word(const struct conf_word *words, struct span s)
{
    struct nearest best = {.distance = tolerance(s)};
    if (s.n > NAME_MAX_BYTES) {
        return NULL;
    }
    for (; words->name != NULL; words++) {
        if (words->name[0] != '\0') {
            consider(&best, words->name, span_str(words->name), s);
        }
    }
    return best.path;
}

/* The same last part in another place: below the object where it was written
 * ("client.hmac_secret_key"), or anywhere
 * ("allowed_origins") if only one option has it. */
static const char *same_leaf(const struct conf_table *t, struct span name)
{
    struct span leaf = last_part(name);
    struct span object = span_of(name.p, name.n - leaf.n);
    const char *found = NULL;
    unsigned count = 0;
    for (size_t i = 0; i < t->n; i++) {
        struct span path = span_str(t->rows[i].path);
        if (!span_eq_nocase(last_part(path), leaf)) {
            continue;
        }
        if (object.n > 0 && path.n > object.n &&
            span_eq_nocase(span_of(path.p, object.n), object)) {
            return t->rows[i].path;
        }
        found = t->rows[i].path;
        count++;
    }
    return count == 1 ? found : NULL;
}

const char *conf_nearest(struct conf_loader *ld, const struct conf_table *t, struct span name)
{
    if (name.n == 0 || name.n > NAME_MAX_BYTES) {
        return NULL;
    }
    struct nearest best = {.distance = tolerance(name)};
    for (size_t i = 0; i < t->n; i++) {
        struct span path = span_str(t->rows[i].path);
        consider(&best, t->rows[i].path, path, name);
        for (size_t dot = span_find(path, '.', 0); dot < path.n;
             dot = span_find(path, '.', dot + 1)) {
            consider(&best, path.p, span_of(path.p, dot), name);
        }
    }
    for (size_t i = 0; t == &conf_rows && i < CONF_LIST_COUNT; i++) {
        consider(&best, conf_lists[i].path, span_str(conf_lists[i].path), name);
    }
    if (best.path != NULL) {
        return arena_strdup(&ld->arena, span_of(best.path, best.bytes));
    }
    const char *leaf = same_leaf(t, name);
    if (leaf == NULL && t == &conf_rows && conf_row_find(&conf_ns_rows, last_part(name)) != NULL) {
        struct buf b = {0};
        buf_addf(&b, "channel.without_namespace.%s",
                 conf_row_find(&conf_ns_rows, last_part(name))->path);
        leaf = arena_strdup(&ld->arena, buf_span(&b));
        buf_free(&b);
    }
    return leaf;
}
