/* SPDX-License-Identifier: Apache-2.0 */
/* Log-linear histogram of nanoseconds: 64 steps per power of two, so an error below 1.6 %, up to
 * 2^40 ns. */
#pragma once

#include <stdint.h>

#define HIST_SUB_BITS 6
#define HIST_SUB      (1u << HIST_SUB_BITS)
#define HIST_BUCKETS  ((40 - HIST_SUB_BITS + 2) * HIST_SUB)

struct hist {
    uint64_t count, max_ns;
    uint32_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t ns);
void hist_merge(struct hist *into, const struct hist *from);
/* The value below or at which `percent` of the samples lie, in microseconds (upper edge of its
 * step); 0 without samples. */
double hist_percentile_us(const struct hist *h, double percent);
double hist_max_us(const struct hist *h);
