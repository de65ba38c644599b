/* SPDX-License-Identifier: Apache-2.0 */
/* One client connection. */
#include "pushd/worker/conn.h"

#include <stdlib.h>

#include "common/base/clk.h"
#include "common/base/mem.h"
#include "pushd/worker/client_cmd.h"
#include "pushd/worker/flush.h"
#include "pushd/worker/limits.h"
#include "pushd/worker/sub.h"
#include "pushd/worker/ws.h"

#define WS_OP_TEXT   1
#define WS_OP_BINARY 2
#define WS_OP_CLOSE  8
#define WS_OP_PONG   10

static void on_timer(struct timer *t, int64_t now_ms);

struct conn *conn_new(struct worker *w, int fd, const struct upgrade *u, const char *address)
{
    struct conn *c = mem_zalloc(sizeof(*c));
    c->w = w;
    c->fd = fd;
    c->enc = u->encoding;
    c->has_deflate = u->has_deflate;
    c->reader.has_deflate = u->has_deflate;
    list_init(&c->dirty_link);
    list_init(&c->doom_link);
    list_init(&c->user_link);
    list_init(&c->subs);
    list_init(&c->ops);
    list_append(&w->conns, &c->link);
    w->conn_count++;
    atomic_store_explicit(&w->shared->bus->ports[w->index].gauges.connections, w->conn_count,
                          memory_order_relaxed);
    outq_init(&c->out);
    timer_init(&c->timer, on_timer);
    rnd_uuid(c->id);
    c->address = mem_strdup(address);
    c->header_user = u->user.n != 0 ? span_dup(u->user) : NULL;
    c->stale_ms = w->now_ms + w->conf->client.stale_close_delay_ms;
    conn_schedule(c);
    return c;
}

/* ---- what the connection leaves behind ---- */

static void cancel_ops(struct conn *c)
{
    struct list *e;
    while ((e = list_shift(&c->ops)) != NULL) {
        LIST_ENTRY(e, struct bus_op, node)->owner = NULL; /* freed when it comes back */
    }
}

/* Takes the client out of all tables; the transport may live on to tell why. */
static void leave(struct conn *c)
{
    cancel_ops(c);
    cmd_connect_cancel(c);
    client_cmd_drop(c);
    while (!list_is_empty(&c->subs)) {
        sub_end(LIST_ENTRY(c->subs.next, struct sub, link));
    }
    if (c->is_limited) {
        limits_leave_user(c->w->shared->limits, conn_user(c));
        c->is_limited = false;
    }
    if (c->user != NULL) {
        hub_remove_user(&c->w->hub, c);
    }
    if (c->is_counted) {
        c->is_counted = false;
        struct bus_gauges *g = &c->w->shared->bus->ports[c->w->index].gauges;
        atomic_fetch_sub_explicit(&g->clients, 1, memory_order_relaxed);
        metrics_add(c->w->metrics, METRIC_ACTIONS, METRIC_ACTION_REMOVE_CLIENT, 1);
    }
}

void conn_gone(struct conn *c)
{
    struct worker *w = c->w;
    if (c->is_counted && log_is_on(LOG_LEVEL_INFO)) {
        log_info(LOG_CLIENT, "disconnect", LOG_TEXT("client", conn_id(c)),
                 LOG_TEXT("user", conn_user(c)), LOG_STR("reason", "transport closed"));
    }
    leave(c);
    timer_stop(&c->timer);
    list_unlink(&c->dirty_link);
    list_unlink(&c->doom_link);
    list_unlink(&c->link);
    w->conn_count--;
    atomic_store_explicit(&w->shared->bus->ports[w->index].gauges.connections, w->conn_count,
                          memory_order_relaxed);
    outq_clear(&c->out, &w->deliveries);
    ws_reader_fini(&c->reader);
    buf_free(&c->info);
    free(c->address);
    free(c->header_user);
    free(c);
}

/* ---- sending ---- */

void conn_push(struct conn *c, struct delivery *d)
{
    if (c->state > CONN_REFUSED) {
        return;
    }
    if (UNLIKELY(c->out.bytes + d->n > (size_t)c->w->conf->client.queue_max_size) &&
        c->out.count != 0) {
        conn_close_perr(c, &(struct perr_result){PERR_CLOSE_SLOW, "queue.size", NULL});
        return;
    }
    outq_push(&c->out, d);
    flush_mark(c);
}

/* A message of this connection's own, compressed where it pays. Control frames never are. */
static struct delivery *delivery_deflated(struct worker *w, unsigned opcode, struct span payload)
{
    if (opcode > WS_OP_BINARY || !deflate_pays(w->deflate, payload.n)) {
        return delivery_of_bytes(opcode, payload);
    }
    struct buf packed = {0};
    deflate_compress(w->deflate, payload, &packed);
    struct delivery *d = delivery_of_bytes(opcode | FRAME_COMPRESSED, buf_span(&packed));
    buf_free(&packed);
    return d;
}

static void push_bytes(struct conn *c, unsigned opcode, struct span payload, bool is_close)
{
    struct delivery *d = c->has_deflate ? delivery_deflated(c->w, opcode, payload)
                                        : delivery_of_bytes(opcode, payload);
    d->is_close = is_close;
    if (is_close) {
        outq_push(&c->out, d);
        flush_mark(c);
    } else {
        conn_push(c, d);
    }
    delivery_unref(&c->w->deliveries, d);
}

void conn_pong(struct conn *c, struct span payload)
{
    push_bytes(c, WS_OP_PONG, payload, false);
}

void conn_reply(struct conn *c, const struct reply *r)
{
    struct buf *b = &c->w->scratch;
    buf_clear(b);
    if (c->enc == ENC_PROTOBUF) {
        schema_pb_encode(&reply_schema, r, b);
        struct buf whole = {0};
        char length[10];
        size_t n = 0;
        for (size_t v = b->n; n == 0 || v != 0; v >>= 7) {
            length[n++] = (char)((v & 0x7f) | (v >= 0x80 ? 0x80 : 0));
        }
        buf_add(&whole, length, n);
        buf_add(&whole, b->p, b->n);
        push_bytes(c, WS_OP_BINARY, buf_span(&whole), false);
        buf_free(&whole);
    } else if (!schema_payloads_are_json(&reply_schema, r)) {
        conn_close_perr(c,
                        &(struct perr_result){PERR_CLOSE_INAPPROPRIATE_PROTOCOL, "payload.not_json",
                                              "a payload is not JSON; use the protobuf protocol"});
    } else {
        schema_json_encode(&reply_schema, r, b);
        push_bytes(c, WS_OP_TEXT, buf_span(b), false);
    }
}

void conn_send_push(struct conn *c, const struct push *p)
{
    struct push copy = *p;
    conn_reply(c, &(struct reply){.push = &copy});
}

/* ---- ending ---- */

void conn_close(struct conn *c, uint32_t code, struct span reason)
{
    if (c->state >= CONN_CLOSING) {
        return;
    }
    if (c->is_counted) {
        log_info(LOG_CLIENT, "disconnect", LOG_TEXT("client", conn_id(c)),
                 LOG_TEXT("user", conn_user(c)), LOG_NUM("code", code), LOG_TEXT("reason", reason));
    }
    leave(c);
    c->state = CONN_CLOSING;
    c->close_code = (uint16_t)code;
    c->stale_ms = c->ping_ms = c->pong_ms = c->expire_ms = c->tick_ms = 0;
    if (code == PERR_CLOSE_CONNECTION) {
        ws_doom(c);
        return;
    }
    if (code == PERR_CLOSE_SLOW && c->out.sent == 0) {
        outq_clear(&c->out, &c->w->deliveries);
    } else if (code == PERR_CLOSE_SLOW) {
        /* A frame that is half on the wire has to be completed, or the close frame would be read as
         * part of it. */
        while (c->out.count > 1) {
            c->out.count--;
            struct delivery *d = outq_at(&c->out, c->out.count);
            c->out.bytes -= d->n;
            delivery_unref(&c->w->deliveries, d);
        }
    }
    char body[WS_CLOSE_MAX];
    size_t n = ws_close_body((uint16_t)code, reason, body);
    metrics_add(c->w->metrics, METRIC_OUTGOING_CLOSE, metrics_code_index(code), 1);
    push_bytes(c, WS_OP_CLOSE, span_of(body, n), true);
    c->close_ms = c->w->now_ms + CONN_CLOSE_WAIT_MS;
    conn_schedule(c);
}

void conn_close_perr(struct conn *c, const struct perr_result *r)
{
    if (c->state >= CONN_CLOSING) {
        return;
    }
    metrics_add(c->w->metrics, METRIC_SERVER_DISCONNECTS, metrics_code_index(r->code), 1);
    struct buf text = {0};
    perr_explain(r, WS_CLOSE_MAX - 2, &text);
    uint32_t dropped;
    if (log_is_on(LOG_LEVEL_INFO) && r->code != PERR_CLOSE_SHUTDOWN &&
        log_limit_pass(&c->w->refusals, c->w->now_ms, &dropped)) {
        log_info(LOG_CLIENT, "connection refused or closed", LOG_NUM("code", r->code),
                 LOG_STR("reason", r->reason), LOG_TEXT("text", buf_span(&text)),
                 LOG_TEXT("client", conn_id(c)), LOG_TEXT("user", conn_user(c)),
                 LOG_STR("address", c->address), LOG_NUM("suppressed", dropped));
    }
    conn_close(c, r->code, buf_span(&text));
    buf_free(&text);
}

static void fail_command(struct conn *c, unsigned method, uint32_t id, const struct perr_result *r)
{
    const struct perr_row *row = perr_row(r->code);
    struct buf text = {0};
    perr_explain(r, 1024, &text);
    metrics_add(c->w->metrics, METRIC_REPLY_ERRORS,
                method * metrics_code_count() + metrics_code_index(r->code), 1);
    uint32_t dropped;
    if (log_is_on(LOG_LEVEL_INFO) && log_limit_pass(&c->w->refusals, c->w->now_ms, &dropped)) {
        log_info(LOG_CLIENT, "command refused", LOG_STR("method", client_cmd_name(method)),
                 LOG_NUM("code", r->code), LOG_STR("reason", r->reason),
                 LOG_TEXT("text", buf_span(&text)), LOG_TEXT("client", conn_id(c)),
                 LOG_TEXT("user", conn_user(c)), LOG_NUM("suppressed", dropped));
    }
    struct proto_error error = {
        .code = r->code,
        .message = buf_span(&text),
        .temporary = row != NULL && row->temporary,
    };
    conn_reply(c, &(struct reply){.id = id, .error = &error});
    buf_free(&text);
    if (method == METRIC_METHOD_CONNECT && conn_is_open(c)) {
        /* The client has to close; we wait and then drop the transport without a close frame, as
         * the reference does. */
        leave(c);
        c->state = CONN_REFUSED;
        c->stale_ms = 0;
        c->close_ms = c->w->now_ms + CONN_CLOSE_WAIT_MS;
        conn_schedule(c);
    }
}

void conn_fail(struct conn *c, unsigned method, uint32_t id, const struct perr_result *r)
{
    if (perr_is_disconnect(r->code)) {
        conn_close_perr(c, r);
    } else if (conn_is_open(c)) {
        fail_command(c, method, id, r);
    }
}

/* ---- for the transport and the commands ---- */

void conn_writable(struct conn *c)
{
    flush_one(c);
}

void conn_command_done(struct conn *c)
{
    c->is_busy = false;
    client_cmd_resume(c);
    if (c->close_received && !c->is_busy && !c->is_executing) {
        conn_close(c, c->close_code, SPAN(""));
    }
}

/* ---- time ---- */

static void earliest(int64_t *due, int64_t t)
{
    if (t != 0 && (*due == 0 || t < *due)) {
        *due = t;
    }
}

void conn_schedule(struct conn *c)
{
    int64_t due = 0;
    earliest(&due, c->stale_ms);
    earliest(&due, c->ping_ms);
    earliest(&due, c->pong_ms);
    earliest(&due, c->expire_ms);
    earliest(&due, c->tick_ms);
    earliest(&due, c->close_ms);
    if (due == 0) {
        timer_stop(&c->timer);
    } else if (due != c->timer.due_ms) {
        timer_set(&c->w->wheel, &c->timer, due);
    }
}

void conn_set_expiry(struct conn *c, int64_t expire_at)
{
    c->expire_at = expire_at;
    c->expire_ms = 0;
    if (expire_at > 0) {
        c->expire_ms = c->w->now_ms + (expire_at * 1000 - clk_wall_ms()) +
                       c->w->conf->client.expired_close_delay_ms;
    }
    conn_schedule(c);
}

void conn_established(struct conn *c)
{
    const struct conf_client *o = &c->w->conf->client;
    c->state = CONN_READY;
    c->stale_ms = 0;
    c->is_counted = true;
    c->wants_pong = o->ping_interval_ms > 0 && o->pong_timeout_ms > 0;
    atomic_fetch_add_explicit(&c->w->shared->bus->ports[c->w->index].gauges.clients, 1,
                              memory_order_relaxed);
    metrics_add(c->w->metrics, METRIC_ACTIONS, METRIC_ACTION_ADD_CLIENT, 1);
    metrics_add(c->w->metrics, METRIC_CONNECTIONS_ACCEPTED, 0, 1);
    if (o->ping_interval_ms > 0) {
        int64_t half = o->ping_interval_ms / 2;
        c->ping_ms = c->w->now_ms + half + rnd_below((uint32_t)(o->ping_interval_ms - half));
    }
    int64_t tick = o->presence_update_interval_ms;
    c->tick_ms =
        c->w->now_ms + tick - rnd_below((uint32_t)(tick / 10 + 1)); /* spread over the clients */
    conn_schedule(c);
    free(c->header_user);
    c->header_user = NULL;
}

static void send_ping(struct conn *c, int64_t now_ms)
{
    c->ping_ms = now_ms + c->w->conf->client.ping_interval_ms;
    if (c->wants_pong) {
        c->ping_outstanding = true;
        c->pong_ms = now_ms + c->w->conf->client.pong_timeout_ms;
    }
    conn_push(c, c->w->ping[c->enc]); /* last: a full queue closes, and that clears the times */
}

static void tick_subs(struct conn *c, int64_t now_ms)
{
    c->tick_ms = now_ms + c->w->conf->client.presence_update_interval_ms;
    LIST_FOR_EACH_SAFE(e, &c->subs)
    {
        sub_tick(LIST_ENTRY(e, struct sub, link), now_ms);
        if (!conn_is_open(c)) {
            return;
        }
    }
}

static bool is_due(int64_t t, int64_t now_ms)
{
    return t != 0 && t <= now_ms;
}

static void on_timer(struct timer *t, int64_t now_ms)
{
    struct conn *c = CONTAINER_OF(t, struct conn, timer);
    if (is_due(c->close_ms, now_ms)) {
        ws_doom(c); /* the peer did not answer our close, or holds half a frame */
        return;
    }
    if (is_due(c->stale_ms, now_ms)) {
        conn_close_perr(
            c, &(struct perr_result){PERR_CLOSE_STALE, "connect.late",
                                     "no connect command within client.stale_close_delay"});
    } else if (is_due(c->pong_ms, now_ms)) {
        conn_close_perr(c, &(struct perr_result){PERR_CLOSE_NO_PONG, "pong.missing", NULL});
    } else if (is_due(c->expire_ms, now_ms)) {
        conn_close_perr(c, &(struct perr_result){PERR_CLOSE_EXPIRED, "connection.expired", NULL});
    } else {
        if (is_due(c->ping_ms, now_ms)) {
            send_ping(c, now_ms);
        }
        if (is_due(c->tick_ms, now_ms)) {
            tick_subs(c, now_ms);
        }
    }
    conn_schedule(c);
}

/* ---- requests to control ---- */

void conn_submit(struct conn *c, struct bus_op *op, void (*done)(struct bus_op *op), void *context)
{
    op->worker = c->w->index;
    op->owner = c;
    op->done = done;
    op->context = context;
    list_append(&c->ops, &op->node);
    bus_post_control(c->w->shared->bus, c->w->index, &op->item);
}
