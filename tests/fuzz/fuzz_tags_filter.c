/* SPDX-License-Identifier: Apache-2.0 */
/* Filters from clients over tags from publishers: the filter in JSON, then a line "key=value" a
 * tag. */
#include "common/policy/tags_filter.h"

#include "tests/fuzz/fuzz_util.h"

#define TAGS_MAX 8

static struct vec read_tags(struct span text, struct arena *a)
{
    struct kv *items = arena_alloc(a, TAGS_MAX * sizeof(*items));
    struct vec tags = {.items = items};
    struct span line;
    while (tags.n < TAGS_MAX && text.n != 0 && span_split(&text, '\n', &line)) {
        size_t equals = span_find(line, '=', 0);
        items[tags.n++] = (struct kv){span_of(line.p, equals), span_from(line, equals + 1)};
    }
    return tags;
}

static bool match(const struct filter_node *node, const struct vec *tags)
{
    const char *fault;
    struct tags_filter *f = tags_filter_new(node, &fault);
    fuzz_require(f != NULL && fault == NULL, "a filter is accepted without a fault");
    bool result = tags_filter_match(f, tags);
    tags_filter_free(f);
    return result;
}

static bool compares(struct span tag, const char *cmp, struct span val)
{
    struct filter_node node = {.key = SPAN("n"), .cmp = span_str(cmp), .val = val};
    struct kv kv = {SPAN("n"), tag};
    return match(&node, &(struct vec){&kv, 1});
}

/* Two texts are less, equal, more, or no numbers: never two of these, and the same from both
 * sides. */
static void order_is_one(struct span a, struct span b)
{
    if (a.n == 0 || b.n == 0) {
        return;
    }
    bool less = compares(a, "lt", b);
    bool more = compares(a, "gt", b);
    bool equal = compares(a, "lte", b) && compares(a, "gte", b);
    fuzz_require(less + more + equal <= 1, "numbers have one order");
    fuzz_require(less == compares(b, "gt", a) && more == compares(b, "lt", a),
                 "the order is the same from both sides");
    fuzz_require(compares(a, "lte", b) == (less || equal), "lte is less or equal");
    fuzz_require(compares(a, "gte", b) == (more || equal), "gte is more or equal");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = span_of(data, size);
    struct arena a = {0};
    struct filter_node node;
    size_t consumed;
    if (size == 0 || schema_json_decode(&filter_node_schema, in, &a, &node, &consumed, NULL) != 0) {
        arena_fini(&a);
        return 0;
    }
    struct vec tags = read_tags(span_from(in, consumed + 1), &a);
    const struct kv *items = tags.items;
    const char *fault = NULL;
    struct tags_filter *f = tags_filter_new(&node, &fault);
    fuzz_require((f == NULL) == (fault != NULL), "a refused filter says why");
    if (f != NULL) {
        struct filter_node negated = {.op = SPAN("not"), .nodes = {&node, 1}};
        struct tags_filter *opposite = tags_filter_new(&negated, &fault);
        bool passes = tags_filter_match(f, &tags);
        fuzz_require(opposite == NULL || tags_filter_match(opposite, &tags) != passes,
                     "not is the opposite");
        tags_filter_free(opposite);
    }
    for (size_t i = 1; i < tags.n; i++) {
        order_is_one(items[i - 1].value, items[i].value);
    }
    tags_filter_free(f);
    arena_fini(&a);
    return 0;
}
