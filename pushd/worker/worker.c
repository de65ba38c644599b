/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's thread: its loop, its inbox, its turns. */
#include "pushd/worker/worker.h"

#include <stdlib.h>

#include "common/base/clk.h"
#include "common/base/mem.h"
#include "pushd/worker/accept.h"
#include "pushd/worker/command.h"
#include "pushd/worker/conn.h"
#include "pushd/worker/flush.h"
#include "pushd/worker/ws.h"

/* Items of the bus handled in one turn; more wait for the next, so that sockets are not starved. */
#define INBOX_MAX             4096
#define FRAME_OVERHEAD        64 /* of a push beside its data and its channel, about */
#define REFUSAL_LOG_BURST     50
#define REFUSAL_LOG_PERIOD_MS 1000
#define LATE_LOG_PERIOD_MS    10000

static struct bus_port *port(const struct worker *w)
{
    return &w->shared->bus->ports[w->index];
}

/* ---- the inbox ---- */

static void on_answer(struct bus_op *op)
{
    if (op->owner != NULL) {
        list_unlink(&op->node);
        op->done(op);
    }
    bus_op_free(op);
}

static void begin_stop(struct worker *w)
{
    if (w->is_stopping) {
        /* Asked a second time: nobody waits for the clients any more. */
        LIST_FOR_EACH_SAFE(e, &w->conns)
        {
            ws_doom(LIST_ENTRY(e, struct conn, link));
        }
        return;
    }
    w->is_stopping = true;
    acceptor_stop(w->acceptor);
    LIST_FOR_EACH_SAFE(e, &w->conns)
    {
        conn_close_perr(LIST_ENTRY(e, struct conn, link),
                        &(struct perr_result){PERR_CLOSE_SHUTDOWN, "shutdown", NULL});
    }
}

static void on_message(struct worker *w, struct msg *m)
{
    uint32_t suppressed;
    hub_dispatch(&w->hub, m);
    pace_took(&w->pace, m->body.n + m->channel.n + FRAME_OVERHEAD, m->posted_ms, w->now_ms);
    if (UNLIKELY(pace_is_late(&w->pace)) && log_limit_pass(&w->lateness, w->now_ms, &suppressed)) {
        log_warn(LOG_SERVER,
                 "a worker has more to send than it can: clients get messages late, and become "
                 "slow; more workers or nodes share the load",
                 LOG_NUM("worker", w->index), LOG_NUM("late_ms", w->pace.late_ms),
                 LOG_TEXT("channel", m->channel));
    }
    msg_unref(m);
}

static void on_item(struct worker *w, struct bus_item *item)
{
    switch (item->kind) {
    case BUS_MESSAGE:
        on_message(w, CONTAINER_OF(item, struct msg, item));
        break;
    case BUS_COMMAND: {
        struct bus_command *b = CONTAINER_OF(item, struct bus_command, item);
        command_apply(w, b->command);
        arena_fini(&b->arena);
        free(b);
        break;
    }
    case BUS_CHANNELS:
        command_channels(w, CONTAINER_OF(item, struct bus_channels, item));
        bus_post_control(w->shared->bus, w->index, item);
        break;
    case BUS_RESUMED: {
        struct bus_op *op = CONTAINER_OF(item, struct bus_op, item);
        hub_resumed(&w->hub, op->channel);
        bus_op_free(op);
        break;
    }
    case BUS_STOP:
        free(item);
        begin_stop(w);
        break;
    default:
        on_answer(CONTAINER_OF(item, struct bus_op, item));
        break;
    }
}

static void on_wake(struct ev_loop *loop, ev_async *a, int events)
{
    (void)events;
    struct worker *w = a->data;
    struct bus_item *item;
    bool is_empty = false;
    for (int i = 0; i < INBOX_MAX && (!pace_must_send(&w->pace) || list_is_empty(&w->dirty)); i++) {
        item = spsc_shift(&port(w)->to_worker);
        if (item == NULL) {
            is_empty = true;
            pace_caught_up(&w->pace);
            break;
        }
        on_item(w, item);
    }
    atomic_store_explicit(&port(w)->gauges.late_ms, w->pace.late_ms, memory_order_relaxed);
    if (!is_empty) {
        ev_async_send(loop, a);
    }
}

/* ---- turns of the loop ---- */

static void now_is(struct worker *w)
{
    w->now_ms = clk_mono_ms();
    atomic_store_explicit(&port(w)->gauges.heartbeat_ms, w->now_ms, memory_order_relaxed);
}

static void on_check(struct ev_loop *loop, ev_check *check, int events)
{
    (void)loop;
    (void)events;
    now_is(check->data);
}

static void finish_stop(struct worker *w)
{
    struct bus_item *item = mem_zalloc(sizeof(*item));
    item->kind = BUS_STOPPED;
    bus_post_control(w->shared->bus, w->index, item);
    ev_break(w->loop, EVBREAK_ALL);
}

/* Before the loop waits: everything that this turn produced goes out, and what died is freed. */
static void on_prepare(struct ev_loop *loop, ev_prepare *p, int events)
{
    (void)events;
    struct worker *w = p->data;
    bool more = flush_slice(w);
    if (!more) {
        pace_sent(&w->pace);
    }
    ws_reap(w);
    if (more && !ev_is_active(&w->idle)) {
        ev_idle_start(loop, &w->idle); /* do not sleep: the next slice follows at once */
    } else if (!more && ev_is_active(&w->idle)) {
        ev_idle_stop(loop, &w->idle);
    }
    if (w->is_stopping && w->conn_count == 0) {
        finish_stop(w);
    }
}

static void on_idle(struct ev_loop *loop, ev_idle *idle, int events)
{
    (void)loop;
    (void)idle;
    (void)events;
}

static void on_tick(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)events;
    struct worker *w = t->data;
    wheel_run(&w->wheel, w->now_ms);
}

/* ---- life ---- */

static void start_watchers(struct worker *w)
{
    ev_async_init(&w->wake, on_wake);
    w->wake.data = w;
    ev_async_start(w->loop, &w->wake);
    ev_prepare_init(&w->prepare, on_prepare);
    w->prepare.data = w;
    ev_prepare_start(w->loop, &w->prepare);
    ev_check_init(&w->check, on_check);
    ev_set_priority(&w->check, EV_MAXPRI);
    w->check.data = w;
    ev_check_start(w->loop, &w->check);
    ev_idle_init(&w->idle, on_idle);
    ev_timer_init(&w->tick, on_tick, WHEEL_TICK_MS / 1000.0, WHEEL_TICK_MS / 1000.0);
    w->tick.data = w;
    ev_timer_start(w->loop, &w->tick);
    port(w)->worker_loop = w->loop;
    port(w)->worker_wake = &w->wake;
}

struct worker *worker_new(const struct worker_opts *opts, struct err *e)
{
    struct worker *w = mem_zalloc(sizeof(*w));
    w->shared = opts->shared;
    w->conf = opts->shared->conf;
    w->index = opts->index;
    list_init(&w->dirty);
    list_init(&w->doomed);
    list_init(&w->conns);
    hub_init(&w->hub, w);
    w->refusals =
        (struct log_limit){.period_ms = REFUSAL_LOG_PERIOD_MS, .burst = REFUSAL_LOG_BURST};
    w->lateness = (struct log_limit){.period_ms = LATE_LOG_PERIOD_MS, .burst = 1};
    pace_init(&w->pace, (size_t)w->conf->client.queue_max_size);
    w->metrics = metrics_new();
    w->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (w->loop == NULL) {
        err_set(e, ERR_UNAVAILABLE, "libev cannot make an event loop");
        worker_free(w);
        return NULL;
    }
    now_is(w);
    wheel_init(&w->wheel, w->now_ms);
    start_watchers(w);
    const struct conf *conf = w->conf;
    if (conf->websocket.compression) {
        w->deflate = deflate_new((int)conf->websocket.compression_level,
                                 (size_t)conf->websocket.compression_min_size);
    }
    w->ws = ws_new(w, e);
    if (w->ws == NULL) {
        worker_free(w);
        return NULL;
    }
    w->acceptor = acceptor_new(w, opts->listen_fds, opts->listen_count);
    return w;
}

void worker_run(struct worker *w)
{
    struct err e;
    w->batch = batch_send_new(w->conf->pushd.batch_send, &e);
    if (w->batch == NULL) {
        log_warn(LOG_SERVER,
                 "pushd.batch_send is io_uring but it cannot be used, sending with send()",
                 LOG_STR("error", e.text));
        w->batch = batch_send_new(BATCH_SEND_SEND, NULL);
    }
    ev_run(w->loop, 0);
    batch_send_free(w->batch);
    w->batch = NULL;
}

/* Answers that arrived after the end, and messages that nobody is left for. */
static void drain(struct worker *w)
{
    struct bus_item *item;
    while ((item = spsc_shift(&port(w)->to_worker)) != NULL) {
        bus_item_free(item);
    }
}

void worker_free(struct worker *w)
{
    if (w == NULL) {
        return;
    }
    drain(w);
    acceptor_free(w->acceptor);
    ws_free(w->ws);
    hub_fini(&w->hub);
    for (size_t i = 0; i < WORKER_PING_COUNT; i++) {
        if (w->ping[i] != NULL) {
            delivery_unref(&w->deliveries, w->ping[i]);
        }
    }
    delivery_pool_fini(&w->deliveries);
    arena_fini(&w->arena);
    buf_free(&w->scratch);
    buf_free(&w->gather);
    buf_free(&w->inflated);
    deflate_free(w->deflate);
    if (w->loop != NULL) {
        ev_loop_destroy(w->loop);
    }
    free(w);
}

struct delivery *worker_ping(struct worker *w, enum worker_ping kind)
{
    /* Never compressed: that would make it longer. */
    static const struct {
        unsigned opcode;
        struct span payload;
    } pings[WORKER_PING_COUNT] = {
        [WORKER_PING_JSON] = {WS_OP_TEXT, {"{}", 2}},
        [WORKER_PING_PROTOBUF] = {WS_OP_BINARY, {"\0", 1}},
        [WORKER_PING_FRAME] = {WS_OP_PING, {"", 0}},
    };
    struct delivery **slot = &w->ping[kind];
    /* A ping of an earlier turn may still wait somewhere, and it has its time in it. */
    if (*slot != NULL && (*slot)->made_ms != w->now_ms) {
        delivery_unref(&w->deliveries, *slot);
        *slot = NULL;
    }
    if (*slot == NULL) {
        *slot = delivery_of_bytes(pings[kind].opcode, pings[kind].payload, w->now_ms);
    }
    return *slot;
}
