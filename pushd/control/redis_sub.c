/* SPDX-License-Identifier: Apache-2.0 */
/* A PUB/SUB connection. */
#include "pushd/control/redis_sub.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/engine/rcmd.h"

/* A mark is the first permanent subscription once more, which Redis confirms and which changes
 * nothing. (A PING would stay unanswered in hiredis 0.14.) A tick without traffic sends one; some
 * more silent ticks, and the connection counts as dead. */
#define TICK_S           1.
#define SILENT_TICKS_MAX 3

static int send_names(struct redis_sub *s, const char *verb, const struct span *names, size_t n)
{
    struct buf b = {0};
    rcmd_begin(&b, 1 + n);
    rcmd_arg_str(&b, verb);
    for (size_t i = 0; i < n; i++) {
        rcmd_arg(&b, names[i]);
    }
    int rc = redis_link_send(&s->link, &b, NULL);
    buf_free(&b);
    return rc;
}

static void on_greeted(void *owner)
{
    struct redis_sub *s = owner;
    s->confirmed = 0;
    s->marked = s->marks;
    s->heard = true;
    s->silent = 0;
    send_names(s, "SUBSCRIBE", s->o.permanent, s->o.permanent_count);
    ev_timer_again(s->link.o.loop, &s->tick);
}

static void on_down(void *owner, int code)
{
    (void)code;
    struct redis_sub *s = owner;
    bool was_up = s->confirmed == s->o.permanent_count;
    ev_timer_stop(s->link.o.loop, &s->tick);
    s->confirmed = 0;
    if (was_up) {
        metrics_add(s->link.o.metrics, METRIC_REDIS_PUBSUB_ERRORS, 0, 1);
        s->o.ops->down(s->o.owner);
    }
}

static bool is_permanent(const struct redis_sub *s, struct span name)
{
    for (size_t i = 0; i < s->o.permanent_count; i++) {
        if (span_eq(name, s->o.permanent[i])) {
            return true;
        }
    }
    return false;
}

static void on_subscribed(struct redis_sub *s, struct span name)
{
    if (!is_permanent(s, name)) {
        s->o.ops->subscribed(s->o.owner, name);
    } else if (s->confirmed < s->o.permanent_count && ++s->confirmed == s->o.permanent_count) {
        redis_link_ready(&s->link);
        s->o.ops->up(s->o.owner);
    } else if (s->marked < s->marks && span_eq(name, s->o.permanent[0])) {
        s->marked++;
        if (s->o.ops->marked != NULL) {
            s->o.ops->marked(s->o.owner, s->marked);
        }
    }
}

static struct span text_of(const redisReply *r)
{
    return r->type == REDIS_REPLY_STRING ? span_of(r->str, (size_t)r->len) : (struct span){0};
}

/* The library may hand a reply to the callback of another channel, so only its own elements count.
 */
static void on_reply(void *owner, const struct redisReply *reply, void *tag)
{
    (void)tag;
    struct redis_sub *s = owner;
    s->heard = true;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) {
        return;
    }
    struct span kind = text_of(reply->element[0]);
    struct span name = text_of(reply->element[1]);
    if (span_eq_str(kind, "message")) {
        s->o.ops->message(s->o.owner, name, text_of(reply->element[2]));
    } else if (span_eq_str(kind, "subscribe")) {
        on_subscribed(s, name);
    } else if (span_eq_str(kind, "unsubscribe") && name.p != NULL) {
        s->o.ops->unsubscribed(s->o.owner, name);
    }
}

static void on_tick(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)events;
    struct redis_sub *s = t->data;
    bool heard = s->heard;
    s->heard = false;
    if (heard) {
        s->silent = 0;
    } else if (s->silent++ == 0) {
        redis_sub_mark(s);
    } else if (s->silent > SILENT_TICKS_MAX) {
        redis_link_fail(&s->link, ERR_TIMEOUT, "the subscription gives no sign of life");
    }
}

static const struct redis_link_ops ops = {
    .greeted = on_greeted, .down = on_down, .reply = on_reply};

void redis_sub_open(struct redis_sub *s, const struct redis_sub_opts *opts)
{
    *s = (struct redis_sub){.o = *opts};
    ev_timer_init(&s->tick, on_tick, TICK_S, TICK_S);
    s->tick.data = s;
    s->o.link.ops = &ops;
    s->o.link.owner = s;
    redis_link_open(&s->link, &s->o.link);
}

void redis_sub_close(struct redis_sub *s)
{
    ev_timer_stop(s->link.o.loop, &s->tick);
    redis_link_close(&s->link);
}

uint64_t redis_sub_mark(struct redis_sub *s)
{
    return redis_sub_is_ready(s) && send_names(s, "SUBSCRIBE", s->o.permanent, 1) == 0 ? ++s->marks
                                                                                       : 0;
}

static void send_chunk(struct redis_sub *s, const char *verb, struct redis_names *k)
{
    struct span names[REDIS_SUB_CHUNK];
    size_t from = 0;
    for (size_t i = 0; i < k->n; i++) {
        names[i] = span_of(k->text.p + from, k->ends[i] - from);
        from = k->ends[i];
    }
    if (k->n > 0 && redis_sub_is_ready(s)) {
        send_names(s, verb, names, k->n);
    }
    buf_clear(&k->text);
    k->n = 0;
}

void redis_sub_subscribe(struct redis_sub *s, struct redis_names *names)
{
    send_chunk(s, "SUBSCRIBE", names);
}

void redis_sub_unsubscribe(struct redis_sub *s, struct redis_names *names)
{
    send_chunk(s, "UNSUBSCRIBE", names);
}
