/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the fan-out path. */
#include "pushd/worker/flush.h"

#include <errno.h>

#include "pushd/worker/ws.h"

/* Several queued frames leave in one write; more than this many bytes gain nothing. */
#define GATHER_MAX_BYTES 16384
/* Coalesced frames of one batch; when it is full, the batch goes out. */
#define GATHER_BUFFER_BYTES (1U << 20)

struct slice {
    struct send_job jobs[BATCH_SEND_MAX];
    struct conn *conns[BATCH_SEND_MAX];
    size_t n;
    /* The last coalesced run: connections with the same queue share its bytes. */
    const struct conn *run_of;
    uint32_t run_count;
    size_t run_at;
    size_t run_len;
};

void flush_mark(struct conn *c)
{
    if (list_is_empty(&c->dirty_link)) {
        list_append(&c->w->dirty, &c->dirty_link);
    }
}

/* How many deliveries from the front fit in one write, and their bytes. At least one. */
static uint32_t count_run(const struct conn *c, size_t *bytes)
{
    size_t total = outq_at(&c->out, 0)->n - c->out.sent;
    uint32_t n = 1;
    while (n < c->out.count) {
        size_t next = outq_at(&c->out, n)->n;
        if (total + next > GATHER_MAX_BYTES) {
            break;
        }
        total += next;
        n++;
    }
    *bytes = total;
    return n;
}

static bool is_same_run(const struct slice *s, const struct conn *c, uint32_t n)
{
    if (s->run_of == NULL || s->run_count != n || c->out.sent != 0) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (outq_at(&c->out, i) != outq_at(&s->run_of->out, i)) {
            return false;
        }
    }
    return true;
}

/* Where the bytes of the run are: the frame itself, an earlier copy of the same run, or a new copy.
 * NULL: no room. */
static const void *gather(struct slice *s, struct conn *c, uint32_t n, size_t bytes)
{
    const struct delivery *first = outq_at(&c->out, 0);
    if (n == 1) {
        return first->p + c->out.sent;
    }
    struct buf *b = &c->w->gather;
    if (is_same_run(s, c, n)) {
        return b->p + s->run_at;
    }
    if (b->cap - b->n < bytes) {
        return NULL;
    }
    char *start = b->p + b->n;
    char *at = start;
    memcpy(at, first->p + c->out.sent, first->n - c->out.sent);
    at += first->n - c->out.sent;
    for (uint32_t i = 1; i < n; i++) {
        const struct delivery *d = outq_at(&c->out, i);
        memcpy(at, d->p, d->n);
        at += d->n;
    }
    if (c->out.sent == 0) {
        s->run_of = c;
        s->run_count = n;
        s->run_at = b->n;
        s->run_len = bytes;
    }
    b->n += bytes;
    return start;
}

/* Bytes went out: counts them, and acts on a close frame among them. */
static void took(struct conn *c, size_t n)
{
    metrics_add(c->w->metrics, METRIC_TRANSPORT_SENT_BYTES, 0, n);
    uint32_t before = c->out.count;
    bool closed = outq_consume(&c->out, &c->w->deliveries, n);
    metrics_add(c->w->metrics, METRIC_TRANSPORT_SENT, 0, before - c->out.count);
    if (closed) {
        c->close_sent = true;
        if (c->close_received) {
            ws_doom(c);
        }
    }
}

static void note_blocked(struct conn *c)
{
    if (!ws_can_send(c)) {
        conn_blocked(c);
    }
}

static void finish(struct conn *c, const struct send_job *job)
{
    if (job->result < 0 && job->result != -EAGAIN && job->result != -EINTR) {
        conn_mute(c); /* reset by the peer: nobody is left to be told */
        return;
    }
    size_t sent = job->result > 0 ? (size_t)job->result : 0;
    if (sent < job->len) {
        metrics_add(c->w->metrics, METRIC_SEND_PARTIAL, 0, 1);
        /* The rest goes through libwebsockets, which keeps it and tells us when the socket takes
         * more. */
        if (ws_write(c, (const char *)job->data + sent, job->len - sent) != 0) {
            ws_doom(c);
            return;
        }
        note_blocked(c);
    }
    took(c, job->len);
    if (c->out.count != 0 && c->state != CONN_DEAD) {
        flush_mark(c);
    }
}

static void send_slice(struct worker *w, struct slice *s)
{
    if (s->n == 0) {
        return;
    }
    batch_send(w->batch, s->jobs, s->n);
    metrics_add(w->metrics, METRIC_SEND_BATCHES, 0, 1);
    for (size_t i = 0; i < s->n; i++) {
        finish(s->conns[i], &s->jobs[i]);
    }
    s->n = 0;
    s->run_of = NULL;
    w->gather.n = 0;
}

bool flush_slice(struct worker *w)
{
    struct slice s;
    s.n = 0;
    s.run_of = NULL;
    if (w->gather.cap == 0) {
        buf_reserve(&w->gather, GATHER_BUFFER_BYTES);
    }
    struct list *e;
    while (s.n < BATCH_SEND_MAX && (e = list_shift(&w->dirty)) != NULL) {
        struct conn *c = LIST_ENTRY(e, struct conn, dirty_link);
        if (c->out.count == 0 || c->state == CONN_DEAD || !ws_can_send(c)) {
            continue; /* ws_can_send: the writable callback comes by itself */
        }
        if (!w->conf->pushd.direct_write) {
            ws_request_writable(c);
            continue;
        }
        size_t bytes;
        uint32_t n = count_run(c, &bytes);
        const void *data = gather(&s, c, n, bytes);
        if (data == NULL) {
            list_append(&w->dirty, e);
            break;
        }
        s.jobs[s.n] = (struct send_job){.fd = c->fd, .len = bytes, .data = data};
        s.conns[s.n++] = c;
    }
    send_slice(w, &s);
    return !list_is_empty(&w->dirty);
}

/* pushd.direct_write is off: the library writes, from its own callback, one gathered run at a time.
 * False when the connection ends. */
static bool write_run(struct conn *c)
{
    struct slice s;
    s.run_of = NULL;
    size_t bytes;
    uint32_t n = count_run(c, &bytes);
    const void *data = gather(&s, c, n, bytes);
    if (data == NULL || ws_write(c, data, bytes) != 0) {
        ws_doom(c);
        return false;
    }
    c->w->gather.n = 0;
    note_blocked(c);
    took(c, bytes);
    return c->state != CONN_DEAD;
}

void flush_one(struct conn *c)
{
    if (c->state == CONN_DEAD || c->out.count == 0) {
        return;
    }
    if (c->w->conf->pushd.direct_write) {
        flush_mark(c);
        return;
    }
    while (c->out.count != 0 && ws_can_send(c) && write_run(c)) {
    }
}
