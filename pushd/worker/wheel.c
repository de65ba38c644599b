/* SPDX-License-Identifier: Apache-2.0 */
/* Timers without an allocation each. */
#include "pushd/worker/wheel.h"

void wheel_init(struct wheel *w, int64_t now_ms)
{
    for (size_t i = 0; i < WHEEL_SLOTS; i++) {
        list_init(&w->slots[i]);
    }
    w->done_tick = now_ms / WHEEL_TICK_MS;
}

void timer_init(struct timer *t, timer_fn fire)
{
    list_init(&t->link);
    t->due_ms = 0;
    t->fire = fire;
}

void timer_set(struct wheel *w, struct timer *t, int64_t due_ms)
{
    list_unlink(&t->link);
    t->due_ms = due_ms;
    int64_t tick = (due_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
    if (tick <= w->done_tick) {
        tick = w->done_tick + 1;
    }
    list_append(&w->slots[tick % WHEEL_SLOTS], &t->link);
}

void timer_stop(struct timer *t)
{
    list_unlink(&t->link);
    t->due_ms = 0;
}

static void run_slot(struct list *slot, int64_t now_ms)
{
    /* Taken out first: a callback may arm a timer for this very slot, a turn later. */
    struct list taken;
    list_init(&taken);
    list_move_all(&taken, slot);
    struct list *e;
    while ((e = list_shift(&taken)) != NULL) {
        struct timer *t = LIST_ENTRY(e, struct timer, link);
        if (t->due_ms > now_ms) {
            list_append(slot, e);
            continue;
        }
        t->due_ms = 0;
        t->fire(t, now_ms);
    }
}

void wheel_run(struct wheel *w, int64_t now_ms)
{
    int64_t tick = now_ms / WHEEL_TICK_MS;
    if (tick - w->done_tick > WHEEL_SLOTS) {
        w->done_tick = tick - WHEEL_SLOTS; /* after a long stop one turn sees every timer */
    }
    while (w->done_tick < tick) {
        w->done_tick++;
        run_slot(&w->slots[w->done_tick % WHEEL_SLOTS], now_ms);
    }
}
