/* SPDX-License-Identifier: Apache-2.0 */
/* One worker's tables. */
#include "pushd/worker/hub.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "pushd/worker/conn.h"
#include "pushd/worker/sub.h"

/* Redis that is away for one answer is often back soon. */
#define RECHECK_MS 500

struct chan *hub_find(const struct hub *h, struct span channel)
{
    struct htab_node *n = htab_get(&h->chans, channel);
    return n != NULL ? CONTAINER_OF(n, struct chan, node) : NULL;
}

static void count(struct hub *h)
{
    struct bus_gauges *g = &h->w->shared->bus->ports[h->w->index].gauges;
    atomic_store_explicit(&g->subscriptions, h->sub_count, memory_order_relaxed);
    atomic_store_explicit(&g->channels, (uint32_t)h->chans.count, memory_order_relaxed);
}

static void free_chan(struct hub *h, struct chan *c)
{
    htab_remove(&h->chans, &c->node);
    if (c->joining != NULL) {
        c->joining->owner = NULL; /* comes back later, to nobody */
    }
    free(c->epoch);
    free(c->subs);
    free(c);
}

/* Control is told only by a message after the SUBSCRIBE request, so the order of both is kept. */
static void give_up(struct hub *h, struct chan *c)
{
    struct bus_op *op = bus_op_new(BUS_UNSUBSCRIBE, chan_name(c));
    op->worker = h->w->index;
    bus_post_control(h->w->shared->bus, h->w->index, &op->item);
    free_chan(h, c);
}

static void joined(struct bus_op *op)
{
    struct chan *c = op->context;
    c->joining = NULL;
    if (op->error == 0) {
        c->state = CHAN_READY;
        c->id = op->channel_id;
    }
    c->busy++;
    for (uint32_t i = c->sub_count; i-- > 0;) {
        if (i < c->sub_count && c->subs[i]->start != NULL) {
            sub_channel_ready(c->subs[i], op->error);
        }
    }
    c->busy--;
    struct hub *h = op->owner;
    if (c->sub_count == 0) {
        give_up(h, c);
    }
}

static struct chan *add_chan(struct hub *h, struct span channel)
{
    struct chan *c = mem_zalloc(sizeof(*c) + channel.n);
    memcpy(c->name, channel.p, channel.n);
    struct span name = span_of(c->name, channel.n);
    htab_add(&h->chans, &c->node, name, hash_span(name));
    c->state = CHAN_JOINING;
    struct bus_op *op = bus_op_new(BUS_SUBSCRIBE, name);
    op->worker = h->w->index;
    op->owner = h;
    op->done = joined;
    op->context = c;
    c->joining = op;
    bus_post_control(h->w->shared->bus, h->w->index, &op->item);
    return c;
}

void hub_subscribe(struct hub *h, struct sub *s, struct span channel)
{
    struct chan *c = hub_find(h, channel);
    if (c == NULL) {
        c = add_chan(h, channel);
    }
    if (c->sub_count == c->sub_cap) {
        c->sub_cap = c->sub_cap == 0 ? 1 : c->sub_cap * 2;
        c->subs = mem_realloc(c->subs, c->sub_cap * sizeof(c->subs[0]));
    }
    s->chan = c;
    s->index = c->sub_count;
    c->subs[c->sub_count++] = s;
    h->sub_count++;
    count(h);
}

void hub_unsubscribe(struct hub *h, struct sub *s)
{
    struct chan *c = s->chan;
    c->sub_count--;
    c->subs[s->index] = c->subs[c->sub_count];
    c->subs[s->index]->index = s->index;
    s->chan = NULL;
    h->sub_count--;
    if (c->sub_count == 0 && c->busy == 0) {
        give_up(h, c);
    }
    count(h);
}

uint32_t hub_epoch_id(struct chan *c, struct span epoch)
{
    if (c->epoch == NULL || !span_eq(hub_epoch(c), epoch)) {
        free(c->epoch);
        c->epoch = span_dup(epoch);
        c->epoch_len = epoch.n;
        c->epoch_id++;
        c->furthest = 0;
    }
    return c->epoch_id;
}

uint32_t hub_note_top(struct hub *h, struct chan *c, const struct engine_position *top,
                      uint64_t furthest)
{
    c->top_epoch_id = hub_epoch_id(c, top->epoch);
    c->top_offset = top->offset;
    c->top_ms = h->w->now_ms;
    c->top_is_less = top->offset < furthest && top->offset < c->furthest;
    if (c->top_is_less || c->furthest < top->offset) {
        c->furthest = top->offset;
    }
    return c->top_epoch_id;
}

void hub_dispatch(struct hub *h, struct msg *m)
{
    struct htab_node *n = htab_find(&h->chans, m->channel, m->channel_hash);
    if (n == NULL) {
        return;
    }
    struct chan *c = CONTAINER_OF(n, struct chan, node);
    if (m->position.offset != 0) {
        hub_epoch_id(c, m->position.epoch);
        c->furthest = m->position.offset > c->furthest ? m->position.offset : c->furthest;
    }
    arena_reset(&h->w->arena);
    struct dispatch d;
    dispatch_init(&d, h->w, c, m, &h->w->arena);
    c->busy++;
    /* Downwards: a subscription that ends itself is replaced by one that was served already. */
    for (uint32_t i = c->sub_count; i-- > 0;) {
        sub_deliver(c->subs[i], &d);
        if (i > c->sub_count) {
            i = c->sub_count;
        }
    }
    c->busy--;
    dispatch_fini(&d, &h->w->deliveries);
    if (c->sub_count == 0 && c->busy == 0) {
        give_up(h, c);
    }
}

/* ---- the check after an outage ---- */

/* Those that are being established count: they may have read history before the outage ended. */
static const struct sub *find_positioned(const struct chan *c)
{
    for (uint32_t i = 0; i < c->sub_count; i++) {
        if (c->subs[i]->is_positioned) {
            return c->subs[i];
        }
    }
    return NULL;
}

typedef bool (*sub_is_fn)(const struct sub *s, const struct bus_op *op);

static void tell_all(struct hub *h, struct chan *c, sub_is_fn is_lost, const struct bus_op *op)
{
    c->busy++;
    for (uint32_t i = c->sub_count; i-- > 0;) {
        struct sub *s = c->subs[i];
        if (s->is_positioned && is_lost(s, op)) {
            sub_fell_behind(s);
        }
        if (i > c->sub_count) {
            i = c->sub_count;
        }
    }
    c->busy--;
    if (c->sub_count == 0 && c->busy == 0) {
        give_up(h, c);
    }
}

static bool misses(const struct sub *s, const struct bus_op *op)
{
    return s->epoch_id == s->chan->epoch_id && s->offset < op->furthest;
}

static void settled(struct bus_op *op)
{
    struct hub *h = op->owner;
    struct chan *c = hub_find(h, op->channel);
    if (op->error == 0 && c != NULL && span_eq(hub_epoch(c), op->found.top.epoch)) {
        tell_all(h, c, misses, op);
    } /* else it is read anew when PUB/SUB is back, or by who takes the channel then */
}

/* What the top says may be on its way by PUB/SUB, which is another connection. */
static void settle(struct hub *h, const struct chan *c)
{
    struct bus_op *op = bus_op_new(BUS_SETTLE, chan_name(c));
    op->worker = h->w->index;
    op->owner = h;
    op->done = settled;
    op->furthest = c->top_offset;
    op->found.top.epoch = arena_dup(&op->arena, hub_epoch(c));
    bus_post_control(h->w->shared->bus, h->w->index, &op->item);
}

static bool is_astray(const struct sub *s, const struct bus_op *op)
{
    (void)op;
    return sub_is_astray(s);
}

void hub_judge(struct hub *h, struct chan *c)
{
    for (uint32_t i = 0; i < c->sub_count; i++) {
        if (c->subs[i]->is_positioned && sub_is_behind(c->subs[i])) {
            settle(h, c);
            break;
        }
    }
    tell_all(h, c, is_astray, NULL);
}

static void check_later(struct hub *h, struct chan *c)
{
    c->is_unchecked = true;
    if (h->recheck.due_ms == 0) {
        timer_set(&h->w->wheel, &h->recheck, h->w->now_ms + RECHECK_MS);
    }
}

static void top_read(struct bus_op *op)
{
    struct hub *h = op->owner;
    struct chan *c = hub_find(h, op->channel);
    if (c == NULL) {
        return;
    }
    if (op->error != 0) {
        check_later(h, c);
        return;
    }
    hub_note_top(h, c, &op->found.top, op->furthest);
    hub_judge(h, c);
}

static void check_top(struct hub *h, struct chan *c)
{
    c->is_unchecked = false;
    const struct sub *s = find_positioned(c);
    if (s == NULL) {
        return;
    }
    struct bus_op *op = bus_op_new(BUS_HISTORY, chan_name(c));
    op->worker = h->w->index;
    op->opts = s->opts;
    op->owner = h;
    op->done = top_read;
    op->furthest = c->furthest;
    bus_post_control(h->w->shared->bus, h->w->index, &op->item);
}

static bool recheck_chan(struct htab_node *n, void *arg)
{
    struct chan *c = CONTAINER_OF(n, struct chan, node);
    if (c->is_unchecked) {
        check_top(arg, c);
    }
    return true;
}

static void on_recheck(struct timer *t, int64_t now_ms)
{
    (void)now_ms;
    struct hub *h = CONTAINER_OF(t, struct hub, recheck);
    htab_each(&h->chans, recheck_chan, h);
}

void hub_resumed(struct hub *h, struct span channel)
{
    struct chan *c = hub_find(h, channel);
    if (c != NULL) {
        check_top(h, c);
    }
}

/* ---- users ---- */

static void tell_control(struct hub *h, enum bus_kind kind, struct span id)
{
    struct bus_op *op = bus_op_new(kind, SPAN(""));
    op->worker = h->w->index;
    op->info.user = arena_dup(&op->arena, id);
    bus_post_control_quietly(h->w->shared->bus, h->w->index, &op->item);
}

struct user *hub_find_user(const struct hub *h, struct span id)
{
    struct htab_node *n = htab_get(&h->users, id);
    return n != NULL ? CONTAINER_OF(n, struct user, node) : NULL;
}

void hub_add_user(struct hub *h, struct conn *c, struct span id)
{
    struct user *u = hub_find_user(h, id);
    if (u == NULL) {
        u = mem_zalloc(sizeof(*u) + id.n);
        if (id.n != 0) {
            memcpy(u->id, id.p, id.n);
        }
        struct span key = span_of(u->id, id.n);
        htab_add(&h->users, &u->node, key, hash_span(key));
        list_init(&u->conns);
        tell_control(h, BUS_USER_ON, key);
    }
    list_append(&u->conns, &c->user_link);
    u->count++;
    c->user = u;
}

void hub_remove_user(struct hub *h, struct conn *c)
{
    struct user *u = c->user;
    list_unlink(&c->user_link);
    c->user = NULL;
    if (--u->count == 0) {
        tell_control(h, BUS_USER_OFF, u->node.key);
        htab_remove(&h->users, &u->node);
        free(u);
    }
}

/* ---- life ---- */

void hub_init(struct hub *h, struct worker *w)
{
    *h = (struct hub){.w = w};
    timer_init(&h->recheck, on_recheck);
}

void hub_fini(struct hub *h)
{
    htab_fini(&h->chans);
    htab_fini(&h->users);
}
