/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread with a redis-server of its own. */
#include "tests/unit/control_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "pushd/msg.h"

struct redis_server server;
struct redis_server second_server;
struct ev_loop *loop;
struct control *control;
bool reported;
bool stopped;
struct got got;
static struct metrics *metrics;
static struct bus bus;
static ev_async wakes[WORKERS];
static ev_timer tick;
static struct conf conf;
static struct chan_opts opts = {
    .history_size = 10, .history_ttl_ms = 300000, .history_meta_ttl_ms = 3600000};

static void on_answer(struct bus_op *op)
{
    struct ask *a = op->context;
    assert_false(a->done);
    a->done = true;
    a->error = op->error;
    a->took_ms = clk_mono_ms() - a->started_ms;
    a->offset = op->item.kind == BUS_PUBLISH ? op->published.position.offset : op->found.top.offset;
    a->found = op->item.kind == BUS_HISTORY ? op->found.publications.n : op->presence.n;
    a->stats = op->stats;
    bus_op_free(op);
}

static void answer_channels(struct bus_channels *q)
{
    struct kv_msg *items = arena_alloc(&q->arena, sizeof(*items));
    struct channel_info *info = arena_alloc(&q->arena, sizeof(*info));
    info->num_clients = q->worker + 1u;
    items[0] = (struct kv_msg){.key = q->worker == 0 ? SPAN("news") : SPAN("open"), .msg = info};
    q->found = (struct vec){.items = items, .n = q->worker < 3 ? 1 : 0};
    bus_post_control(&bus, q->worker, &q->item);
}

static void on_item(uint16_t worker, struct bus_item *item)
{
    switch (item->kind) {
    case BUS_RESUMED:
        got.resumed++;
        bus_item_free(item);
        break;
    case BUS_MESSAGE: {
        struct msg *m = CONTAINER_OF(item, struct msg, item);
        const struct msg_frame *f =
            msg_frame_get(m, (struct msg_form){ENC_JSON, VARIANT_PLAIN, false, false}, NULL);
        assert_non_null(f);
        snprintf(got.last, sizeof(got.last), "%.*s", (int)f->len - 2, f->bytes + 2);
        got.messages[worker]++;
        bus_item_free(item);
        break;
    }
    case BUS_COMMAND:
        got.commands++;
        bus_item_free(item);
        break;
    case BUS_CHANNELS:
        answer_channels(CONTAINER_OF(item, struct bus_channels, item));
        break;
    case BUS_STOP:
        item->kind = BUS_STOPPED;
        bus_post_control(&bus, worker, item);
        break;
    default:
        on_answer(CONTAINER_OF(item, struct bus_op, item));
        break;
    }
}

static void on_wake(struct ev_loop *l, ev_async *w, int events)
{
    (void)l;
    (void)events;
    uint16_t worker = (uint16_t)(w - wakes);
    for (struct bus_item *item; (item = spsc_shift(&bus.ports[worker].to_worker)) != NULL;) {
        on_item(worker, item);
    }
}

static void on_tick(struct ev_loop *l, ev_timer *t, int events)
{
    (void)l;
    (void)t;
    (void)events;
}

static struct bus_op *make(enum bus_kind kind, const char *channel, uint16_t worker, struct ask *a)
{
    struct bus_op *op = bus_op_new(kind, span_str(channel));
    *a = (struct ask){.started_ms = clk_mono_ms()};
    op->worker = worker;
    op->context = a;
    op->opts = &opts;
    op->data = SPAN("{\"n\":1}");
    op->info = (struct client_info){.user = SPAN("u"), .client = SPAN("c")};
    op->history.limit = -1;
    return op;
}

void post(enum bus_kind kind, const char *channel, uint16_t worker, struct ask *a)
{
    bus_post_control(&bus, worker, &make(kind, channel, worker, a)->item);
}

void post_history(const char *channel, uint16_t worker, const struct engine_history *h,
                  struct ask *a)
{
    struct bus_op *op = make(BUS_HISTORY, channel, worker, a);
    op->history = *h;
    bus_post_control(&bus, worker, &op->item);
}

struct ask run(enum bus_kind kind, const char *channel)
{
    struct ask a;
    post(kind, channel, 0, &a);
    RUN_UNTIL(a.done, LONG_MS);
    return a;
}

int subscribe(const char *channel, uint16_t worker)
{
    struct ask a;
    post(BUS_SUBSCRIBE, channel, worker, &a);
    RUN_UNTIL(a.done, LONG_MS);
    return a.error;
}

void unsubscribe(const char *channel, uint16_t worker)
{
    struct ask a;
    post(BUS_UNSUBSCRIBE, channel, worker, &a);
}

static void on_ready(void *arg)
{
    (void)arg;
    assert_false(reported);
    reported = true;
}

void note_stopped(void *arg)
{
    (void)arg;
    stopped = true;
}

static void open_control(int64_t redis_timeout_ms)
{
    static char *addresses[2];
    static char prefix[] = "p";
    static char none[] = "";
    static char type[] = "redis";
    static char name[] = "host_8000";
    addresses[0] = server.socket;
    addresses[1] = second_server.socket;
    conf = (struct conf){
        .engine.type = type,
        .engine.redis = {.prefix = prefix,
                         .address = {addresses, second_server.pid != 0 ? 2 : 1},
                         .user = none,
                         .password = none,
                         .client_name = none,
                         .connect_timeout_ms = redis_timeout_ms,
                         .presence_ttl_ms = 60000},
        .node.name = name,
        .pushd.redis_timeout_ms = redis_timeout_ms,
    };
    memset(&got, 0, sizeof(got));
    reported = false;
    stopped = false;
    bus_init(&bus, WORKERS);
    for (uint16_t i = 0; i < WORKERS; i++) {
        ev_async_init(&wakes[i], on_wake);
        ev_async_start(loop, &wakes[i]);
        bus.ports[i].worker_loop = loop;
        bus.ports[i].worker_wake = &wakes[i];
    }
    struct err e;
    control = control_new(
        &(struct control_opts){
            .conf = &conf, .bus = &bus, .loop = loop, .metrics = metrics, .ready = on_ready},
        &e);
    assert_non_null(control);
}

static void empty(struct redis_server *s)
{
    redis_server_heal(s);
    redisContext *c = redis_server_connect(s);
    freeReplyObject(redisCommand(c, "FLUSHALL"));
    freeReplyObject(redisCommand(c, "SCRIPT FLUSH"));
    redisFree(c);
}

static int open_with_redis(int64_t redis_timeout_ms)
{
    empty(&server);
    if (second_server.pid != 0) {
        empty(&second_server);
    }
    open_control(redis_timeout_ms);
    RUN_UNTIL(control_redis_state(control) == CONTROL_REDIS_READY, LONG_MS);
    assert_true(reported);
    return 0;
}

int control_setup(void **state)
{
    (void)state;
    return open_with_redis(PATIENT_MS);
}

int control_setup_usual(void **state)
{
    (void)state;
    return open_with_redis(USUAL_MS);
}

int control_setup_without_redis(void **state)
{
    (void)state;
    redis_server_kill(&server);
    open_control(USUAL_MS);
    return 0;
}

int control_teardown(void **state)
{
    (void)state;
    control_free(control);
    for (uint16_t i = 0; i < WORKERS; i++) {
        ev_async_stop(loop, &wakes[i]);
    }
    bus_fini(&bus);
    return 0;
}

/* A command from outside, as text. */
long long outside(const char *command)
{
    return outside_at(&server, command);
}

long long outside_at(const struct redis_server *s, const char *command)
{
    redisContext *c = redis_server_connect(s);
    redisReply *r = redisCommand(c, command);
    long long n = r->type == REDIS_REPLY_ARRAY
                      ? (r->elements == 2 ? r->element[1]->integer : (long long)r->elements)
                      : r->integer;
    freeReplyObject(r);
    redisFree(c);
    return n;
}

static void publish_at(const struct redis_server *s, const char *channel, const void *payload,
                       size_t n)
{
    redisContext *c = redis_server_connect(s);
    freeReplyObject(redisCommand(c, "PUBLISH %s %b", channel, payload, n));
    redisFree(c);
}

void publish_outside(const char *channel, const void *payload, size_t n)
{
    publish_at(&server, channel, payload, n);
}

void publish_one(const char *channel)
{
    publish_one_at(&server, channel);
}

void publish_one_at(const struct redis_server *s, const char *channel)
{
    publish_at(s, channel,
               "\x22\x01"
               "1",
               3);
}

unsigned total(void)
{
    unsigned n = 0;
    for (size_t i = 0; i < WORKERS; i++) {
        n += got.messages[i];
    }
    return n;
}

bool control_test_begin(void)
{
    if (!redis_server_start(&server)) {
        fputs("skipped: redis-server is not installed\n", stderr);
        return false;
    }
    loop = ev_loop_new(EVFLAG_AUTO);
    ev_timer_init(&tick, on_tick, 0.005, 0.005);
    ev_timer_start(loop, &tick);
    bystander_start();
    metrics_setup();
    metrics = metrics_new();
    return true;
}

bool control_test_begin_two(void)
{
    return control_test_begin() && redis_server_start(&second_server);
}

void control_test_end(void)
{
    metrics_teardown();
    ev_loop_destroy(loop);
    bystander_end();
    redis_server_stop(&server);
    if (second_server.pid != 0) {
        redis_server_stop(&second_server);
    }
}
