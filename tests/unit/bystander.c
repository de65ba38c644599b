/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the machine. */
#include "tests/unit/bystander.h"

#include "common/base/clk.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#define PERIOD_MS 5
#define TURNS     3

static pthread_t thread;
static _Atomic bool is_over;
static _Atomic int64_t lost_ms;
static _Atomic int64_t seen_ms; /* when it ran last */

static void *run(void *arg)
{
    (void)arg;
    while (!atomic_load(&is_over)) {
        poll(NULL, 0, PERIOD_MS);
        int64_t now = clk_mono_ms();
        int64_t late = now - atomic_load(&seen_ms) - PERIOD_MS - 1;
        atomic_store(&seen_ms, now);
        atomic_fetch_add(&lost_ms, late > 0 ? late : 0);
    }
    return NULL;
}

void bystander_start(void)
{
    atomic_store(&is_over, false);
    atomic_store(&seen_ms, clk_mono_ms());
    assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
}

void bystander_end(void)
{
    atomic_store(&is_over, true);
    pthread_join(thread, NULL);
}

int64_t bystander_lost_ms(void)
{
    /* It may be waiting for its turn just now. */
    int64_t late = clk_mono_ms() - atomic_load(&seen_ms) - PERIOD_MS - 1;
    return atomic_load(&lost_ms) + (late > 0 ? late : 0);
}

int64_t bystander_slack_ms(int64_t since_ms)
{
    int64_t lost = bystander_lost_ms() - since_ms;
    return lost > 0 ? TURNS * lost : 0;
}
