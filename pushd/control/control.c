/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread: takes what the workers send, and owns the parts that serve them. */
#include <stdlib.h>

#include "common/base/clk.h"
#include "common/base/mem.h"
#include "pushd/control/control_private.h"
#include "pushd/control/service.h"

#define ITEMS_PER_TURN 4096 /* of one worker, so that no worker keeps the loop */

/* ---- items of the workers ---- */

static struct bus_op *op_of(struct bus_item *item)
{
    return CONTAINER_OF(item, struct bus_op, item);
}

static void take_subscribe(struct control *c, struct bus_item *item)
{
    broker_subscribe(&c->broker, op_of(item));
}

static void take_unsubscribe(struct control *c, struct bus_item *item)
{
    broker_unsubscribe(&c->broker, op_of(item)->channel, op_of(item)->worker);
    bus_op_free(op_of(item));
}

static void take_settle(struct control *c, struct bus_item *item)
{
    broker_settle(&c->broker, op_of(item));
}

static void take_command(struct control *c, struct bus_item *item)
{
    service_take(c, op_of(item));
}

static void take_key(struct control *c, struct bus_item *item)
{
    keys_take(&c->keys, op_of(item));
}

static void take_user_on(struct control *c, struct bus_item *item)
{
    users_on(&c->users, op_of(item)->info.user);
    bus_op_free(op_of(item));
}

static void take_user_off(struct control *c, struct bus_item *item)
{
    users_off(&c->users, op_of(item)->info.user);
    bus_op_free(op_of(item));
}

static void take_channels(struct control *c, struct bus_item *item)
{
    surveys_part_take(&c->node.surveys, CONTAINER_OF(item, struct bus_channels, item));
}

static void take_only_client(struct control *c, struct bus_item *item)
{
    struct bus_op *op = CONTAINER_OF(item, struct bus_op, item);
    node_disconnect_others(&c->node, op->info.user, op->info.client);
    bus_op_free(op);
}

static void take_stopped(struct control *c, struct bus_item *item)
{
    bus_item_free(item);
    if (c->running > 0) {
        c->running--;
    }
}

static void (*const takers[])(struct control *c, struct bus_item *item) = {
    [BUS_SUBSCRIBE] = take_subscribe,
    [BUS_PUBLISH] = take_command,
    [BUS_HISTORY] = take_command,
    [BUS_PRESENCE_ADD] = take_command,
    [BUS_PRESENCE_REMOVE] = take_command,
    [BUS_PRESENCE_GET] = take_command,
    [BUS_PRESENCE_STATS] = take_command,
    [BUS_SETTLE] = take_settle,
    [BUS_KEY] = take_key,
    [BUS_UNSUBSCRIBE] = take_unsubscribe,
    [BUS_JOIN] = take_command,
    [BUS_LEAVE] = take_command,
    [BUS_USER_ON] = take_user_on,
    [BUS_USER_OFF] = take_user_off,
    [BUS_ONLY_CLIENT] = take_only_client,
    [BUS_CHANNELS] = take_channels,
    [BUS_STOPPED] = take_stopped,
};

/* True when there may be more. */
static bool drain(struct control *c, uint16_t worker)
{
    struct spsc *q = &c->bus->ports[worker].to_control;
    for (int i = 0; i < ITEMS_PER_TURN; i++) {
        struct bus_item *item = spsc_shift(q);
        if (item == NULL) {
            return false;
        }
        takers[item->kind](c, item);
    }
    return true;
}

void control_take_items(struct control *c)
{
    bool more = false;
    service_begin_turn(c);
    for (uint16_t i = 0; i < c->bus->workers; i++) {
        more = drain(c, i) || more;
    }
    if (more) {
        ev_async_send(c->loop, &c->wake);
    }
}

static void on_wake(struct ev_loop *loop, ev_async *w, int events)
{
    (void)loop;
    (void)events;
    control_take_items(w->data);
}

static void finish_stop(struct control *c)
{
    ev_timer_stop(c->loop, &c->patience);
    control_stopped_fn stopped = c->stopped;
    c->stopped = NULL;
    stopped(c->stopped_arg);
}

/* What clients leave behind, such as their presence, is taken back before the end: the commands for
 * it are still on their way when the last worker has stopped. */
static void on_prepare(struct ev_loop *loop, ev_prepare *p, int events)
{
    (void)loop;
    (void)events;
    struct control *c = p->data;
    bus_wake_workers(c->bus);
    if (c->stopped != NULL && c->running == 0 && shards_are_idle(&c->shards)) {
        finish_stop(c);
    }
}

/* ---- control commands ---- */

void control_publish(struct control *c, struct span name, struct span payload)
{
    buf_clear(&c->scratch);
    engine_raw_publish_build(name, payload, &c->scratch);
    if (shards_publish(&c->shards, &c->scratch) == 0) {
        metrics_add(c->metrics, METRIC_MESSAGES_SENT, METRIC_TYPE_CONTROL, 1);
    }
}

/* ---- life ---- */

static void on_commands_up(void *arg)
{
    struct control *c = arg;
    node_say_hello(&c->node);
}

static void on_reported(void *arg)
{
    struct control *c = arg;
    if (c->shards.n > 1) {
        node_say_hello(&c->node); /* it need not wait for this shard, should it be missing */
    }
    if (--c->unreported == 0 && c->ready != NULL) {
        c->ready(c->ready_arg);
    }
}

static void start_watchers(struct control *c)
{
    ev_async_init(&c->wake, on_wake);
    c->wake.data = c;
    ev_async_start(c->loop, &c->wake);
    c->bus->control_loop = c->loop;
    c->bus->control_wake = &c->wake;
    /* Last of all that prepares: what the others queue goes out in the same turn. */
    ev_prepare_init(&c->prepare, on_prepare);
    ev_set_priority(&c->prepare, EV_MINPRI);
    c->prepare.data = c;
    ev_prepare_start(c->loop, &c->prepare);
}

static void open_connections(struct control *c)
{
    struct shards_opts opts = {
        .loop = c->loop,
        .conf = c->conf,
        .metrics = c->metrics,
        .reported = on_reported,
        .up = on_commands_up,
        .arg = c,
    };
    c->unreported = c->shards.n;
    shards_open(&c->shards, &opts);
    broker_open(&c->broker, &(struct broker_opts){
                                .loop = c->loop,
                                .bus = c->bus,
                                .engine = &c->engine,
                                .metrics = c->metrics,
                                .shards = &c->shards,
                                .links = &opts,
                                .timeout_ms = c->conf->pushd.redis_timeout_ms,
                            });
    node_open(&c->node, c, &opts);
}

static void tell_choices(const struct control *c)
{
    if (!span_eq_str(span_str(c->conf->engine.type), "redis")) {
        char line[256];
        struct buf b = {.p = line, .cap = sizeof(line), .max = sizeof(line)};
        buf_addf(&b, "engine.type memory is not available, using Redis at %s",
                 c->shards.items[0].url->display);
        log_warn(LOG_REDIS,
                 b.failed ? "engine.type memory is not available, using Redis" : buf_cstr(&b));
    }
    for (uint32_t i = 0; c->shards.n > 1 && i < c->shards.n; i++) {
        log_info(LOG_REDIS, "channels are spread over several redis",
                 LOG_STR("address", c->shards.items[i].url->display), LOG_NUM("shard", i),
                 LOG_NUM("shards", c->shards.n));
    }
}

struct control *control_new(const struct control_opts *opts, struct err *e)
{
    struct control *c = mem_zalloc(sizeof(*c));
    *c = (struct control){
        .conf = opts->conf,
        .bus = opts->bus,
        .loop = opts->loop,
        .metrics = opts->metrics,
        .ready = opts->ready,
        .ready_arg = opts->arg,
    };
    if (shards_init(&c->shards, opts->conf, e) != 0) {
        free(c);
        return NULL;
    }
    if (opts->key_cache != NULL &&
        keys_open(&c->keys,
                  &(struct keys_opts){opts->loop, opts->bus, opts->key_cache, opts->metrics},
                  e) != 0) {
        shards_fini(&c->shards);
        free(c);
        return NULL;
    }
    engine_init(&c->engine, opts->conf);
    tell_choices(c);
    start_watchers(c);
    open_connections(c);
    return c;
}

static void on_patience_end(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)events;
    struct control *c = t->data;
    log_warn(
        LOG_SERVER,
        c->running != 0
            ? "clients are still there after shutdown.timeout, stopping without waiting for "
              "them"
            : "Redis has not answered within shutdown.timeout, stopping without waiting for it",
        LOG_NUM("workers", c->running));
    finish_stop(c);
}

void control_stop(struct control *c, int64_t timeout_ms, control_stopped_fn done, void *arg)
{
    node_say_goodbye(&c->node);
    c->stopped = done;
    c->stopped_arg = arg;
    c->running = c->bus->workers;
    for (uint16_t i = 0; i < c->bus->workers; i++) {
        struct bus_item *stop = mem_alloc(sizeof(*stop));
        stop->kind = BUS_STOP;
        bus_post_worker(c->bus, i, stop);
    }
    ev_timer_init(&c->patience, on_patience_end, (double)(timeout_ms > 0 ? timeout_ms : 0) / 1000.,
                  0.);
    c->patience.data = c;
    ev_timer_start(c->loop, &c->patience);
}

void control_free(struct control *c)
{
    if (c == NULL) {
        return;
    }
    ev_timer_stop(c->loop, &c->patience);
    shards_close(&c->shards);
    broker_close(&c->broker);
    node_close(&c->node);
    keys_close(&c->keys);
    ev_prepare_stop(c->loop, &c->prepare);
    ev_async_stop(c->loop, &c->wake);
    c->bus->control_wake = NULL;
    users_fini(&c->users);
    shards_fini(&c->shards);
    buf_free(&c->scratch);
    free(c);
}

/* ---- what others ask ---- */

enum control_redis_state control_redis_state(const struct control *c)
{
    return shards_state(&c->shards);
}

uint32_t control_redis_count(const struct control *c)
{
    return c->shards.n;
}

struct control_redis control_redis_at(const struct control *c, uint32_t i)
{
    const struct redis_story *story = &c->shards.items[i].story;
    enum control_redis_state state = redis_story_state(story);
    return (struct control_redis){.address = story->address,
                                  .state = state,
                                  .error = state == CONTROL_REDIS_DOWN ? story->error : "",
                                  .refusal = redis_story_refusal(story)};
}

void control_self(const struct control *c, struct control_node *out)
{
    *out = (struct control_node){
        .uid = span_str(c->node.uid),
        .name = span_str(c->conf->node.name),
        .version = SPAN(PACKAGE_VERSION),
        .num_users = control_user_count(c),
        .num_channels = control_channel_count(c),
        .uptime_s = (uint32_t)((clk_mono_ms() - c->node.started_ms) / 1000),
        .is_self = true,
    };
    for (uint16_t i = 0; i < c->bus->workers; i++) {
        const struct bus_gauges *g = &c->bus->ports[i].gauges;
        out->num_clients += atomic_load_explicit(&g->clients, memory_order_relaxed);
        out->num_subs += atomic_load_explicit(&g->subscriptions, memory_order_relaxed);
    }
}

void control_each_node(struct control *c, control_node_fn fn, void *arg)
{
    struct control_node self;
    control_self(c, &self);
    if (fn(&self, arg)) {
        registry_each(&c->node.registry, fn, arg);
    }
}

uint32_t control_channel_count(const struct control *c)
{
    return broker_channel_count(&c->broker);
}

uint32_t control_user_count(const struct control *c)
{
    return users_count(&c->users);
}
