/* SPDX-License-Identifier: Apache-2.0 */
/* Timers without an allocation each: a hashed wheel, one a worker. */
#pragma once

#include "common/base/list.h"

struct timer;
typedef void (*timer_fn)(struct timer *t, int64_t now_ms);

/* Member of whatever waits. Initialise with timer_init. */
struct timer {
    struct list link;
    int64_t due_ms; /* on clk_mono_ms; 0: not armed */
    timer_fn fire;
};

#define WHEEL_SLOTS   512
#define WHEEL_TICK_MS 50

/* A timer fires in the first tick at or after its due time; one that is further away than a turn of
 * the wheel is looked at once a turn. */
struct wheel {
    struct list slots[WHEEL_SLOTS];
    int64_t done_tick; /* all ticks up to this one are done */
};

void wheel_init(struct wheel *w, int64_t now_ms);
void timer_init(struct timer *t, timer_fn fire);
/* Arms, or moves an armed timer. */
void timer_set(struct wheel *w, struct timer *t, int64_t due_ms);
void timer_stop(struct timer *t);
/* Fires what is due. Callbacks may arm and stop any timer. */
void wheel_run(struct wheel *w, int64_t now_ms);
