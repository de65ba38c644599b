/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about filters over tags (client protocol 15.4). */
#include "common/policy/tags_filter.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

#define TAGS_MAX 4

static struct arena arena;

static int free_arena(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static struct filter_node *decode(const char *json)
{
    struct filter_node *node = arena_zalloc(&arena, sizeof(*node));
    size_t consumed;
    assert_int_equal(
        schema_json_decode(&filter_node_schema, span_str(json), &arena, node, &consumed, NULL), 0);
    return node;
}

/* Tags as "key=value;key=value". Each value is an allocation of its own size: it ends nowhere but
 * where its length says. */
struct tags {
    struct kv items[TAGS_MAX];
    struct vec vec;
    char *values[TAGS_MAX];
};

static void tags_init(struct tags *t, const char *text)
{
    *t = (struct tags){0};
    struct span rest = span_str(text);
    struct span pair;
    t->vec.items = t->items;
    while (*text != '\0' && span_split(&rest, ';', &pair)) {
        size_t equals = span_find(pair, '=', 0);
        struct span value = span_from(pair, equals + 1);
        char *copy = malloc(value.n != 0 ? value.n : 1);
        assert_non_null(copy);
        memcpy(copy, value.p, value.n);
        t->values[t->vec.n] = copy;
        t->items[t->vec.n++] = (struct kv){span_of(pair.p, equals), span_of(copy, value.n)};
    }
}

static void tags_fini(struct tags *t)
{
    for (size_t i = 0; i < t->vec.n; i++) {
        free(t->values[i]);
    }
}

static bool passes(const char *filter, const char *text)
{
    const char *fault;
    struct tags_filter *f = tags_filter_new(decode(filter), &fault);
    assert_null(fault);
    assert_non_null(f);
    struct tags tags;
    tags_init(&tags, text);
    bool result = tags_filter_match(f, &tags.vec);
    tags_fini(&tags);
    tags_filter_free(f);
    return result;
}

/* Five publications, as letters of those that pass. */
static void assert_passing(const char *filter, const char *want)
{
    static const char *const tags[] = {"t=BTC;p=10", "t=ETH;p=9.5", "t=XRP", "", "t=BT;p=100"};
    char got[ARRAY_LEN(tags) + 1];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (passes(filter, tags[i])) {
            got[n++] = (char)('1' + i);
        }
    }
    got[n] = '\0';
    if (strcmp(got, want) != 0) {
        print_error("filter %s\n", filter);
    }
    assert_string_equal(got, want);
}

static void each_comparison_passes_what_it_should(void **state)
{
    (void)state;
    assert_passing("{\"key\":\"t\",\"cmp\":\"eq\",\"val\":\"BTC\"}", "1");
    assert_passing("{\"key\":\"t\",\"cmp\":\"neq\",\"val\":\"BTC\"}", "2345");
    assert_passing("{\"key\":\"t\",\"cmp\":\"in\",\"vals\":[\"BTC\",\"XRP\"]}", "13");
    assert_passing("{\"key\":\"t\",\"cmp\":\"nin\",\"vals\":[\"BTC\",\"XRP\"]}", "245");
    assert_passing("{\"key\":\"p\",\"cmp\":\"ex\"}", "125");
    assert_passing("{\"key\":\"p\",\"cmp\":\"nex\"}", "34");
    assert_passing("{\"key\":\"t\",\"cmp\":\"sw\",\"val\":\"BT\"}", "15");
    assert_passing("{\"key\":\"t\",\"cmp\":\"ew\",\"val\":\"TC\"}", "1");
    assert_passing("{\"key\":\"t\",\"cmp\":\"ct\",\"val\":\"T\"}", "125");
    assert_passing("{\"key\":\"p\",\"cmp\":\"lt\",\"val\":\"10.0\"}", "2");
    assert_passing("{\"key\":\"p\",\"cmp\":\"lte\",\"val\":\"10.0\"}", "12");
    assert_passing("{\"key\":\"p\",\"cmp\":\"gt\",\"val\":\"9.5\"}", "15");
    assert_passing("{\"key\":\"p\",\"cmp\":\"gte\",\"val\":\"9.50\"}", "125");
}

static void nodes_combine(void **state)
{
    (void)state;
    assert_passing("{\"op\":\"or\",\"nodes\":[{\"key\":\"t\",\"cmp\":\"ew\",\"val\":\"C\"},{"
                   "\"key\":\"t\",\"cmp\":\"sw\",\"val\":\"E\"},{\"key\":\"t\",\"cmp\":\"ct\","
                   "\"val\":\"R\"}]}",
                   "123");
    assert_passing("{\"op\":\"and\",\"nodes\":[{\"key\":\"t\",\"cmp\":\"sw\",\"val\":\"BT\"},{"
                   "\"key\":\"p\",\"cmp\":\"gt\",\"val\":\"10\"}]}",
                   "5");
    assert_passing("{\"op\":\"not\",\"nodes\":[{\"op\":\"or\",\"nodes\":[{\"key\":\"t\",\"cmp\":"
                   "\"nex\"},{\"key\":\"p\",\"cmp\":\"ex\"}]}]}",
                   "3");
}

static void an_absent_tag_is_empty_for_in_and_nin_only(void **state)
{
    (void)state;
    assert_true(passes("{\"key\":\"t\",\"cmp\":\"in\",\"vals\":[\"\",\"x\"]}", ""));
    assert_true(passes("{\"key\":\"t\",\"cmp\":\"in\",\"vals\":[\"\",\"x\"]}", "t="));
    assert_false(passes("{\"key\":\"t\",\"cmp\":\"nin\",\"vals\":[\"\"]}", ""));
    assert_true(passes("{\"key\":\"t\",\"cmp\":\"nin\",\"vals\":[\"\"]}", "t=y"));
    assert_true(passes("{\"key\":\"t\",\"cmp\":\"ex\"}", "t="));
    assert_false(passes("{\"key\":\"t\",\"cmp\":\"ex\"}", "u="));
    assert_false(passes("{\"key\":\"t\",\"cmp\":\"ct\",\"val\":\"x\"}", "t="));
    assert_false(passes("{\"key\":\"t\",\"cmp\":\"ew\",\"val\":\"xyz\"}", "t=yz"));
}

static bool compares(const char *tag, const char *cmp, const char *val)
{
    struct buf filter = {0};
    struct buf tags = {0};
    buf_addf(&filter, "{\"key\":\"n\",\"cmp\":\"%s\",\"val\":\"%s\"}", cmp, val);
    buf_addf(&tags, "n=%s", tag);
    bool result = passes(buf_cstr(&filter), buf_cstr(&tags));
    buf_free(&filter);
    buf_free(&tags);
    return result;
}

static void numbers_compare_exactly(void **state)
{
    (void)state;
    static const char *const ascending[] = {
        "-9007199254740993",
        "-9007199254740992",
        "-10",
        "-9.75",
        "-9.7",
        "0",
        "0.0000000000000000001",
        "0.1",
        "0.100000001",
        "0.9",
        "9.5",
        "10",
        "100",
        "9007199254740992",
        "9007199254740993",
        "123456789012345678901234567890",
    };
    for (size_t i = 0; i < ARRAY_LEN(ascending); i++) {
        for (size_t k = 0; k < ARRAY_LEN(ascending); k++) {
            assert_int_equal(compares(ascending[i], "lt", ascending[k]), i < k);
            assert_int_equal(compares(ascending[i], "lte", ascending[k]), i <= k);
            assert_int_equal(compares(ascending[i], "gt", ascending[k]), i > k);
            assert_int_equal(compares(ascending[i], "gte", ascending[k]), i >= k);
        }
    }
}

static void one_number_is_written_in_several_ways(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"10", "10.0"}, {"+10", "10"},   {"0010", "10.000"},
        {"-0", "0"},    {"-0.00", "+0"}, {"0.50", "00.5"},
    };
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        assert_true(compares(same[i][0], "lte", same[i][1]));
        assert_true(compares(same[i][0], "gte", same[i][1]));
        assert_false(compares(same[i][0], "lt", same[i][1]));
    }
}

static void what_is_no_number_is_neither_less_nor_more(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        "x",
        "1x",
        " 1",
        "1 ",
        "0x10",
        "1e3",
        "inf",
        "nan",
        "-",
        "+",
        ".",
        "1.",
        ".5",
        "1.2.3",
        "--1",
        "1.00000000000000000000",
    };
    static const char *const cmps[] = {"lt", "lte", "gt", "gte"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        for (size_t k = 0; k < ARRAY_LEN(cmps); k++) {
            assert_false(compares(others[i], cmps[k], "5"));
            assert_false(*others[i] != '\0' && compares("5", cmps[k], others[i]));
        }
    }
}

static void filters_that_break_a_rule_are_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{}",
        "{\"key\":\"t\"}",
        "{\"key\":\"t\",\"cmp\":\"xx\",\"val\":\"1\"}",
        "{\"op\":\"xor\",\"nodes\":[{\"key\":\"t\",\"cmp\":\"ex\"}]}",
        "{\"op\":\"and\"}",
        "{\"op\":\"or\",\"nodes\":[]}",
        "{\"op\":\"not\"}",
        "{\"op\":\"not\",\"nodes\":[{\"key\":\"t\",\"cmp\":\"ex\"},{\"key\":\"p\",\"cmp\":\"ex\"}]"
        "}",
        "{\"op\":\"and\",\"nodes\":[{\"key\":\"t\",\"cmp\":\"ex\"},{\"key\":\"t\"}]}",
        "{\"key\":\"t\",\"cmp\":\"in\",\"val\":\"x\"}",
        "{\"key\":\"t\",\"cmp\":\"in\",\"vals\":[]}",
        "{\"key\":\"t\",\"cmp\":\"nin\",\"vals\":[\"a\"],\"val\":\"x\"}",
        "{\"cmp\":\"eq\",\"val\":\"x\"}",
        "{\"cmp\":\"in\",\"vals\":[\"x\"]}",
        "{\"key\":\"t\",\"cmp\":\"ex\",\"val\":\"x\"}",
        "{\"key\":\"t\",\"cmp\":\"nex\",\"vals\":[\"x\"]}",
        "{\"key\":\"t\",\"cmp\":\"eq\"}",
        "{\"key\":\"t\",\"cmp\":\"gt\",\"val\":\"1\",\"vals\":[\"2\"]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *fault = NULL;
        struct tags_filter *f = tags_filter_new(decode(rows[i]), &fault);
        if (f != NULL) {
            print_error("accepted: %s\n", rows[i]);
        }
        assert_null(f);
        assert_non_null(fault);
    }
}

static void ex_and_nex_need_no_key(void **state)
{
    (void)state;
    assert_false(passes("{\"cmp\":\"ex\"}", "t=x"));
    assert_true(passes("{\"cmp\":\"nex\"}", "t=x"));
}

static void nodes_below_a_leaf_are_ignored(void **state)
{
    (void)state;
    assert_true(passes("{\"key\":\"t\",\"cmp\":\"ex\",\"nodes\":[{\"op\":\"xor\"}]}", "t=x"));
}

static struct filter_node *chain(size_t depth)
{
    struct filter_node *node = decode("{\"key\":\"t\",\"cmp\":\"ex\"}");
    for (size_t i = 0; i < depth; i++) {
        struct filter_node *above = arena_zalloc(&arena, sizeof(*above));
        above->op = SPAN("not");
        above->nodes = (struct vec){node, 1};
        node = above;
    }
    return node;
}

static void filters_of_any_size_are_not_accepted(void **state)
{
    (void)state;
    const char *fault;
    struct tags_filter *deep = tags_filter_new(chain(15), &fault);
    assert_non_null(deep);
    tags_filter_free(deep);
    assert_null(tags_filter_new(chain(16), &fault));
    assert_non_null(fault);

    const size_t many = 1024;
    struct filter_node *wide = arena_zalloc(&arena, sizeof(*wide));
    wide->op = SPAN("and");
    struct filter_node *nodes = arena_alloc(&arena, many * sizeof(*nodes));
    for (size_t i = 0; i < many; i++) {
        nodes[i] = *chain(0);
    }
    wide->nodes = (struct vec){nodes, many - 1};
    struct tags_filter *f = tags_filter_new(wide, &fault);
    assert_non_null(f);
    tags_filter_free(f);
    wide->nodes.n = many;
    assert_null(tags_filter_new(wide, &fault));
}

static void a_filter_outlives_the_request(void **state)
{
    (void)state;
    char json[] = "{\"op\":\"not\",\"nodes\":[{\"key\":\"t\",\"cmp\":\"in\",\"vals\":[\"x\"]}]}";
    struct arena request = {0};
    struct filter_node node;
    size_t consumed;
    assert_int_equal(
        schema_json_decode(&filter_node_schema, span_str(json), &request, &node, &consumed, NULL),
        0);
    const char *fault;
    struct tags_filter *f = tags_filter_new(&node, &fault);
    assert_non_null(f);
    memset(json, '?', sizeof(json));
    arena_fini(&request);
    struct tags tags;
    tags_init(&tags, "t=x");
    assert_false(tags_filter_match(f, &tags.vec));
    tags_fini(&tags);
    tags_filter_free(f);
    tags_filter_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_comparison_passes_what_it_should),
        cmocka_unit_test(nodes_combine),
        cmocka_unit_test(an_absent_tag_is_empty_for_in_and_nin_only),
        cmocka_unit_test(numbers_compare_exactly),
        cmocka_unit_test(one_number_is_written_in_several_ways),
        cmocka_unit_test(what_is_no_number_is_neither_less_nor_more),
        cmocka_unit_test(filters_that_break_a_rule_are_refused),
        cmocka_unit_test(ex_and_nex_need_no_key),
        cmocka_unit_test(nodes_below_a_leaf_are_ignored),
        cmocka_unit_test(filters_of_any_size_are_not_accepted),
        cmocka_unit_test(a_filter_outlives_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, free_arena);
}
