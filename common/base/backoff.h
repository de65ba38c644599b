/* SPDX-License-Identifier: Apache-2.0 */
/* Exponential delay with jitter. */
#pragma once

#include "common/base/base.h"

/* Zero-initialise but for min_ms and max_ms. */
struct backoff {
    uint32_t min_ms;
    uint32_t max_ms;
    uint32_t failures;
};

/* The delay before the next attempt, in [d/2, d] with d doubling from min_ms to max_ms. */
uint32_t backoff_next_ms(struct backoff *b);
/* After a success. */
void backoff_reset(struct backoff *b);
