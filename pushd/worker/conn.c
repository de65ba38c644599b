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

/* A ping by frame waits this long for an answer where no pong_timeout is set (client protocol 1.6).
 */
#define PONG_FRAME_MS 10000

static void on_timer(struct timer *t, int64_t now_ms);

struct conn *conn_new(struct worker *w, int fd, const struct upgrade *u, const char *address)
{
    struct conn *c = mem_zalloc(sizeof(*c));
    c->w = w;
    c->fd = fd;
    c->enc = u->encoding;
    c->has_deflate = u->has_deflate;
    c->reader.has_deflate = u->has_deflate;
    c->has_ping_frames = u->has_ping_frames;
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
    if (c->has_ping_frames && w->conf->client.ping_interval_ms > 0) {
        c->ping_ms = w->now_ms + w->conf->client.ping_interval_ms;
    }
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
    conn_drop_unread(c);
    buf_free(&c->info);
    free(c->address);
    free(c->header_user);
    free(c);
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
    c->stale_ms = c->ping_ms = c->pong_ms = c->expire_ms = c->tick_ms = c->write_ms = 0;
    if (code == PERR_CLOSE_CONNECTION || c->is_mute) {
        ws_doom(c);
        return;
    }
    if (code == PERR_CLOSE_SLOW || code == PERR_CLOSE_WRITE) {
        outq_drop(&c->out, &c->w->deliveries);
    }
    char body[WS_CLOSE_MAX];
    size_t n = ws_close_body((uint16_t)code, reason, body);
    metrics_add(c->w->metrics, METRIC_OUTGOING_CLOSE, metrics_code_index(code), 1);
    conn_send_control(c, WS_OP_CLOSE, span_of(body, n));
    c->close_ms = c->w->now_ms + CONN_CLOSE_WAIT_MS;
    conn_schedule(c);
    conn_take_unread(c); /* the peer's close frame may be there already */
}

/* Counts what was refused, and writes a line, with the channel when it is about one; not too often.
 */
static void note_refusal(struct conn *c, const char *msg, const char *method, struct span channel,
                         const struct perr_result *r, struct span text)
{
    uint32_t dropped;
    metrics_refused(c->w->metrics, r->reason);
    if (!log_is_on(LOG_LEVEL_INFO) || !log_limit_pass(&c->w->refusals, c->w->now_ms, &dropped)) {
        return;
    }
    struct log_kv kv[10];
    size_t n = 0;
    if (method != NULL) {
        kv[n++] = LOG_STR("method", method);
    }
    kv[n++] = LOG_NUM("code", r->code);
    kv[n++] = LOG_STR("reason", r->reason);
    kv[n++] = LOG_TEXT("text", text);
    if (channel.n != 0) {
        kv[n++] = LOG_TEXT("channel", channel);
    }
    kv[n++] = LOG_TEXT("client", conn_id(c));
    kv[n++] = LOG_TEXT("user", conn_user(c));
    kv[n++] = LOG_STR("address", c->address);
    kv[n++] = LOG_NUM("suppressed", dropped);
    kv[n] = (struct log_kv){0};
    log_write(LOG_LEVEL_INFO, LOG_CLIENT, msg, kv);
}

void conn_close_about(struct conn *c, struct span channel, const struct perr_result *r)
{
    if (c->state >= CONN_CLOSING) {
        return;
    }
    metrics_add(c->w->metrics, METRIC_SERVER_DISCONNECTS, metrics_code_index(r->code), 1);
    struct buf text = {0};
    perr_explain(r, WS_CLOSE_MAX - 2, &text);
    if (r->code != PERR_CLOSE_SHUTDOWN) {
        note_refusal(c, "connection refused or closed", NULL, channel, r, buf_span(&text));
    }
    conn_close(c, r->code, buf_span(&text));
    buf_free(&text);
}

void conn_close_perr(struct conn *c, const struct perr_result *r)
{
    conn_close_about(c, SPAN(""), r);
}

static void fail_command(struct conn *c, struct span channel, unsigned method, uint32_t id,
                         const struct perr_result *r)
{
    const struct perr_row *row = perr_row(r->code);
    struct buf text = {0};
    perr_explain(r, 1024, &text);
    metrics_add(c->w->metrics, METRIC_REPLY_ERRORS,
                method * metrics_code_count() + metrics_code_index(r->code), 1);
    note_refusal(c, "command refused", client_cmd_name(method), channel, r, buf_span(&text));
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

void conn_fail_about(struct conn *c, struct span channel, unsigned method, uint32_t id,
                     const struct perr_result *r)
{
    if (perr_is_disconnect(r->code)) {
        conn_close_about(c, channel, r);
    } else if (conn_is_open(c)) {
        fail_command(c, channel, method, id, r);
    }
}

void conn_fail(struct conn *c, unsigned method, uint32_t id, const struct perr_result *r)
{
    conn_fail_about(c, SPAN(""), method, id, r);
}

/* ---- for the transport and the commands ---- */

void conn_writable(struct conn *c)
{
    if (ws_can_send(c)) {
        c->write_ms = 0;
    }
    flush_one(c);
}

void conn_blocked(struct conn *c)
{
    int64_t timeout = c->w->conf->websocket.write_timeout_ms;
    if (timeout > 0 && c->state <= CONN_REFUSED) {
        c->write_ms = c->w->now_ms + timeout;
        conn_schedule(c);
    }
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
    earliest(&due, c->write_ms);
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
    c->wants_pong = !c->has_ping_frames && o->ping_interval_ms > 0 && o->pong_timeout_ms > 0;
    atomic_fetch_add_explicit(&c->w->shared->bus->ports[c->w->index].gauges.clients, 1,
                              memory_order_relaxed);
    metrics_add(c->w->metrics, METRIC_ACTIONS, METRIC_ACTION_ADD_CLIENT, 1);
    metrics_add(c->w->metrics, METRIC_CONNECTIONS_ACCEPTED, 0, 1);
    if (o->ping_interval_ms > 0 && !c->has_ping_frames) {
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
    const struct conf_client *o = &c->w->conf->client;
    c->ping_ms = now_ms + o->ping_interval_ms;
    if (c->has_ping_frames) {
        c->pong_ms = now_ms + (o->pong_timeout_ms > 0 ? o->pong_timeout_ms : PONG_FRAME_MS);
    } else {
        c->ping_outstanding = true; /* a pong is welcome where none is waited for, too */
        c->pong_ms = c->wants_pong ? now_ms + o->pong_timeout_ms : 0;
    }
    /* Last: a full queue closes, and that clears the times. */
    conn_push(c,
              worker_ping(c->w, c->has_ping_frames ? WORKER_PING_FRAME : (enum worker_ping)c->enc));
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
    } else if (is_due(c->write_ms, now_ms)) {
        conn_close_slow(c, METRIC_SLOW_WRITE_TIMEOUT);
    } else if (is_due(c->pong_ms, now_ms)) {
        /* Clients of ping frames expect no more than the end of TCP. */
        uint32_t code = c->has_ping_frames ? PERR_CLOSE_CONNECTION : PERR_CLOSE_NO_PONG;
        conn_close_perr(c, &(struct perr_result){code, "pong.missing", NULL});
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
