/* SPDX-License-Identifier: Apache-2.0 */
/* Log-linear histogram of nanoseconds. */
#include "tests/bench/hist.h"

static unsigned bucket_of(uint64_t ns)
{
    if (ns < HIST_SUB)
        return (unsigned)ns;
    unsigned power = 63u - (unsigned)__builtin_clzll(ns);
    unsigned i = (power - HIST_SUB_BITS + 1) * HIST_SUB +
                 (unsigned)(ns >> (power - HIST_SUB_BITS) & (HIST_SUB - 1));
    return i < HIST_BUCKETS ? i : HIST_BUCKETS - 1;
}

static uint64_t bucket_top(unsigned i)
{
    if (i < HIST_SUB)
        return i;
    unsigned shift = i / HIST_SUB - 1;
    return ((uint64_t)(HIST_SUB + i % HIST_SUB + 1) << shift) - 1;
}

void hist_add(struct hist *h, uint64_t ns)
{
    h->count++;
    h->bucket[bucket_of(ns)]++;
    if (ns > h->max_ns)
        h->max_ns = ns;
}

void hist_merge(struct hist *into, const struct hist *from)
{
    into->count += from->count;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
    for (unsigned i = 0; i < HIST_BUCKETS; i++)
        into->bucket[i] += from->bucket[i];
}

double hist_percentile_us(const struct hist *h, double percent)
{
    uint64_t want = (uint64_t)((double)h->count * percent / 100.0 + 0.999999);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HIST_BUCKETS && h->count; i++) {
        seen += h->bucket[i];
        if (seen >= want && seen) {
            uint64_t top = bucket_top(i);
            return (double)(top < h->max_ns ? top : h->max_ns) / 1000.0;
        }
    }
    return 0;
}

double hist_max_us(const struct hist *h)
{
    return (double)h->max_ns / 1000.0;
}
