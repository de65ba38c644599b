/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection is told: encoding, compression, its queue and the limits of that. */
#include "common/format/pbwire.h"
#include "pushd/worker/conn.h"
#include "pushd/worker/flush.h"

/* ---- slow clients ---- */

static void note_slow(const struct conn *c, unsigned cause, struct buf *text)
{
    const struct conf *o = c->w->conf;
    switch (cause) {
    case METRIC_SLOW_QUEUE_AGE:
        buf_addf(text, "pushd.queue_max_age is %lld ms", (long long)o->pushd.queue_max_age_ms);
        break;
    case METRIC_SLOW_WRITE_TIMEOUT:
        buf_addf(text, "websocket.write_timeout is %lld ms",
                 (long long)o->websocket.write_timeout_ms);
        break;
    default:
        buf_addf(text, "client.queue_max_size is %lld", (long long)o->client.queue_max_size);
        break;
    }
    buf_addf(text, "; %zu bytes waited, the oldest for %lld ms", c->out.bytes,
             (long long)outq_age_ms(&c->out, c->w->now_ms));
}

void conn_close_slow(struct conn *c, unsigned cause)
{
    static const char *const reasons[METRIC_SLOW_COUNT] = {
        [METRIC_SLOW_QUEUE_SIZE] = "queue.size",
        [METRIC_SLOW_QUEUE_AGE] = "queue.age",
        [METRIC_SLOW_WRITE_TIMEOUT] = "write.timeout",
        [METRIC_SLOW_SUBSCRIBE] = "subscribe.slow",
    };
    if (!conn_is_open(c) && c->state != CONN_REFUSED) {
        return;
    }
    struct buf text = {0};
    if (cause != METRIC_SLOW_SUBSCRIBE) {
        note_slow(c, cause, &text);
    } else {
        buf_add_str(&text, "too many publications while the subscription was being made");
    }
    metrics_add(c->w->metrics, METRIC_SLOW, cause, 1);
    uint32_t code = cause == METRIC_SLOW_WRITE_TIMEOUT ? PERR_CLOSE_WRITE : PERR_CLOSE_SLOW;
    conn_close_perr(c, &(struct perr_result){code, reasons[cause], buf_cstr(&text)});
    buf_free(&text);
}

/* Client protocol 14: checked when something is appended. What is longer than the limit by itself
 * passes an empty queue, or its readers would come back for it for ever. */
static bool has_room(struct conn *c, const struct delivery *d)
{
    struct worker *w = c->w;
    size_t bytes = c->out.bytes + d->n;
    if (UNLIKELY(bytes > (size_t)w->conf->client.queue_max_size)) {
        conn_close_slow(c, METRIC_SLOW_QUEUE_SIZE);
        return false;
    }
    int64_t max_age = w->conf->pushd.queue_max_age_ms;
    if (max_age > 0 && UNLIKELY(outq_age_ms(&c->out, w->now_ms) > max_age)) {
        conn_close_slow(c, METRIC_SLOW_QUEUE_AGE);
        return false;
    }
    _Atomic size_t *peak = &w->shared->bus->ports[w->index].gauges.queue_peak;
    if (UNLIKELY(bytes > atomic_load_explicit(peak, memory_order_relaxed))) {
        atomic_store_explicit(peak, bytes, memory_order_relaxed);
    }
    return true;
}

/* ---- the queue ---- */

static void append(struct conn *c, struct delivery *d)
{
    outq_push(&c->out, d);
    flush_mark(c);
}

void conn_push(struct conn *c, struct delivery *d)
{
    if (c->state <= CONN_REFUSED && !c->is_mute && (c->out.count == 0 || has_room(c, d))) {
        append(c, d);
    }
}

void conn_send_control(struct conn *c, unsigned opcode, struct span payload)
{
    struct delivery *d = delivery_of_bytes(opcode, payload, c->w->now_ms);
    if (opcode == WS_OP_CLOSE) {
        d->is_close = true;
        append(c, d);
    } else {
        conn_push(c, d);
    }
    delivery_unref(&c->w->deliveries, d);
}

/* A message for this connection alone, compressed where that makes it shorter. */
static void push_message(struct conn *c, struct span payload)
{
    unsigned opcode = frame_opcode(c->enc);
    struct buf packed = {0};
    if (c->has_deflate && deflate_pays(c->w->deflate, payload.n)) {
        deflate_compress(c->w->deflate, payload, &packed);
    }
    if (packed.n != 0 && packed.n < payload.n) {
        payload = buf_span(&packed);
        opcode |= FRAME_COMPRESSED;
    }
    struct delivery *d = delivery_of_bytes(opcode, payload, c->w->now_ms);
    conn_push(c, d);
    delivery_unref(&c->w->deliveries, d);
    buf_free(&packed);
}

/* ---- messages ---- */

static void push_protobuf(struct conn *c, const struct reply *r)
{
    struct buf *b = &c->w->scratch;
    schema_pb_encode(&reply_schema, r, b);
    struct buf whole = {0};
    pb_add_varint(&whole, b->n);
    buf_add(&whole, b->p, b->n);
    push_message(c, buf_span(&whole));
    buf_free(&whole);
}

void conn_reply(struct conn *c, const struct reply *r)
{
    buf_clear(&c->w->scratch);
    if (c->enc == ENC_PROTOBUF) {
        push_protobuf(c, r);
    } else if (!schema_payloads_are_json(&reply_schema, r)) {
        conn_close_perr(c,
                        &(struct perr_result){PERR_CLOSE_INAPPROPRIATE_PROTOCOL, "payload.not_json",
                                              "a payload is not JSON; use the protobuf protocol"});
    } else {
        schema_json_encode(&reply_schema, r, &c->w->scratch);
        push_message(c, buf_span(&c->w->scratch));
    }
}

void conn_send_push(struct conn *c, const struct push *p)
{
    struct push copy = *p;
    conn_reply(c, &(struct reply){.push = &copy});
}
