/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection's client sends: frames, messages, its close. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "pushd/worker/client_cmd.h"
#include "pushd/worker/conn.h"
#include "pushd/worker/ws.h"

/* A frame or message that stays incomplete for this long is cut off. */
#define HALF_FRAME_MS 30000

static void on_peer_close(struct conn *c, uint16_t code)
{
    c->close_received = true;
    if (c->state == CONN_CLOSING) {
        if (c->close_sent) {
            ws_doom(c);
        }
        return;
    }
    if (code == 1005) {
        code = 1000;
    }
    if (conn_is_open(c) && (c->is_busy || c->backlog.n != 0)) {
        /* What the client sent before its close frame counts: a publish must not be lost because
         * an earlier one waits for Redis. */
        c->close_code = code;
        c->close_ms = c->w->now_ms + CONN_CLOSE_WAIT_MS;
        conn_schedule(c);
        return;
    }
    conn_close(c, code, SPAN(""));
}

/* A peer that is gone without waiting for answers is no reason to lose a publish that arrived. */
void conn_mute(struct conn *c)
{
    if (!conn_is_open(c)) {
        ws_doom(c);
        return;
    }
    outq_clear(&c->out, &c->w->deliveries);
    if (!c->is_mute && !c->close_received) {
        c->close_ms = c->w->now_ms + CONN_CLOSE_WAIT_MS;
        conn_schedule(c);
    }
    c->is_mute = true;
}

void conn_cut(struct conn *c)
{
    if (!conn_is_open(c) || c->backlog.n == 0) {
        conn_gone(c);
        return;
    }
    conn_mute(c);
    if (!c->close_received) {
        c->close_received = true;
        c->close_code = PERR_CLOSE_CONNECTION;
    }
}

static void on_transport_error(struct conn *c, const struct ws_event *e)
{
    uint32_t dropped;
    if (log_limit_pass(&c->w->refusals, c->w->now_ms, &dropped)) {
        log_info(LOG_CLIENT, "websocket error", LOG_NUM("code", e->code),
                 LOG_STR("reason", e->detail != NULL
                                       ? e->detail
                                       : "a message longer than websocket.message_size_limit"),
                 LOG_NUM("limit", c->w->conf->websocket.message_size_limit),
                 LOG_TEXT("client", conn_id(c)), LOG_TEXT("user", conn_user(c)),
                 LOG_STR("address", c->address), LOG_NUM("suppressed", dropped));
    }
    c->is_deaf = true;
    conn_close(c, e->code, span_str(e->detail));
}

/* False when it ends the connection. */
static bool take_message(struct conn *c, const struct ws_event *e)
{
    struct span message = e->payload;
    if (!conn_is_open(c)) {
        return true;
    }
    if (e->is_deflated) {
        const struct conf *conf = c->w->conf;
        int64_t max = conf->websocket.decompressed_message_size_limit;
        max = max != 0 ? max : 10 * conf->websocket.message_size_limit;
        struct buf *b = &c->w->inflated;
        buf_clear(b);
        int rc = deflate_expand(c->w->deflate, message, (size_t)max, b);
        if (rc != 0) {
            on_transport_error(
                c, rc == ERR_LIMIT
                       ? &(struct ws_event){.code = WS_CLOSE_TOO_BIG,
                                            .detail = "message too big after decompression"}
                       : &(struct ws_event){.code = WS_CLOSE_BAD_DATA,
                                            .detail = "a compressed message is damaged"});
            return false;
        }
        message = buf_span(b);
    }
    client_cmd_message(c, message);
    return true;
}

static bool on_ws_event(struct conn *c, const struct ws_event *e)
{
    switch (e->kind) {
    case WS_NONE:
        return false;
    case WS_MESSAGE:
        metrics_add(c->w->metrics, METRIC_TRANSPORT_RECEIVED, 0, 1);
        return take_message(c, e);
    case WS_PING:
        if (c->state <= CONN_REFUSED) {
            conn_send_control(c, WS_OP_PONG, e->payload);
        }
        return true;
    case WS_PONG:
        return true;
    case WS_CLOSE:
        on_peer_close(c, e->code);
        return false;
    case WS_ERROR:
        on_transport_error(c, e);
        return false;
    }
    return false;
}

void conn_limit_frame(struct conn *c, bool restart)
{
    /* Only while it is open: close_ms has another meaning afterwards. */
    if (!conn_is_open(c) || c->close_received || c->is_mute) {
        return;
    }
    if (!ws_reader_is_midway(&c->reader) || c->is_paused) {
        c->close_ms = 0;
    } else if (c->close_ms == 0 || restart) {
        c->close_ms = c->w->now_ms + HALF_FRAME_MS;
        conn_schedule(c);
    }
}

static void keep_unread(struct conn *c, const char *bytes, size_t n)
{
    if (c->unread == NULL) {
        c->unread = mem_zalloc(sizeof(*c->unread));
    }
    buf_add(c->unread, bytes, n);
}

static void take(struct conn *c, char *bytes, size_t n)
{
    size_t max = (size_t)c->w->conf->websocket.message_size_limit;
    bool completed = false;
    for (;;) {
        if (c->is_paused && n != 0) {
            keep_unread(c, bytes, n);
            break;
        }
        struct ws_event e = ws_reader_next(&c->reader, &bytes, &n, max);
        completed |= e.kind == WS_MESSAGE;
        if (!on_ws_event(c, &e) || c->state == CONN_DEAD) {
            break;
        }
    }
    conn_limit_frame(c, completed);
}

void conn_received(struct conn *c, char *bytes, size_t n)
{
    metrics_add(c->w->metrics, METRIC_TRANSPORT_RECEIVED_BYTES, 0, n);
    if (c->close_received || c->is_deaf) {
        return;
    }
    if (c->has_ping_frames && conn_is_open(c)) {
        c->pong_ms = 0; /* whatever comes is a sign of life */
    }
    take(c, bytes, n);
}

void conn_take_unread(struct conn *c)
{
    struct buf *b = c->unread;
    c->unread = NULL;
    if (b != NULL) {
        take(c, b->p, b->n);
        buf_free(b);
        free(b);
    }
}

void conn_drop_unread(struct conn *c)
{
    if (c->unread != NULL) {
        buf_free(c->unread);
        free(c->unread);
        c->unread = NULL;
    }
}
