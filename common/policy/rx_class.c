/* SPDX-License-Identifier: Apache-2.0 */
/* Character classes of regular expressions, as sorted ranges of characters. */
#include "common/base/mem.h"
#include "common/policy/rx_tree.h"

#include <stdlib.h>

#define LAST_CHARACTER 0x10ffff

void rx_range_add(struct rx_tree *t, uint32_t low, uint32_t high)
{
    if (t->range_count == t->range_cap) {
        t->range_cap = t->range_cap != 0 ? t->range_cap * 2 : 16;
        t->ranges = mem_realloc(t->ranges, t->range_cap * sizeof(*t->ranges));
    }
    t->ranges[t->range_count++] = (struct rx_range){low, high};
}

static int compare(const void *a, const void *b)
{
    const struct rx_range *x = a;
    const struct rx_range *y = b;
    return x->low < y->low ? -1 : x->low > y->low;
}

static void complement(struct rx_tree *t, uint32_t first)
{
    uint32_t end = t->range_count;
    uint32_t low = 0;
    for (uint32_t i = first; i < end; i++) {
        struct rx_range r = t->ranges[i];
        if (r.low > low) {
            rx_range_add(t, low, r.low - 1);
        }
        low = r.high + 1;
    }
    if (low <= LAST_CHARACTER) {
        rx_range_add(t, low, LAST_CHARACTER);
    }
    uint32_t n = t->range_count - end;
    memmove(t->ranges + first, t->ranges + end, n * sizeof(*t->ranges));
    t->range_count = first + n;
}

void rx_ranges_normalise(struct rx_tree *t, uint32_t first, bool is_negated)
{
    uint32_t n = t->range_count - first;
    if (n > 0) {
        struct rx_range *list = t->ranges + first;
        qsort(list, n, sizeof(*list), compare);
        uint32_t kept = 0;
        for (uint32_t i = 1; i < n; i++) {
            if (list[i].low <= list[kept].high + 1) {
                list[kept].high = list[i].high > list[kept].high ? list[i].high : list[kept].high;
            } else {
                list[++kept] = list[i];
            }
        }
        t->range_count = first + kept + 1;
    }
    if (is_negated) {
        complement(t, first);
    } else if (t->range_count == 0) {
        rx_range_add(t, 1, 0); /* keeps the pointer from being NULL; matches nothing */
        t->range_count = 0;
    }
}

/* Pairs of first and last character. */
static const struct {
    const char *name;
    const char *pairs;
} classes[] = {
    {"alnum", "09AZaz"},
    {"alpha", "AZaz"},
    {"ascii", "\x01\x7f"},
    {"blank", "\t\t  "},
    {"cntrl", "\x01\x1f\x7f\x7f"},
    {"digit", "09"},
    {"graph", "!~"},
    {"lower", "az"},
    {"print", " ~"},
    {"punct", "!/:@[`{~"},
    {"space", "\t\r  "},
    {"upper", "AZ"},
    {"word", "09AZaz__"},
    {"xdigit", "09AFaf"},
    {"perl space", "\t\n\f\r  "},
};

static void add_pairs(struct rx_tree *t, const char *pairs)
{
    for (; *pairs != '\0'; pairs += 2) {
        rx_range_add(t, (unsigned char)pairs[0], (unsigned char)pairs[1]);
    }
}

bool rx_class_name(struct rx_tree *t, struct span name)
{
    bool is_negated = name.n > 0 && name.p[0] == '^';
    struct span base = is_negated ? span_from(name, 1) : name;
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (span_eq_str(base, classes[i].name)) {
            uint32_t first = t->range_count;
            add_pairs(t, classes[i].pairs);
            if (classes[i].pairs[0] == '\x01') {
                rx_range_add(t, 0, 0); /* what a C string cannot hold */
            }
            rx_ranges_normalise(t, first, is_negated);
            return true;
        }
    }
    return false;
}

bool rx_class_letter(struct rx_tree *t, char letter)
{
    switch (letter) {
    case 'd':
        return rx_class_name(t, SPAN("digit"));
    case 'D':
        return rx_class_name(t, SPAN("^digit"));
    case 'w':
        return rx_class_name(t, SPAN("word"));
    case 'W':
        return rx_class_name(t, SPAN("^word"));
    case 's':
        return rx_class_name(t, SPAN("perl space"));
    case 'S':
        return rx_class_name(t, SPAN("^perl space"));
    default:
        return false;
    }
}
