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
    int64_t made_ms; /* clk_mono_ms of the loop turn that made it */
    struct delivery *next_free;
};

/* Recycles deliveries of shared messages. */
struct delivery_pool {
    struct delivery *free;
};

void delivery_pool_fini(struct delivery_pool *pool);

/* For a shared frame. Takes a reference to msg. The caller has one reference to the delivery. */
struct delivery *delivery_of_msg(struct delivery_pool *pool, struct msg *msg,
                                 const struct msg_frame *frame, int64_t now_ms);
/* For bytes of its own: a frame header for `opcode` (with FRAME_COMPRESSED when they are
 * compressed) and the payload are copied. */
struct delivery *delivery_of_bytes(unsigned opcode, struct span payload, int64_t now_ms);
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
/* Drops everything but a frame that is half on the wire: it has to be completed, or what is queued
 * next would be read as part of it. */
void outq_drop(struct outq *q, struct delivery_pool *pool);
/* Takes a reference. */
void outq_push(struct outq *q, struct delivery *d);

static inline struct delivery *outq_at(const struct outq *q, uint32_t i)
{
    return q->ring[(q->head + i) & (q->cap - 1)];
}

/* How long the oldest delivery has waited; 0 for an empty queue. */
static inline int64_t outq_age_ms(const struct outq *q, int64_t now_ms)
{
    return q->count != 0 ? now_ms - outq_at(q, 0)->made_ms : 0;
}

/* Removes n bytes from the front; deliveries that are gone completely are released. Returns whether
 * a close frame was among them. */
bool outq_consume(struct outq *q, struct delivery_pool *pool, size_t n);
