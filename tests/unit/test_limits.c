/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about the limits that hold for the whole node. */
#include "pushd/worker/limits.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "tests/unit/unit.h"

static void a_user_gets_as_many_connections_as_the_limit_says(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    for (int i = 0; i < 3; i++) {
        assert_true(limits_enter_user(l, SPAN("ann"), 3));
    }
    assert_false(limits_enter_user(l, SPAN("ann"), 3));
    assert_false(limits_enter_user(l, SPAN("ann"), 3));
    limits_free(l);
}

static void one_that_leaves_makes_room_for_one(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    assert_true(limits_enter_user(l, SPAN("ann"), 1));
    assert_false(limits_enter_user(l, SPAN("ann"), 1));
    limits_leave_user(l, SPAN("ann"));
    assert_true(limits_enter_user(l, SPAN("ann"), 1));
    assert_false(limits_enter_user(l, SPAN("ann"), 1));
    limits_leave_user(l, SPAN("ann"));
    limits_leave_user(l, SPAN("nobody"));
    limits_free(l);
}

static void users_do_not_count_for_each_other(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    char name[16];
    /* More users than there are locks. */
    for (int i = 0; i < 500; i++) {
        int n = snprintf(name, sizeof(name), "user%d", i);
        assert_true(limits_enter_user(l, span_of(name, (size_t)n), 1));
    }
    assert_true(limits_enter_user(l, SPAN("user"), 1));
    for (int i = 0; i < 500; i++) {
        int n = snprintf(name, sizeof(name), "user%d", i);
        assert_false(limits_enter_user(l, span_of(name, (size_t)n), 1));
    }
    limits_free(l); /* with users that never left */
}

#define LIMIT   5
#define THREADS 4

struct crowd {
    struct limits *limits;
    _Atomic int inside;
    _Atomic int most;
};

static void *come_and_go(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < 20000; i++) {
        if (limits_enter_user(c->limits, SPAN("ann"), LIMIT)) {
            int now = atomic_fetch_add(&c->inside, 1) + 1;
            int most = atomic_load(&c->most);
            while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now)) {
            }
            /* Every other visit stays until the next one. */
            if (i % 2 == 0 && limits_enter_user(c->limits, SPAN("ann"), LIMIT)) {
                limits_leave_user(c->limits, SPAN("ann"));
            }
            atomic_fetch_sub(&c->inside, 1);
            limits_leave_user(c->limits, SPAN("ann"));
        }
    }
    return NULL;
}

static void the_limit_holds_over_threads(void **state)
{
    (void)state;
    struct crowd c = {.limits = limits_new()};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &c), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_in_range(c.most, 1, LIMIT);
    /* Nothing is left behind. */
    for (int i = 0; i < LIMIT; i++) {
        assert_true(limits_enter_user(c.limits, SPAN("ann"), LIMIT));
    }
    assert_false(limits_enter_user(c.limits, SPAN("ann"), LIMIT));
    limits_free(c.limits);
}

static void a_second_has_so_many_connections(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    assert_true(limits_take_rate(l, 5000, 2));
    assert_true(limits_take_rate(l, 5900, 2));
    assert_false(limits_take_rate(l, 5999, 2));
    assert_true(limits_take_rate(l, 6000, 2));
    assert_true(limits_take_rate(l, 6001, 2));
    assert_false(limits_take_rate(l, 6002, 2));
    assert_true(limits_take_rate(l, 90000, 2));
    limits_free(l);
}

static void a_worker_whose_clock_is_a_turn_behind_opens_no_second_again(void **state)
{
    (void)state;
    struct limits *l = limits_new();
    assert_true(limits_take_rate(l, 5999, 1));
    assert_true(limits_take_rate(l, 6000, 1));
    assert_false(limits_take_rate(l, 5999, 1));
    assert_false(limits_take_rate(l, 6000, 1));
    limits_free(l);
}

static void *take(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < 1000; i++) {
        if (limits_take_rate(c->limits, 1000, 700)) {
            atomic_fetch_add(&c->inside, 1);
        }
    }
    return NULL;
}

static void the_rate_holds_over_threads(void **state)
{
    (void)state;
    struct crowd c = {.limits = limits_new()};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take, &c), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(c.inside, 700);
    limits_free(c.limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_gets_as_many_connections_as_the_limit_says),
        cmocka_unit_test(one_that_leaves_makes_room_for_one),
        cmocka_unit_test(users_do_not_count_for_each_other),
        cmocka_unit_test(the_limit_holds_over_threads),
        cmocka_unit_test(a_second_has_so_many_connections),
        cmocka_unit_test(a_worker_whose_clock_is_a_turn_behind_opens_no_second_again),
        cmocka_unit_test(the_rate_holds_over_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
