/* SPDX-License-Identifier: Apache-2.0 */
/* A set of workers as bits in 64-bit words. */
#pragma once

#include "common/base/base.h"

static inline size_t worker_set_words(uint16_t workers)
{
    return (workers + 63u) / 64;
}

static inline bool worker_set_has(const uint64_t *set, uint16_t worker)
{
    return (set[worker / 64] >> (worker % 64) & 1) != 0;
}

static inline void worker_set_add(uint64_t *set, uint16_t worker)
{
    set[worker / 64] |= UINT64_C(1) << (worker % 64);
}

static inline void worker_set_remove(uint64_t *set, uint16_t worker)
{
    set[worker / 64] &= ~(UINT64_C(1) << (worker % 64));
}

/* The first member at or after `from`, or words * 64. */
static inline uint32_t worker_set_next(const uint64_t *set, size_t words, uint32_t from)
{
    for (size_t i = from / 64; i < words; i++) {
        uint64_t word = set[i];
        if (i == from / 64) {
            word &= ~UINT64_C(0) << (from % 64);
        }
        if (word != 0) {
            return (uint32_t)(i * 64 + (size_t)__builtin_ctzll(word));
        }
    }
    return (uint32_t)(words * 64);
}

#define WORKER_SET_EACH(w, set, words)                                \
    for (uint32_t w = worker_set_next(set, words, 0); w < (words)*64; \
         w = (w + 1) < (words)*64 ? worker_set_next(set, words, w + 1) : (uint32_t)((words)*64))
