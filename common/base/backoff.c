/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential delay with jitter. */
#include "common/base/backoff.h"

#include "common/base/rnd.h"

uint32_t backoff_next_ms(struct backoff *b)
{
    uint64_t d = b->min_ms;
    for (uint32_t i = 0; i < b->failures && d < b->max_ms; i++) {
        d *= 2;
    }
    if (d > b->max_ms) {
        d = b->max_ms;
    }
    b->failures++;
    return (uint32_t)(d / 2) + rnd_below((uint32_t)(d - d / 2) + 1);
}

void backoff_reset(struct backoff *b)
{
    b->failures = 0;
}
