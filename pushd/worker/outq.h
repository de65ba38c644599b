/* SPDX-License-Identifier: Apache-2.0 */
/* What one connection still has to get: references to frames that many connections share. */
#pragma once

#include "pushd/msg.h"

/* One frame in one worker. The counter is of this worker only, so appending it to a queue costs no
 * atomic operation. */
struct delivery {
    uint32_t refs;
    bool is_close;   /* a close frame: nothing follows it */
    struct msg *msg; /* owns the bytes, or NULL: they follow this struct */
    const char *p;
    size_t n;
    struct delivery *next_free;
};

/* Recycles deliveries of shared messages. */
struct delivery_pool {
    struct delivery *free;
};

void delivery_pool_fini(struct delivery_pool *pool);

/* For a shared frame. Takes a reference to msg. The caller has one reference to the delivery. */
struct delivery *delivery_of_msg(struct delivery_pool *pool, struct msg *msg,
                                 const struct msg_frame *frame);
/* For bytes of its own: a frame header for `opcode` and the payload are copied. */
struct delivery *delivery_of_bytes(unsigned opcode, struct span payload);
void delivery_unref(struct delivery_pool *pool, struct delivery *d);

#define OUTQ_FEW 2

/* A ring of references. Starts in place and grows by doubling. Zero-initialise, then outq_init. */
struct outq {
    struct delivery **ring;
    uint32_t cap;
    uint32_t head;
    uint32_t count;
    uint32_t sent; /* bytes of the first one that the kernel has already */
    size_t bytes;  /* of all, without `sent` */
    struct delivery *few[OUTQ_FEW];
};

void outq_init(struct outq *q);
/* Drops everything. */
void outq_clear(struct outq *q, struct delivery_pool *pool);
/* Takes a reference. */
void outq_push(struct outq *q, struct delivery *d);

static inline struct delivery *outq_at(const struct outq *q, uint32_t i)
{
    return q->ring[(q->head + i) & (q->cap - 1)];
}

/* Removes n bytes from the front; deliveries that are gone completely are released. Returns whether
 * a close frame was among them. */
bool outq_consume(struct outq *q, struct delivery_pool *pool, size_t n);
