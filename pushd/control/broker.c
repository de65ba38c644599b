/* SPDX-License-Identifier: Apache-2.0 */
/* Which workers want which channels, and the way of a message to them. */
#include "pushd/control/broker.h"

#include <stdlib.h>

#include "common/base/clk.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "pushd/control/worker_set.h"
#include "pushd/msg.h"

#define IDLE_MS 1000 /* a channel is kept this long after its last subscriber */
#define IN_FLIGHT_MAX \
    4096 /* names sent without a confirmation: bounds the buffers of a resubscription */
#define SWEEP_S 0.25

enum channel_state {
    CHANNEL_WANTED,  /* in `urgent` or `bulk` */
    CHANNEL_SENT,    /* SUBSCRIBE is out */
    CHANNEL_ON,      /* confirmed */
    CHANNEL_LEAVING, /* UNSUBSCRIBE is out */
};

struct channel {
    struct htab_node node; /* key: name below */
    enum channel_state state;
    struct list queue; /* in urgent or bulk */
    struct list idle;
    int64_t idle_ms;
    struct list waiters; /* of struct waiter */
    uint32_t users;      /* workers in the set */
    uint32_t id;         /* stands for the name in compact pushes, unique in this node, not 0 */
    uint32_t name_len;
    uint64_t workers[]; /* a set; the name follows */
};

/* A worker's request that waits for Redis. */
struct waiter {
    struct list of_channel;
    struct list of_broker;
    struct bus_op *op;
    int64_t deadline_ms;
};

uint32_t broker_shard_of(const struct broker *b, struct span channel)
{
    (void)b;
    return engine_shard_of(channel, 1);
}

uint32_t broker_channel_count(const struct broker *b)
{
    return b->used;
}

/* ---- the table ---- */

static struct channel *find(const struct broker *b, struct span name, uint64_t hash)
{
    struct htab_node *n = htab_find(&b->channels, name, hash);
    return n != NULL ? CONTAINER_OF(n, struct channel, node) : NULL;
}

static struct channel *add(struct broker *b, struct span name, uint64_t hash)
{
    size_t set = b->words * sizeof(uint64_t);
    struct channel *c = mem_zalloc(sizeof(*c) + set + name.n);
    char *text = (char *)c->workers + set;
    if (name.n != 0) {
        memcpy(text, name.p, name.n);
    }
    c->name_len = (uint32_t)name.n;
    c->id = ++b->last_id != 0 ? b->last_id : ++b->last_id;
    c->state = CHANNEL_WANTED;
    list_init(&c->queue);
    list_init(&c->idle);
    list_init(&c->waiters);
    htab_add(&b->channels, &c->node, span_of(text, name.n), hash);
    return c;
}

static void drop(struct broker *b, struct channel *c)
{
    list_unlink(&c->queue);
    list_unlink(&c->idle);
    htab_remove(&b->channels, &c->node);
    free(c);
}

static void set_worker(struct broker *b, struct channel *c, uint16_t worker)
{
    if (!worker_set_has(c->workers, worker)) {
        worker_set_add(c->workers, worker);
        b->used += c->users++ == 0;
    }
    list_unlink(&c->idle);
}

static void clear_worker(struct broker *b, struct channel *c, uint16_t worker)
{
    if (worker_set_has(c->workers, worker)) {
        worker_set_remove(c->workers, worker);
        b->used -= --c->users == 0;
    }
}

static bool is_unused(const struct channel *c)
{
    return c->users == 0 && list_is_empty(&c->waiters);
}

static void note_idle(struct broker *b, struct channel *c)
{
    if (is_unused(c) && list_is_empty(&c->idle)) {
        c->idle_ms = clk_mono_ms();
        list_append(&b->idle, &c->idle);
    }
}

/* ---- requests that wait ---- */

static void answer(struct broker *b, struct bus_op *op, int error)
{
    op->error = error;
    bus_post_worker(b->o.bus, op->worker, &op->item);
}

static void set_deadline(struct broker *b)
{
    ev_timer_stop(b->o.loop, &b->deadline);
    if (!list_is_empty(&b->waiters)) {
        int64_t in_ms =
            LIST_ENTRY(b->waiters.next, struct waiter, of_broker)->deadline_ms - clk_mono_ms();
        ev_timer_set(&b->deadline, (double)(in_ms > 0 ? in_ms : 0) / 1000., 0.);
        ev_timer_start(b->o.loop, &b->deadline);
    }
}

static void finish_waiter(struct broker *b, struct waiter *w, int error)
{
    list_unlink(&w->of_channel);
    list_unlink(&w->of_broker);
    answer(b, w->op, error);
    free(w);
}

static void wait_for(struct broker *b, struct channel *c, struct bus_op *op)
{
    struct waiter *w = mem_alloc(sizeof(*w));
    *w = (struct waiter){.op = op, .deadline_ms = clk_mono_ms() + b->o.timeout_ms};
    bool first = list_is_empty(&b->waiters);
    list_append(&c->waiters, &w->of_channel);
    list_append(&b->waiters, &w->of_broker);
    list_unlink(&c->idle);
    if (first) {
        set_deadline(b);
    }
}

static struct channel *channel_of(const struct broker *b, const struct waiter *w)
{
    return find(b, w->op->channel, hash_span(w->op->channel));
}

static void on_deadline(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)events;
    struct broker *b = t->data;
    int64_t now_ms = clk_mono_ms();
    LIST_FOR_EACH_SAFE(e, &b->waiters)
    {
        struct waiter *w = LIST_ENTRY(e, struct waiter, of_broker);
        if (w->deadline_ms > now_ms) {
            break;
        }
        struct channel *c = channel_of(b, w);
        finish_waiter(b, w, ERR_TIMEOUT);
        note_idle(b, c);
    }
    set_deadline(b);
}

void broker_subscribe(struct broker *b, struct bus_op *op)
{
    uint64_t hash = hash_span(op->channel);
    struct channel *c = find(b, op->channel, hash);
    bool is_up = redis_sub_is_ready(&b->sub);
    /* Without PUB/SUB a channel that the node has already is as good for one more worker as for the
     * others. */
    if (c != NULL && (c->state == CHANNEL_ON || (!is_up && c->users != 0))) {
        set_worker(b, c, op->worker);
        op->channel_id = c->id;
        answer(b, op, 0);
        return;
    }
    if (!is_up) {
        answer(b, op, ERR_UNAVAILABLE);
        return;
    }
    if (c == NULL) {
        c = add(b, op->channel, hash);
    }
    if (c->state == CHANNEL_WANTED) {
        list_unlink(&c->queue);
        list_append(&b->urgent, &c->queue);
    }
    wait_for(b, c, op); /* LEAVING: it is subscribed again when Redis has confirmed that it left */
}

void broker_unsubscribe(struct broker *b, struct span channel, uint16_t worker)
{
    struct channel *c = find(b, channel, hash_span(channel));
    if (c == NULL) {
        return;
    }
    LIST_FOR_EACH_SAFE(e, &c->waiters)
    {
        struct waiter *w = LIST_ENTRY(e, struct waiter, of_channel);
        if (w->op->worker == worker) {
            finish_waiter(b, w, ERR_CANCELED);
        }
    }
    clear_worker(b, c, worker);
    note_idle(b, c);
}

/* ---- what goes to Redis ---- */

static void add_name(struct redis_names *k, const struct broker *b, const struct channel *c)
{
    engine_channel_name(b->o.engine, c->node.key, redis_names_begin(k));
    redis_names_end(k);
}

static struct list *next_wanted(struct broker *b)
{
    struct list *e = list_shift(&b->urgent);
    return e != NULL ? e : list_shift(&b->bulk);
}

/* Once a turn of the loop, so that all that workers asked for meanwhile shares a command. */
static void subscribe_wanted(struct broker *b)
{
    struct redis_names k = {0};
    while (b->in_flight < IN_FLIGHT_MAX) {
        struct list *e = next_wanted(b);
        if (e == NULL) {
            break;
        }
        struct channel *c = LIST_ENTRY(e, struct channel, queue);
        if (is_unused(c)) {
            drop(b, c); /* nobody waits any more, and Redis never knew it */
            continue;
        }
        c->state = CHANNEL_SENT;
        b->in_flight++;
        add_name(&k, b, c);
        metrics_add(b->o.metrics, METRIC_ACTIONS, METRIC_ACTION_BROKER_SUBSCRIBE, 1);
        if (redis_names_is_full(&k)) {
            redis_sub_subscribe(&b->sub, &k);
        }
    }
    redis_sub_subscribe(&b->sub, &k);
    buf_free(&k.text);
}

static void on_flush(struct ev_loop *loop, ev_prepare *p, int events)
{
    (void)loop;
    (void)events;
    struct broker *b = p->data;
    if (redis_sub_is_ready(&b->sub) && (!list_is_empty(&b->urgent) || !list_is_empty(&b->bulk))) {
        subscribe_wanted(b);
    }
}

static void on_sweep(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)events;
    struct broker *b = t->data;
    struct redis_names k = {0};
    int64_t now_ms = clk_mono_ms();
    LIST_FOR_EACH_SAFE(e, &b->idle)
    {
        struct channel *c = LIST_ENTRY(e, struct channel, idle);
        if (now_ms - c->idle_ms < IDLE_MS) {
            break;
        }
        list_unlink(&c->idle);
        if (c->state == CHANNEL_WANTED) {
            drop(b, c);
        } else if (c->state == CHANNEL_ON) {
            c->state = CHANNEL_LEAVING;
            add_name(&k, b, c);
            metrics_add(b->o.metrics, METRIC_ACTIONS, METRIC_ACTION_BROKER_UNSUBSCRIBE, 1);
        }
        if (redis_names_is_full(&k)) {
            redis_sub_unsubscribe(&b->sub, &k);
        }
    }
    redis_sub_unsubscribe(&b->sub, &k);
    buf_free(&k.text);
}

/* ---- what comes from Redis ---- */

static struct channel *named(const struct broker *b, struct span name)
{
    struct span channel;
    return engine_channel_of(b->o.engine, name, &channel) ? find(b, channel, hash_span(channel))
                                                          : NULL;
}

/* Workers that had the channel before an outage have to look whether they missed something. */
static void tell_resumed(struct broker *b, const struct channel *c)
{
    WORKER_SET_EACH(w, c->workers, b->words)
    {
        struct bus_op *op = bus_op_new(BUS_RESUMED, c->node.key);
        op->worker = (uint16_t)w;
        bus_post_worker(b->o.bus, op->worker, &op->item);
    }
}

static void on_subscribed(void *owner, struct span name)
{
    struct broker *b = owner;
    struct channel *c = named(b, name);
    if (c == NULL || c->state != CHANNEL_SENT) {
        return;
    }
    c->state = CHANNEL_ON;
    b->in_flight--;
    tell_resumed(b, c);
    LIST_FOR_EACH_SAFE(e, &c->waiters)
    {
        struct waiter *w = LIST_ENTRY(e, struct waiter, of_channel);
        set_worker(b, c, w->op->worker);
        w->op->channel_id = c->id;
        finish_waiter(b, w, 0);
    }
    note_idle(b, c);
}

static void on_unsubscribed(void *owner, struct span name)
{
    struct broker *b = owner;
    struct channel *c = named(b, name);
    if (c == NULL || c->state != CHANNEL_LEAVING) {
        return;
    }
    if (is_unused(c)) {
        drop(b, c);
        return;
    }
    c->state = CHANNEL_WANTED;
    list_append(&b->urgent, &c->queue);
}

static void on_up(void *owner)
{
    (void)owner; /* the channels are in `bulk`, the end of this turn sends them */
}

struct lost {
    struct broker *b;
    struct list unused;
};

static bool channel_lost(struct htab_node *n, void *arg)
{
    struct lost *l = arg;
    struct channel *c = CONTAINER_OF(n, struct channel, node);
    LIST_FOR_EACH_SAFE(e, &c->waiters)
    {
        finish_waiter(l->b, LIST_ENTRY(e, struct waiter, of_channel), ERR_UNAVAILABLE);
    }
    c->state = CHANNEL_WANTED;
    list_unlink(&c->queue);
    list_append(c->users != 0 ? &l->b->bulk : &l->unused, &c->queue);
    return true;
}

static void on_down(void *owner)
{
    struct broker *b = owner;
    struct lost l = {.b = b};
    list_init(&l.unused);
    htab_each(&b->channels, channel_lost, &l);
    LIST_FOR_EACH_SAFE(e, &l.unused)
    {
        drop(b, LIST_ENTRY(e, struct channel, queue));
    }
    b->in_flight = 0;
}

static void post(struct broker *b, const struct channel *c, struct msg *m)
{
    atomic_fetch_add_explicit(&m->refs, c->users, memory_order_relaxed);
    WORKER_SET_EACH(w, c->workers, b->words)
    {
        bus_post_worker(b->o.bus, (uint16_t)w, &m->item);
    }
}

static void tell_malformed(struct broker *b, struct span channel)
{
    uint32_t suppressed;
    metrics_add(b->o.metrics, METRIC_REDIS_PUBSUB_ERRORS, 0, 1);
    if (log_limit_pass(&b->malformed, clk_mono_ms(), &suppressed)) {
        log_warn(LOG_REDIS, "dropped a message from Redis that is no publication, join or leave",
                 LOG_TEXT("channel", channel), LOG_NUM("suppressed", suppressed));
    }
}

static void on_message(void *owner, struct span name, struct span payload)
{
    static const unsigned types[] = {
        [MESSAGE_PUBLICATION] = METRIC_TYPE_PUBLICATION,
        [MESSAGE_JOIN] = METRIC_TYPE_JOIN,
        [MESSAGE_LEAVE] = METRIC_TYPE_LEAVE,
    };
    struct broker *b = owner;
    struct channel *c = named(b, name);
    struct engine_message parsed;
    if (c == NULL) {
        return; /* a probe on the service channel */
    }
    if (c->users == 0) {
        return;
    }
    struct msg *m = engine_message_parse(payload, &parsed) == 0
                        ? msg_new_hashed(c->node.key, c->node.hash, &parsed)
                        : NULL;
    if (m == NULL) {
        tell_malformed(b, c->node.key);
        return;
    }
    m->channel_id = c->id;
    metrics_add(b->o.metrics, METRIC_MESSAGES_RECEIVED, types[parsed.kind], 1);
    post(b, c, m);
    msg_unref(m);
}

static const struct redis_sub_ops ops = {
    .up = on_up,
    .down = on_down,
    .message = on_message,
    .subscribed = on_subscribed,
    .unsubscribed = on_unsubscribed,
};

/* ---- life ---- */

void broker_open(struct broker *b, const struct broker_opts *opts)
{
    *b = (struct broker){.o = *opts,
                         .words = worker_set_words(opts->bus->workers),
                         .malformed = {.period_ms = 10000, .burst = 1}};
    list_init(&b->urgent);
    list_init(&b->bulk);
    list_init(&b->waiters);
    list_init(&b->idle);
    ev_timer_init(&b->deadline, on_deadline, 0., 0.);
    b->deadline.data = b;
    ev_timer_init(&b->sweep, on_sweep, SWEEP_S, SWEEP_S);
    b->sweep.data = b;
    ev_timer_start(opts->loop, &b->sweep);
    ev_prepare_init(&b->flush, on_flush);
    b->flush.data = b;
    ev_prepare_start(opts->loop, &b->flush);
    engine_shard_name(opts->engine, &b->shard_name);
    struct redis_sub_opts sub = opts->sub;
    sub.ops = &ops;
    sub.owner = b;
    sub.permanent[0] = buf_span(&b->shard_name);
    sub.permanent_count = 1;
    redis_sub_open(&b->sub, &sub);
}

static bool free_channel(struct htab_node *n, void *arg)
{
    struct broker *b = arg;
    struct channel *c = CONTAINER_OF(n, struct channel, node);
    LIST_FOR_EACH_SAFE(e, &c->waiters)
    {
        finish_waiter(b, LIST_ENTRY(e, struct waiter, of_channel), ERR_CANCELED);
    }
    drop(b, c);
    return true;
}

void broker_close(struct broker *b)
{
    redis_sub_close(&b->sub);
    ev_timer_stop(b->o.loop, &b->deadline);
    ev_timer_stop(b->o.loop, &b->sweep);
    ev_prepare_stop(b->o.loop, &b->flush);
    htab_each(&b->channels, free_channel, b);
    htab_fini(&b->channels);
    buf_free(&b->shard_name);
}
