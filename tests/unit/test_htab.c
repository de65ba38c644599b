/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about the hash table and the queue between two threads. */
#include "common/base/htab.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/spsc.h"

#include "tests/unit/unit.h"

#define MANY 5000

struct item {
    struct htab_node node;
    char name[16];
    bool seen;
};

static struct span name_of(struct item *item, size_t number)
{
    int n = snprintf(item->name, sizeof(item->name), "key-%zu", number);
    return span_of(item->name, (size_t)n);
}

static struct item *fill(struct htab *t, size_t count)
{
    struct item *items = mem_zalloc(count * sizeof(*items));
    for (size_t i = 0; i < count; i++) {
        struct span key = name_of(&items[i], i);
        htab_add(t, &items[i].node, key, hash_span(key));
    }
    return items;
}

static void an_empty_table_finds_nothing(void **state)
{
    (void)state;
    struct htab t = {0};
    assert_null(htab_get(&t, SPAN("a")));
    assert_null(htab_find(&t, SPAN("a"), 1));
    htab_each(&t, NULL, NULL);
    htab_fini(&t);
}

static void every_added_key_is_found_until_it_is_removed(void **state)
{
    (void)state;
    struct htab t = {0};
    struct item *items = fill(&t, MANY);
    assert_int_equal(t.count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_ptr_equal(htab_get(&t, items[i].node.key), &items[i].node);
    }
    for (size_t i = 0; i < MANY; i += 2) {
        htab_remove(&t, &items[i].node);
    }
    for (size_t i = 0; i < MANY; i++) {
        struct htab_node *want = i % 2 == 0 ? NULL : &items[i].node;
        assert_ptr_equal(htab_get(&t, items[i].node.key), want);
    }
    size_t slots_before = t.mask + 1;
    for (size_t i = 1; i < MANY; i += 2) {
        htab_remove(&t, &items[i].node);
    }
    assert_int_equal(t.count, 0);
    assert_true(t.mask + 1 < slots_before); /* memory follows the contents down */
    htab_fini(&t);
    free(items);
}

static void equal_hashes_are_told_apart_by_their_keys(void **state)
{
    (void)state;
    struct htab t = {0};
    struct item a = {.name = "a"};
    struct item b = {.name = "b"};
    htab_add(&t, &a.node, SPAN("a"), 7);
    htab_add(&t, &b.node, SPAN("b"), 7);
    assert_ptr_equal(htab_find(&t, SPAN("a"), 7), &a.node);
    assert_ptr_equal(htab_find(&t, SPAN("b"), 7), &b.node);
    assert_null(htab_find(&t, SPAN("c"), 7));
    htab_remove(&t, &a.node);
    assert_null(htab_find(&t, SPAN("a"), 7));
    assert_ptr_equal(htab_find(&t, SPAN("b"), 7), &b.node);
    htab_fini(&t);
}

struct visit {
    struct htab *table;
    size_t count;
    size_t stop_after;
};

static bool visit_and_remove(struct htab_node *node, void *arg)
{
    struct visit *v = arg;
    struct item *item = CONTAINER_OF(node, struct item, node);
    assert_false(item->seen);
    item->seen = true;
    htab_remove(v->table, node);
    return ++v->count != v->stop_after;
}

static void a_walk_may_remove_what_it_is_given(void **state)
{
    (void)state;
    struct htab t = {0};
    struct item *items = fill(&t, MANY);
    struct visit v = {.table = &t};
    htab_each(&t, visit_and_remove, &v);
    assert_int_equal(v.count, MANY);
    assert_int_equal(t.count, 0);
    htab_fini(&t);
    free(items);
}

static void a_walk_stops_when_told(void **state)
{
    (void)state;
    struct htab t = {0};
    struct item *items = fill(&t, 100);
    struct visit v = {.table = &t, .stop_after = 10};
    htab_each(&t, visit_and_remove, &v);
    assert_int_equal(v.count, 10);
    assert_int_equal(t.count, 90);
    htab_fini(&t);
    free(items);
}

#define QUEUED 200000

static void *produce(void *arg)
{
    for (uintptr_t i = 1; i <= QUEUED; i++) {
        spsc_push(arg, (void *)i); /* NOLINT: numbers stand for pointers */
    }
    return NULL;
}

static void two_threads_pass_everything_in_order(void **state)
{
    (void)state;
    struct spsc q;
    spsc_init(&q);
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce, &q), 0);
    for (uintptr_t want = 1; want <= QUEUED;) {
        void *p = spsc_shift(&q);
        if (p == NULL) {
            sched_yield();
            continue;
        }
        assert_int_equal((uintptr_t)p, want);
        want++;
    }
    pthread_join(producer, NULL);
    assert_null(spsc_shift(&q));
    spsc_fini(&q);
}

static void the_queue_frees_what_is_left_in_it(void **state)
{
    (void)state;
    struct spsc q;
    spsc_init(&q);
    static char element;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1500; i++) {
            spsc_push(&q, &element);
        }
        for (int i = 0; i < 1400; i++) {
            assert_ptr_equal(spsc_shift(&q), &element);
        }
    }
    spsc_fini(&q); /* leaks are the sanitizer's to find */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_finds_nothing),
        cmocka_unit_test(every_added_key_is_found_until_it_is_removed),
        cmocka_unit_test(equal_hashes_are_told_apart_by_their_keys),
        cmocka_unit_test(a_walk_may_remove_what_it_is_given),
        cmocka_unit_test(a_walk_stops_when_told),
        cmocka_unit_test(two_threads_pass_everything_in_order),
        cmocka_unit_test(the_queue_frees_what_is_left_in_it),
    };
    return cmocka_run_group_tests_name("htab", tests, NULL, NULL);
}
