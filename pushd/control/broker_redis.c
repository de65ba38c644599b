/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's side towards Redis: subscriptions, and the messages that follow from them. */
#include "pushd/control/broker_private.h"

#include "common/base/clk.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "pushd/control/worker_set.h"
#include "pushd/msg.h"

#define IDLE_MS 1000 /* a channel is kept this long after its last subscriber */
#define IN_FLIGHT_MAX \
    4096 /* names sent without a confirmation: bounds the buffers of a resubscription */
#define SWEEP_S 0.25

/* ---- what goes to Redis ---- */

static void add_name(struct redis_names *k, const struct broker *b, const struct channel *c)
{
    engine_channel_name(b->o.engine, c->node.key, redis_names_begin(k));
    redis_names_end(k);
}

static struct list *next_wanted(struct broker_feed *f)
{
    struct list *e = list_shift(&f->urgent);
    return e != NULL ? e : list_shift(&f->bulk);
}

/* Once a turn of the loop, so that all that workers asked for meanwhile shares a command. */
static void subscribe_wanted(struct broker_feed *f)
{
    struct broker *b = f->broker;
    struct redis_names k = {0};
    while (f->in_flight < IN_FLIGHT_MAX) {
        struct list *e = next_wanted(f);
        if (e == NULL) {
            break;
        }
        struct channel *c = LIST_ENTRY(e, struct channel, queue);
        if (broker__is_unused(c)) {
            broker__drop(b, c); /* nobody waits any more, and Redis never knew it */
            continue;
        }
        c->state = CHANNEL_SENT;
        f->in_flight++;
        add_name(&k, b, c);
        metrics_add(b->o.metrics, METRIC_ACTIONS, METRIC_ACTION_BROKER_SUBSCRIBE, 1);
        if (redis_names_is_full(&k)) {
            redis_sub_subscribe(&f->sub, &k);
        }
    }
    redis_sub_subscribe(&f->sub, &k);
    buf_free(&k.text);
}

static void answer_all(struct broker *b, struct bus_op **chain, int error)
{
    struct bus_op *op = *chain;
    *chain = NULL;
    while (op != NULL) {
        struct bus_op *also = op->also; /* the answer may be gone after it is given */
        broker__answer(b, op, error);
        op = also;
    }
}

static void mark(struct broker_feed *f)
{
    if (f->unsettled != NULL && f->settling == NULL) {
        f->settling = f->unsettled;
        f->unsettled = NULL;
        f->mark = redis_sub_mark(&f->sub);
    }
}

static void on_flush(struct ev_loop *loop, ev_prepare *p, int events)
{
    (void)loop;
    (void)events;
    struct broker *b = p->data;
    for (uint32_t i = 0; i < b->o.shards->n; i++) {
        struct broker_feed *f = &b->feeds[i];
        if (!redis_sub_is_ready(&f->sub)) {
            continue;
        }
        mark(f);
        if (!list_is_empty(&f->urgent) || !list_is_empty(&f->bulk)) {
            subscribe_wanted(f);
        }
    }
}

static void sweep(struct broker_feed *f, int64_t now_ms)
{
    struct broker *b = f->broker;
    struct redis_names k = {0};
    LIST_FOR_EACH_SAFE(e, &f->idle)
    {
        struct channel *c = LIST_ENTRY(e, struct channel, idle);
        if (now_ms - c->idle_ms < IDLE_MS) {
            break;
        }
        list_unlink(&c->idle);
        if (c->state == CHANNEL_WANTED) {
            broker__drop(b, c);
        } else if (c->state == CHANNEL_ON) {
            c->state = CHANNEL_LEAVING;
            add_name(&k, b, c);
            metrics_add(b->o.metrics, METRIC_ACTIONS, METRIC_ACTION_BROKER_UNSUBSCRIBE, 1);
        }
        if (redis_names_is_full(&k)) {
            redis_sub_unsubscribe(&f->sub, &k);
        }
    }
    redis_sub_unsubscribe(&f->sub, &k);
    buf_free(&k.text);
}

static void on_sweep(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)events;
    struct broker *b = t->data;
    int64_t now_ms = clk_mono_ms();
    for (uint32_t i = 0; i < b->o.shards->n; i++) {
        sweep(&b->feeds[i], now_ms);
    }
}

/* ---- what comes from Redis ---- */

static struct channel *named(const struct broker *b, struct span name)
{
    struct span channel;
    return engine_channel_of(b->o.engine, name, &channel)
               ? broker__find(b, channel, hash_span(channel))
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
    struct broker_feed *f = owner;
    struct broker *b = f->broker;
    struct channel *c = named(b, name);
    if (c == NULL || c->state != CHANNEL_SENT) {
        return;
    }
    c->state = CHANNEL_ON;
    f->in_flight--;
    tell_resumed(b, c);
    LIST_FOR_EACH_SAFE(e, &c->waiters)
    {
        struct waiter *w = LIST_ENTRY(e, struct waiter, of_channel);
        broker__set_worker(b, c, w->op->worker);
        w->op->channel_id = c->id;
        broker__finish_waiter(b, w, 0);
    }
    broker__note_idle(b, c);
}

static void on_unsubscribed(void *owner, struct span name)
{
    struct broker_feed *f = owner;
    struct broker *b = f->broker;
    struct channel *c = named(b, name);
    if (c == NULL || c->state != CHANNEL_LEAVING) {
        return;
    }
    if (broker__is_unused(c)) {
        broker__drop(b, c);
        return;
    }
    c->state = CHANNEL_WANTED;
    list_append(&f->urgent, &c->queue);
}

static void on_marked(void *owner, uint64_t mark)
{
    struct broker_feed *f = owner;
    if (f->settling != NULL && mark >= f->mark) {
        answer_all(f->broker, &f->settling, 0);
    }
}

static void on_up(void *owner)
{
    (void)owner; /* the channels are in `bulk`, the end of this turn sends them */
}

struct lost {
    struct broker_feed *feed;
    struct list unused;
};

static bool channel_lost(struct htab_node *n, void *arg)
{
    struct lost *l = arg;
    struct broker *b = l->feed->broker;
    struct channel *c = CONTAINER_OF(n, struct channel, node);
    if (&b->feeds[c->shard] != l->feed) {
        return true;
    }
    LIST_FOR_EACH_SAFE(e, &c->waiters)
    {
        broker__finish_waiter(b, LIST_ENTRY(e, struct waiter, of_channel), ERR_UNAVAILABLE);
    }
    c->state = CHANNEL_WANTED;
    list_unlink(&c->queue);
    list_append(c->users != 0 ? &l->feed->bulk : &l->unused, &c->queue);
    return true;
}

static void on_down(void *owner)
{
    struct broker_feed *f = owner;
    struct lost l = {.feed = f};
    list_init(&l.unused);
    htab_each(&f->broker->channels, channel_lost, &l);
    LIST_FOR_EACH_SAFE(e, &l.unused)
    {
        broker__drop(f->broker, LIST_ENTRY(e, struct channel, queue));
    }
    f->in_flight = 0;
    answer_all(f->broker, &f->settling, ERR_UNAVAILABLE);
    answer_all(f->broker, &f->unsettled, ERR_UNAVAILABLE);
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
    struct broker *b = ((struct broker_feed *)owner)->broker;
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
    m->posted_ms = clk_mono_ms();
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
    .marked = on_marked,
};

/* ---- life ---- */

void broker__feeds_open(struct broker *b, const struct shards_opts *links)
{
    const struct broker_opts *o = &b->o;
    ev_timer_init(&b->sweep, on_sweep, SWEEP_S, SWEEP_S);
    b->sweep.data = b;
    ev_timer_start(o->loop, &b->sweep);
    ev_prepare_init(&b->flush, on_flush);
    b->flush.data = b;
    ev_prepare_start(o->loop, &b->flush);
    engine_shard_name(o->engine, &b->shard_name);
    b->feeds = mem_zalloc(o->shards->n * sizeof(*b->feeds));
    for (uint32_t i = 0; i < o->shards->n; i++) {
        struct broker_feed *f = &b->feeds[i];
        f->broker = b;
        list_init(&f->urgent);
        list_init(&f->bulk);
        list_init(&f->idle);
        struct redis_sub_opts sub = {
            .link = shards_link(o->shards, i, links),
            .ops = &ops,
            .owner = f,
            .permanent = {buf_span(&b->shard_name)},
            .permanent_count = 1,
        };
        sub.link.role = "subscriptions";
        redis_sub_open(&f->sub, &sub);
    }
}

void broker__feeds_close(struct broker *b)
{
    for (uint32_t i = 0; i < b->o.shards->n; i++) {
        redis_sub_close(&b->feeds[i].sub);
        answer_all(b, &b->feeds[i].settling, ERR_CANCELED);
        answer_all(b, &b->feeds[i].unsettled, ERR_CANCELED);
    }
    ev_timer_stop(b->o.loop, &b->sweep);
    ev_prepare_stop(b->o.loop, &b->flush);
    buf_free(&b->shard_name);
}
