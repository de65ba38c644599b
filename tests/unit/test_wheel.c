/* SPDX-License-Identifier: Apache-2.0 */
/* Timers: on time, near and far, moved and stopped. */
#include "pushd/worker/wheel.h"

#include "tests/unit/unit.h"

struct probe {
    struct timer timer;
    int64_t fired_ms;
    int count;
};

static struct wheel wheel;

static void fire(struct timer *t, int64_t now_ms)
{
    struct probe *p = CONTAINER_OF(t, struct probe, timer);
    p->fired_ms = now_ms;
    p->count++;
}

static void timers_fire_once_and_at_most_a_tick_late(void **state)
{
    (void)state;
    static const int64_t dues[] = {1, 49, 50, 51, 1000, 25000, 26000, 51200, 60000, 200000};
    struct probe probes[ARRAY_LEN(dues)];
    wheel_init(&wheel, 0);
    for (size_t i = 0; i < ARRAY_LEN(dues); i++) {
        probes[i] = (struct probe){0};
        timer_init(&probes[i].timer, fire);
        timer_set(&wheel, &probes[i].timer, dues[i]);
    }
    for (int64_t now = 0; now <= 210000; now += 10) {
        wheel_run(&wheel, now);
    }
    for (size_t i = 0; i < ARRAY_LEN(dues); i++) {
        assert_int_equal(probes[i].count, 1);
        assert_in_range(probes[i].fired_ms, dues[i], dues[i] + WHEEL_TICK_MS);
    }
}

static void a_moved_timer_fires_at_its_new_time_and_a_stopped_one_never(void **state)
{
    (void)state;
    wheel_init(&wheel, 1000);
    struct probe moved = {0};
    struct probe stopped = {0};
    timer_init(&moved.timer, fire);
    timer_init(&stopped.timer, fire);
    timer_set(&wheel, &moved.timer, 1100);
    timer_set(&wheel, &stopped.timer, 1100);
    timer_set(&wheel, &moved.timer, 2000);
    timer_stop(&stopped.timer);
    wheel_run(&wheel, 1500);
    assert_int_equal(moved.count, 0);
    wheel_run(&wheel, 500000); /* a long stop of the process */
    assert_int_equal(moved.count, 1);
    assert_int_equal(stopped.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_once_and_at_most_a_tick_late),
        cmocka_unit_test(a_moved_timer_fires_at_its_new_time_and_a_stopped_one_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
