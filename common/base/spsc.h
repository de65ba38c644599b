/* SPDX-License-Identifier: Apache-2.0 */
/* Unbounded queue of pointers between exactly two threads, without locks. */
#pragma once

#include "common/base/base.h"

struct spsc_segment;

/* One thread pushes, one thread shifts. Segments of a fixed number of slots are linked as needed;
 * one spare is kept. */
struct spsc {
    _Alignas(64) struct spsc_segment *head; /* consumer */
    uint32_t head_at;
    _Alignas(64) struct spsc_segment *tail; /* producer */
    uint32_t tail_at;
    _Alignas(64) _Atomic(struct spsc_segment *) spare;
};

void spsc_init(struct spsc *q);
/* Both threads must be done with it. What is still queued is dropped, not freed. */
void spsc_fini(struct spsc *q);

/* Producer. p must not be NULL. Everything written before is visible to the consumer that shifts p.
 */
void spsc_push(struct spsc *q, void *p);
/* Consumer. NULL when empty. */
void *spsc_shift(struct spsc *q);
