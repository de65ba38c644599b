/* SPDX-License-Identifier: Apache-2.0 */
/* Filters over the tags of publications. */
#include "common/policy/tags_filter.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define MAX_DEPTH           16
#define MAX_NODES           1024
#define NUMBER_MAX_BYTES    200
#define FRACTION_MAX_DIGITS 19

typedef bool (*compare_fn)(const struct filter_node *n, const struct span *tag);

/* A node with its operator looked up, since it is asked once a delivery. */
struct rule {
    enum rule_op {
        RULE_LEAF,
        RULE_AND,
        RULE_OR,
        RULE_NOT,
    } op;
    compare_fn compare; /* of a leaf */
    struct filter_node leaf;
    const struct rule *children;
    size_t count;
};

struct tags_filter {
    struct arena arena;
    struct rule root;
};

/* What an operator compares with. */
enum operand {
    OPERAND_VAL,
    OPERAND_VALS,
    OPERAND_NONE
};

static struct span text_of(const struct span *tag)
{
    return tag != NULL ? *tag : SPAN("");
}

static bool is_equal(const struct filter_node *n, const struct span *tag)
{
    return tag != NULL && span_eq(*tag, n->val);
}

static bool is_not_equal(const struct filter_node *n, const struct span *tag)
{
    return !is_equal(n, tag);
}

static bool is_in(const struct filter_node *n, const struct span *tag)
{
    const struct span *vals = n->vals.items;
    for (size_t i = 0; i < n->vals.n; i++) {
        if (span_eq(vals[i], text_of(tag))) {
            return true;
        }
    }
    return false;
}

static bool is_not_in(const struct filter_node *n, const struct span *tag)
{
    return !is_in(n, tag);
}

static bool exists(const struct filter_node *n, const struct span *tag)
{
    (void)n;
    return tag != NULL;
}

static bool is_absent(const struct filter_node *n, const struct span *tag)
{
    (void)n;
    return tag == NULL;
}

static bool starts_with(const struct filter_node *n, const struct span *tag)
{
    return tag != NULL && span_starts(*tag, n->val);
}

static bool ends_with(const struct filter_node *n, const struct span *tag)
{
    return tag != NULL && tag->n >= n->val.n && span_eq(span_from(*tag, tag->n - n->val.n), n->val);
}

static bool contains(const struct filter_node *n, const struct span *tag)
{
    return tag != NULL && tag->n != 0 && memmem(tag->p, tag->n, n->val.p, n->val.n) != NULL;
}

/* A decimal number by its digits, so that large ones and money compare exactly. */
struct decimal {
    bool is_negative;
    struct span whole;    /* without leading zeros */
    struct span fraction; /* without trailing zeros */
};

static struct span take_digits(struct span *s)
{
    size_t n = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9') {
        n++;
    }
    struct span digits = span_of(s->p, n);
    *s = span_from(*s, n);
    return digits;
}

/* [+-]digits[.digits] without anything around it. */
static bool read_decimal(struct span s, struct decimal *out)
{
    if (s.n == 0 || s.n > NUMBER_MAX_BYTES) {
        return false;
    }
    bool is_negative = s.p[0] == '-';
    struct span rest = span_from(s, s.p[0] == '-' || s.p[0] == '+');
    struct span whole = take_digits(&rest);
    struct span fraction = SPAN("");
    if (whole.n == 0) {
        return false;
    }
    if (rest.n != 0 && rest.p[0] == '.') {
        rest = span_from(rest, 1);
        fraction = take_digits(&rest);
        if (fraction.n == 0 || fraction.n > FRACTION_MAX_DIGITS) {
            return false;
        }
    }
    while (whole.n != 0 && whole.p[0] == '0') {
        whole = span_from(whole, 1);
    }
    while (fraction.n != 0 && fraction.p[fraction.n - 1] == '0') {
        fraction.n--;
    }
    *out = (struct decimal){is_negative && whole.n + fraction.n != 0, whole, fraction};
    return rest.n == 0;
}

/* Of the absolute values. */
static int compare_digits(const struct decimal *a, const struct decimal *b)
{
    if (a->whole.n != b->whole.n) {
        return a->whole.n < b->whole.n ? -1 : 1;
    }
    int whole = span_cmp(a->whole, b->whole);
    return whole != 0 ? whole : span_cmp(a->fraction, b->fraction);
}

/* -1, 0, 1, or 2 where one of them is no number. */
static int order(const struct filter_node *n, const struct span *tag)
{
    struct decimal a;
    struct decimal b;
    if (tag == NULL || !read_decimal(*tag, &a) || !read_decimal(n->val, &b)) {
        return 2;
    }
    if (a.is_negative != b.is_negative) {
        return a.is_negative ? -1 : 1;
    }
    int c = a.is_negative ? compare_digits(&b, &a) : compare_digits(&a, &b);
    return c < 0 ? -1 : c > 0;
}

static bool is_less(const struct filter_node *n, const struct span *tag)
{
    return order(n, tag) == -1;
}

static bool is_less_or_equal(const struct filter_node *n, const struct span *tag)
{
    int o = order(n, tag);
    return o == -1 || o == 0;
}

static bool is_greater(const struct filter_node *n, const struct span *tag)
{
    return order(n, tag) == 1;
}

static bool is_greater_or_equal(const struct filter_node *n, const struct span *tag)
{
    int o = order(n, tag);
    return o == 1 || o == 0;
}

static const struct comparison {
    const char *name;
    enum operand operand;
    compare_fn compare;
} comparisons[] = {
    {"eq", OPERAND_VAL, is_equal},
    {"neq", OPERAND_VAL, is_not_equal},
    {"in", OPERAND_VALS, is_in},
    {"nin", OPERAND_VALS, is_not_in},
    {"ex", OPERAND_NONE, exists},
    {"nex", OPERAND_NONE, is_absent},
    {"sw", OPERAND_VAL, starts_with},
    {"ew", OPERAND_VAL, ends_with},
    {"ct", OPERAND_VAL, contains},
    {"lt", OPERAND_VAL, is_less},
    {"lte", OPERAND_VAL, is_less_or_equal},
    {"gt", OPERAND_VAL, is_greater},
    {"gte", OPERAND_VAL, is_greater_or_equal},
};

static const struct comparison *find_comparison(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(comparisons); i++) {
        if (span_eq_str(name, comparisons[i].name)) {
            return &comparisons[i];
        }
    }
    return NULL;
}

static const char *leaf_fault(const struct filter_node *n)
{
    const struct comparison *c = find_comparison(n->cmp);
    if (c == NULL) {
        return n->cmp.n == 0 ? "a filter leaf without cmp" : "an unknown cmp in the filter";
    }
    if (n->key.n == 0 && c->operand != OPERAND_NONE) {
        return "a filter leaf without a key";
    }
    if ((n->val.n != 0) != (c->operand == OPERAND_VAL)) {
        return c->operand == OPERAND_VAL ? "this cmp needs val" : "this cmp takes no val";
    }
    if ((n->vals.n != 0) != (c->operand == OPERAND_VALS)) {
        return c->operand == OPERAND_VALS ? "this cmp needs vals" : "this cmp takes no vals";
    }
    return NULL;
}

static const char *fault_of(const struct filter_node *n, unsigned depth, size_t *nodes)
{
    if (depth == MAX_DEPTH || ++*nodes > MAX_NODES) {
        return "the filter is too large";
    }
    if (n->op.n == 0) {
        return leaf_fault(n);
    }
    bool is_not = span_eq_str(n->op, "not");
    if (!is_not && !span_eq_str(n->op, "and") && !span_eq_str(n->op, "or")) {
        return "an unknown op in the filter";
    }
    if (is_not ? n->nodes.n != 1 : n->nodes.n == 0) {
        return is_not ? "not takes exactly one node" : "and and or need a node";
    }
    const struct filter_node *children = n->nodes.items;
    for (size_t i = 0; i < n->nodes.n; i++) {
        const char *fault = fault_of(&children[i], depth + 1, nodes);
        if (fault != NULL) {
            return fault;
        }
    }
    return NULL;
}

static void copy_leaf(struct rule *to, const struct filter_node *from, struct arena *a)
{
    to->op = RULE_LEAF;
    to->compare = find_comparison(from->cmp)->compare;
    to->leaf = (struct filter_node){
        .key = arena_dup(a, from->key),
        .val = arena_dup(a, from->val),
    };
    const struct span *vals = from->vals.items;
    struct span *copy = arena_alloc(a, from->vals.n * sizeof(*copy));
    for (size_t i = 0; i < from->vals.n; i++) {
        copy[i] = arena_dup(a, vals[i]);
    }
    to->leaf.vals = (struct vec){copy, from->vals.n};
}

/* Of a node without faults. What a leaf has below it was not checked, and is ignored. */
static void copy_node(struct rule *to, const struct filter_node *from, struct arena *a)
{
    *to = (struct rule){0};
    if (from->op.n == 0) {
        copy_leaf(to, from, a);
        return;
    }
    to->op = from->op.p[0] == 'n' ? RULE_NOT : from->op.p[0] == 'a' ? RULE_AND : RULE_OR;
    const struct filter_node *nodes = from->nodes.items;
    struct rule *children = arena_alloc(a, from->nodes.n * sizeof(*children));
    for (size_t i = 0; i < from->nodes.n; i++) {
        copy_node(&children[i], &nodes[i], a);
    }
    to->children = children;
    to->count = from->nodes.n;
}

struct tags_filter *tags_filter_new(const struct filter_node *node, const char **fault)
{
    size_t nodes = 0;
    *fault = fault_of(node, 0, &nodes);
    if (*fault != NULL) {
        return NULL;
    }
    struct tags_filter *f = mem_zalloc(sizeof(*f));
    copy_node(&f->root, node, &f->arena);
    return f;
}

void tags_filter_free(struct tags_filter *f)
{
    if (f != NULL) {
        arena_fini(&f->arena);
        free(f);
    }
}

static bool match_leaf(const struct rule *r, const struct vec *tags)
{
    const struct kv *items = tags->items;
    for (size_t i = 0; i < tags->n; i++) {
        if (span_eq(items[i].key, r->leaf.key)) {
            return r->compare(&r->leaf, &items[i].value);
        }
    }
    return r->compare(&r->leaf, NULL);
}

static bool match_rule(const struct rule *r, const struct vec *tags)
{
    if (r->op == RULE_LEAF) {
        return match_leaf(r, tags);
    }
    if (r->op == RULE_NOT) {
        return !match_rule(&r->children[0], tags);
    }
    bool is_and = r->op == RULE_AND;
    for (size_t i = 0; i < r->count; i++) {
        if (match_rule(&r->children[i], tags) != is_and) {
            return !is_and;
        }
    }
    return is_and;
}

bool tags_filter_match(const struct tags_filter *f, const struct vec *tags)
{
    return match_rule(&f->root, tags);
}
