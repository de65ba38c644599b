/* SPDX-License-Identifier: Apache-2.0 */
/* How far a worker takes messages ahead of sending them. */
#include "pushd/worker/pace.h"

#include "tests/unit/unit.h"

#define QUEUE   (1U << 20)
#define MESSAGE 1000

/* Takes messages until connections have to have their turn; the bytes. */
static size_t take(struct pace *p, int64_t waited_ms)
{
    size_t taken = 0;
    while (!pace_must_send(p) && taken < 16U * QUEUE) {
        pace_took(p, MESSAGE, 5000, 5000 + waited_ms);
        taken += MESSAGE;
    }
    return taken;
}

static void a_burst_waits_for_those_who_read(void **state)
{
    (void)state;
    struct pace p;
    pace_init(&p, QUEUE);
    for (int turn = 0; turn < 3; turn++) {
        size_t taken = take(&p, PACE_LATE_MS - 1);
        assert_true(taken > QUEUE / 8 && taken < QUEUE / 2);
        assert_false(pace_is_late(&p));
        pace_sent(&p);
        assert_false(pace_must_send(&p));
    }
}

static void small_queues_get_more_than_one_message(void **state)
{
    (void)state;
    struct pace p;
    pace_init(&p, 100);
    assert_true(take(&p, 0) > 64000);
}

static void who_stays_behind_does_not_wait(void **state)
{
    (void)state;
    struct pace p;
    pace_init(&p, QUEUE);
    assert_true(take(&p, PACE_LATE_MS) >= 16U * QUEUE);
    assert_true(pace_is_late(&p));
    /* Behind, but less than that: waits again. */
    pace_took(&p, MESSAGE, 5000, 5100);
    assert_true(pace_must_send(&p));
    assert_int_equal(p.late_ms, 100);
    pace_caught_up(&p);
    assert_int_equal(p.late_ms, 0);
    /* The clock of a turn of the loop may be older than that of the message. */
    pace_took(&p, MESSAGE, 5000, 4999);
    assert_int_equal(p.late_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_waits_for_those_who_read),
        cmocka_unit_test(small_queues_get_more_than_one_message),
        cmocka_unit_test(who_stays_behind_does_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
