/* SPDX-License-Identifier: Apache-2.0 */
/* Which workers want which channels, and the way of a message to them. */
#include "pushd/control/broker_private.h"

#include <stdlib.h>

#include "common/base/clk.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "pushd/control/worker_set.h"

uint32_t broker_channel_count(const struct broker *b)
{
    return b->used;
}

/* ---- the table ---- */

struct channel *broker__find(const struct broker *b, struct span name, uint64_t hash)
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
    c->shard = shards_of(b->o.shards, name);
    c->id = ++b->last_id != 0 ? b->last_id : ++b->last_id;
    c->state = CHANNEL_WANTED;
    list_init(&c->queue);
    list_init(&c->idle);
    list_init(&c->waiters);
    htab_add(&b->channels, &c->node, span_of(text, name.n), hash);
    return c;
}

void broker__drop(struct broker *b, struct channel *c)
{
    list_unlink(&c->queue);
    list_unlink(&c->idle);
    htab_remove(&b->channels, &c->node);
    free(c);
}

void broker__set_worker(struct broker *b, struct channel *c, uint16_t worker)
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

void broker__note_idle(struct broker *b, struct channel *c)
{
    if (broker__is_unused(c) && list_is_empty(&c->idle)) {
        c->idle_ms = clk_mono_ms();
        list_append(&b->feeds[c->shard].idle, &c->idle);
    }
}

/* ---- requests that wait ---- */

void broker__answer(struct broker *b, struct bus_op *op, int error)
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

void broker__finish_waiter(struct broker *b, struct waiter *w, int error)
{
    list_unlink(&w->of_channel);
    list_unlink(&w->of_broker);
    broker__answer(b, w->op, error);
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
    return broker__find(b, w->op->channel, hash_span(w->op->channel));
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
        broker__finish_waiter(b, w, ERR_TIMEOUT);
        broker__note_idle(b, c);
    }
    set_deadline(b);
}

void broker_subscribe(struct broker *b, struct bus_op *op)
{
    uint64_t hash = hash_span(op->channel);
    struct channel *c = broker__find(b, op->channel, hash);
    struct broker_feed *feed =
        &b->feeds[c != NULL ? c->shard : shards_of(b->o.shards, op->channel)];
    bool is_up = redis_sub_is_ready(&feed->sub);
    /* Without PUB/SUB a channel that the node has already is as good for one more worker as for the
     * others. */
    if (c != NULL && (c->state == CHANNEL_ON || (!is_up && c->users != 0))) {
        broker__set_worker(b, c, op->worker);
        op->channel_id = c->id;
        broker__answer(b, op, 0);
        return;
    }
    if (!is_up) {
        broker__answer(b, op, ERR_UNAVAILABLE);
        return;
    }
    if (c == NULL) {
        c = add(b, op->channel, hash);
    }
    if (c->state == CHANNEL_WANTED) {
        list_unlink(&c->queue);
        list_append(&feed->urgent, &c->queue);
    }
    wait_for(b, c, op); /* LEAVING: it is subscribed again when Redis has confirmed that it left */
}

void broker_unsubscribe(struct broker *b, struct span channel, uint16_t worker)
{
    struct channel *c = broker__find(b, channel, hash_span(channel));
    if (c == NULL) {
        return;
    }
    LIST_FOR_EACH_SAFE(e, &c->waiters)
    {
        struct waiter *w = LIST_ENTRY(e, struct waiter, of_channel);
        if (w->op->worker == worker) {
            broker__finish_waiter(b, w, ERR_CANCELED);
        }
    }
    clear_worker(b, c, worker);
    broker__note_idle(b, c);
}

void broker_settle(struct broker *b, struct bus_op *op)
{
    struct broker_feed *feed = &b->feeds[shards_of(b->o.shards, op->channel)];
    if (!redis_sub_is_ready(&feed->sub)) {
        broker__answer(b, op, ERR_UNAVAILABLE);
        return;
    }
    op->also = feed->unsettled;
    feed->unsettled = op;
}

/* ---- life ---- */

void broker_open(struct broker *b, const struct broker_opts *opts)
{
    *b = (struct broker){.o = *opts,
                         .words = worker_set_words(opts->bus->workers),
                         .malformed = {.period_ms = 10000, .burst = 1}};
    list_init(&b->waiters);
    ev_timer_init(&b->deadline, on_deadline, 0., 0.);
    b->deadline.data = b;
    broker__feeds_open(b, opts->links);
    b->o.links = NULL;
}

static bool free_channel(struct htab_node *n, void *arg)
{
    struct broker *b = arg;
    struct channel *c = CONTAINER_OF(n, struct channel, node);
    LIST_FOR_EACH_SAFE(e, &c->waiters)
    {
        broker__finish_waiter(b, LIST_ENTRY(e, struct waiter, of_channel), ERR_CANCELED);
    }
    broker__drop(b, c);
    return true;
}

void broker_close(struct broker *b)
{
    broker__feeds_close(b);
    ev_timer_stop(b->o.loop, &b->deadline);
    htab_each(&b->channels, free_channel, b);
    htab_fini(&b->channels);
    free(b->feeds);
}
