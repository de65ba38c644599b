/* SPDX-License-Identifier: Apache-2.0 */
/* Unbounded queue of pointers between exactly two threads. */
#include "common/base/spsc.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/mem.h"

#define SPSC_SLOTS 510

struct spsc_segment {
    _Atomic(struct spsc_segment *) next;
    _Atomic(void *) slots[SPSC_SLOTS];
};

void spsc_init(struct spsc *q)
{
    *q = (struct spsc){0};
    q->head = mem_zalloc(sizeof(struct spsc_segment));
    q->tail = q->head;
}

void spsc_fini(struct spsc *q)
{
    struct spsc_segment *s = q->head;
    while (s != NULL) {
        struct spsc_segment *next = atomic_load(&s->next);
        free(s);
        s = next;
    }
    free(atomic_load(&q->spare));
}

void spsc_push(struct spsc *q, void *p)
{
    if (q->tail_at == SPSC_SLOTS) {
        struct spsc_segment *s = atomic_exchange(&q->spare, NULL);
        if (s == NULL) {
            s = mem_zalloc(sizeof(*s));
        }
        atomic_store_explicit(&q->tail->next, s, memory_order_release);
        q->tail = s;
        q->tail_at = 0;
    }
    atomic_store_explicit(&q->tail->slots[q->tail_at++], p, memory_order_release);
}

void *spsc_shift(struct spsc *q)
{
    if (q->head_at == SPSC_SLOTS) {
        struct spsc_segment *next = atomic_load_explicit(&q->head->next, memory_order_acquire);
        if (next == NULL) {
            return NULL;
        }
        struct spsc_segment *done = q->head;
        q->head = next;
        q->head_at = 0;
        atomic_store(&done->next, NULL);
        free(atomic_exchange(&q->spare, done)); /* its slots are all NULL again */
    }
    _Atomic(void *) *slot = &q->head->slots[q->head_at];
    void *p = atomic_load_explicit(slot, memory_order_acquire);
    if (p != NULL) {
        atomic_store_explicit(slot, NULL, memory_order_relaxed);
        q->head_at++;
    }
    return p;
}
