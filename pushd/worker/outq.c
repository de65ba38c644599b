/* SPDX-License-Identifier: Apache-2.0 */
/* What one connection still has to get. */
#include "pushd/worker/outq.h"

#include <stdlib.h>

#include "common/base/mem.h"

struct delivery *delivery_of_msg(struct delivery_pool *pool, struct msg *msg,
                                 const struct msg_frame *frame, int64_t now_ms)
{
    struct delivery *d = pool->free;
    if (d != NULL) {
        pool->free = d->next_free;
    } else {
        d = mem_alloc(sizeof(*d));
    }
    *d = (struct delivery){
        .refs = 1, .msg = msg_ref(msg), .p = frame->bytes, .n = frame->len, .made_ms = now_ms};
    return d;
}

struct delivery *delivery_of_bytes(unsigned opcode, struct span payload, int64_t now_ms)
{
    char header[FRAME_HEADER_MAX];
    size_t header_len = frame_ws_header(opcode, payload.n, header);
    struct delivery *d = mem_alloc(sizeof(*d) + header_len + payload.n);
    char *bytes = (char *)(d + 1);
    memcpy(bytes, header, header_len);
    if (payload.n != 0) {
        memcpy(bytes + header_len, payload.p, payload.n);
    }
    *d = (struct delivery){.refs = 1, .p = bytes, .n = header_len + payload.n, .made_ms = now_ms};
    return d;
}

void delivery_unref(struct delivery_pool *pool, struct delivery *d)
{
    if (--d->refs != 0) {
        return;
    }
    if (d->msg == NULL) {
        free(d);
        return;
    }
    msg_unref(d->msg);
    d->next_free = pool->free;
    pool->free = d;
}

void delivery_pool_fini(struct delivery_pool *pool)
{
    while (pool->free != NULL) {
        struct delivery *d = pool->free;
        pool->free = d->next_free;
        free(d);
    }
}

void outq_init(struct outq *q)
{
    *q = (struct outq){.cap = OUTQ_FEW};
    q->ring = q->few;
}

static void release_ring(struct outq *q)
{
    if (q->ring != q->few) {
        free(q->ring);
    }
    outq_init(q);
}

void outq_clear(struct outq *q, struct delivery_pool *pool)
{
    for (uint32_t i = 0; i < q->count; i++) {
        delivery_unref(pool, outq_at(q, i));
    }
    release_ring(q);
}

void outq_drop(struct outq *q, struct delivery_pool *pool)
{
    if (q->sent == 0) {
        outq_clear(q, pool);
        return;
    }
    while (q->count > 1) {
        q->count--;
        struct delivery *d = outq_at(q, q->count);
        q->bytes -= d->n;
        delivery_unref(pool, d);
    }
}

static void grow(struct outq *q)
{
    struct delivery **ring = mem_alloc(sizeof(struct delivery *) * q->cap * 2);
    for (uint32_t i = 0; i < q->count; i++) {
        ring[i] = outq_at(q, i);
    }
    if (q->ring != q->few) {
        free(q->ring);
    }
    q->ring = ring;
    q->head = 0;
    q->cap *= 2;
}

void outq_push(struct outq *q, struct delivery *d)
{
    if (q->count == q->cap) {
        grow(q);
    }
    d->refs++;
    q->ring[(q->head + q->count) & (q->cap - 1)] = d;
    q->count++;
    q->bytes += d->n;
}

bool outq_consume(struct outq *q, struct delivery_pool *pool, size_t n)
{
    bool closed = false;
    q->bytes -= n;
    n += q->sent;
    q->sent = 0;
    while (n != 0) {
        struct delivery *d = outq_at(q, 0);
        if (n < d->n) {
            q->sent = (uint32_t)n;
            return closed;
        }
        n -= d->n;
        closed |= d->is_close;
        q->head = (q->head + 1) & (q->cap - 1);
        q->count--;
        delivery_unref(pool, d);
    }
    if (q->count == 0 && q->cap > 16) {
        release_ring(q); /* a burst is over: an idle connection keeps no memory for it */
    }
    return closed;
}
