/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to Redis that comes back by itself. */
#include "pushd/control/redis_link.h"

#include <ctype.h>
#include <errno.h>
#include <hiredis/adapters/libev.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/engine/engine.h"
#include "common/engine/rcmd.h"

/* Service has to be back within two seconds of Redis being back, so attempts never get rare. */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 600
#define CONNECT_MIN_MS 100

/* Tags of the greeting's commands; the owner's tags are other pointers or NULL. */
static char tag_needed; /* an error ends the attempt */
static char tag_wanted; /* an error does not matter */

static void retry_in(struct redis_link *l, uint32_t ms)
{
    l->state = LINK_WAITING;
    ev_timer_stop(l->o.loop, &l->timer);
    ev_timer_set(&l->timer, ms / 1000., 0.);
    ev_timer_start(l->o.loop, &l->timer);
}

/* From here on nothing of this connection reaches us. */
static struct redisAsyncContext *detach(struct redis_link *l)
{
    struct redisAsyncContext *ac = l->ac;
    l->ac = NULL;
    if (ac != NULL) {
        ac->data = NULL;
    }
    ev_timer_stop(l->o.loop, &l->later);
    return ac;
}

static void forget_addresses(struct redis_link *l)
{
    l->address_count = 0;
    l->address_next = 0;
}

/* The connection, if any, is detached and freed or about to be. */
static void attempt_failed(struct redis_link *l, const char *why, bool refused)
{
    if (l->address_next < l->address_count) {
        retry_in(l, 0); /* the host has another address */
        return;
    }
    forget_addresses(l);
    retry_in(l, backoff_next_ms(&l->backoff));
    if (refused) {
        redis_story_refused(l->o.story, why);
    } else {
        redis_story_dial_failed(l->o.story, why);
    }
}

static void connection_failed(struct redis_link *l, int code, const char *why)
{
    enum redis_link_state before = l->state;
    if (before == LINK_GREETED || before == LINK_READY) {
        retry_in(l, backoff_next_ms(&l->backoff));
        if (before == LINK_READY) {
            redis_story_lost(l->o.story, l->o.role, why);
        } else {
            redis_story_refused(l->o.story, why);
        }
        l->o.ops->down(l->o.owner, code);
    } else {
        attempt_failed(l, why, before == LINK_GREETING);
    }
}

void redis_link_fail(struct redis_link *l, int code, const char *why)
{
    struct redisAsyncContext *ac = detach(l);
    if (ac != NULL) {
        redisAsyncFree(ac); /* within one of its callbacks it waits for the end of that */
    }
    if (l->state != LINK_CLOSED && l->state != LINK_WAITING) {
        connection_failed(l, code, why);
    }
}

static void on_later(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)events;
    struct redis_link *l = t->data;
    redis_link_fail(l, ERR_UNAVAILABLE, l->why);
}

/* Keeps the reason in the words that people know: "Connection refused" becomes "connect: connection
 * refused". */
static void keep_why(struct redis_link *l, const char *prefix, const char *text)
{
    int n = snprintf(l->why, sizeof(l->why), "%s%s", prefix,
                     text != NULL && *text != '\0' ? text : "unknown error");
    size_t at = strlen(prefix);
    if (n > (int)at && *prefix != '\0') {
        l->why[at] = (char)tolower((unsigned char)l->why[at]);
    }
}

static void fail_later(struct redis_link *l)
{
    ev_timer_stop(l->o.loop, &l->later);
    ev_timer_set(&l->later, 0., 0.);
    ev_timer_start(l->o.loop, &l->later);
}

static void greeting_answered(struct redis_link *l, const redisReply *r, const void *tag)
{
    if (r->type == REDIS_REPLY_ERROR && tag == &tag_needed && !engine_is_misconf(r)) {
        char text[sizeof(l->why)];
        snprintf(text, sizeof(text), "%.*s", SPAN_FMT(engine_error_text(r)));
        redis_link_fail(l, ERR_UNAVAILABLE, text);
        return;
    }
    if (--l->greetings == 0) {
        ev_timer_stop(l->o.loop, &l->timer);
        l->state = LINK_GREETED;
        l->o.ops->greeted(l->o.owner);
    }
}

static void on_reply(redisAsyncContext *ac, void *reply, void *tag)
{
    struct redis_link *l = ac->data;
    if (l == NULL || reply == NULL) {
        return; /* a connection that ends; what was pending is the owner's to fail */
    }
    if (tag == &tag_needed || tag == &tag_wanted) {
        greeting_answered(l, reply, tag);
    } else {
        l->o.ops->reply(l->o.owner, reply, tag);
    }
}

static int send_command(struct redis_link *l, struct buf *command, void *tag)
{
    /* It looks for the command's name with strchr, so a length alone is not enough. */
    const char *text = buf_cstr(command);
    return redisAsyncFormattedCommand(l->ac, on_reply, tag, text, command->n) == REDIS_OK
               ? 0
               : ERR_UNAVAILABLE;
}

static int greet_with(struct redis_link *l, const char *const *words, size_t n, void *tag)
{
    struct buf b = {0};
    rcmd_begin(&b, n);
    for (size_t i = 0; i < n; i++) {
        rcmd_arg_str(&b, words[i]);
    }
    int rc = send_command(l, &b, tag);
    l->greetings += rc == 0;
    mem_wipe(b.p, b.n); /* it may hold the password */
    buf_free(&b);
    return rc;
}

static int greet(struct redis_link *l)
{
    const struct redis_url *u = l->o.url;
    char db[24];
    int rc = 0;
    l->greetings = 0;
    if (*u->password != '\0') {
        const char *with_user[] = {"AUTH", u->user, u->password};
        const char *alone[] = {"AUTH", u->password};
        rc |= *u->user != '\0' ? greet_with(l, with_user, 3, &tag_needed)
                               : greet_with(l, alone, 2, &tag_needed);
    }
    if (u->db != 0) {
        snprintf(db, sizeof(db), "%lld", (long long)u->db);
        rc |= greet_with(l, (const char *const[]){"SELECT", db}, 2, &tag_needed);
    }
    if (*l->o.client_name != '\0') {
        rc |= greet_with(l, (const char *const[]){"CLIENT", "SETNAME", l->o.client_name}, 3,
                         &tag_wanted);
    }
    /* Tells a Redis that loads its data, or that wants a password, from one that serves. */
    return rc | greet_with(l, (const char *const[]){"PING"}, 1, &tag_needed);
}

/* hiredis frees a connection that could not be made itself, right after this call, and nobody may
 * do so within it. */
static void on_connect(const redisAsyncContext *ac, int status)
{
    struct redis_link *l = ac->data;
    if (l == NULL) {
        return;
    }
    if (status != REDIS_OK) {
        keep_why(l, "connect: ", ac->c.errstr);
        detach(l);
        connection_failed(l, ERR_UNAVAILABLE, l->why);
        return;
    }
    l->ac->c.reader->maxbuf = 0; /* keep the input buffer */
    l->state = LINK_GREETING;
    if (greet(l) != 0) {
        keep_why(l, "", "the greeting could not be sent");
        fail_later(l);
    }
}

static void on_disconnect(const redisAsyncContext *ac, int status)
{
    (void)status;
    struct redis_link *l = ac->data;
    if (l == NULL) {
        return;
    }
    keep_why(l, "", ac->errstr);
    detach(l); /* hiredis frees it */
    connection_failed(l, ERR_UNAVAILABLE, l->why);
}

/* The end of an attempt that got no answer. */
static void limit_attempt(struct redis_link *l)
{
    int64_t ms = l->o.url->connect_timeout_ms;
    ev_timer_stop(l->o.loop, &l->timer);
    ev_timer_set(&l->timer, (double)(ms > CONNECT_MIN_MS ? ms : CONNECT_MIN_MS) / 1000., 0.);
    ev_timer_start(l->o.loop, &l->timer);
}

static void dial(struct redis_link *l)
{
    const struct redis_url *u = l->o.url;
    l->state = LINK_CONNECTING;
    l->ac = u->path != NULL ? redisAsyncConnectUnix(u->path)
                            : redisAsyncConnect(l->addresses[l->address_next++], u->port);
    if (l->ac == NULL) {
        attempt_failed(l, "connect: out of memory", false);
        return;
    }
    if (l->ac->err != 0) {
        int saved = errno;
        keep_why(l, "connect: ",
                 l->ac->errstr != NULL && *l->ac->errstr != '\0' ? l->ac->errstr : strerror(saved));
        redisAsyncFree(detach(l)); /* has no callbacks yet */
        attempt_failed(l, l->why, false);
        return;
    }
    l->ac->data = l;
    redisLibevAttach(l->o.loop, l->ac);
    redisAsyncSetDisconnectCallback(l->ac, on_disconnect);
    redisAsyncSetConnectCallback(l->ac, on_connect);
    limit_attempt(l);
}

static void on_resolved(void *arg, char (*addresses)[RESOLVE_TEXT_MAX], size_t n, const char *error)
{
    struct redis_link *l = arg;
    l->resolve = NULL;
    l->address_next = 0;
    l->address_count = n;
    if (n == 0) {
        char text[sizeof(l->why)];
        snprintf(text, sizeof(text), "lookup %s: %s", l->o.url->host, error);
        attempt_failed(l, text, false);
        return;
    }
    memcpy(l->addresses, addresses, n * sizeof(addresses[0]));
    dial(l);
}

static void attempt(struct redis_link *l)
{
    const struct redis_url *u = l->o.url;
    if (l->connected_once && l->address_next == 0) {
        metrics_add(l->o.metrics, METRIC_REDIS_RECONNECTS, 0, 1);
    }
    if (u->path != NULL || l->address_next < l->address_count) {
        dial(l);
    } else if (resolve_is_numeric(u->host)) {
        snprintf(l->addresses[0], sizeof(l->addresses[0]), "%s", u->host);
        l->address_next = 0;
        l->address_count = 1;
        dial(l);
    } else {
        l->state = LINK_RESOLVING;
        l->resolve = resolve_start(l->o.loop, u->host, on_resolved, l);
    }
}

static void on_timer(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)events;
    struct redis_link *l = t->data;
    if (l->state == LINK_WAITING) {
        attempt(l);
        return;
    }
    bool greeting = l->state == LINK_GREETING;
    redis_link_fail(l, ERR_TIMEOUT,
                    greeting ? "no answer to the greeting within engine.redis.connect_timeout"
                             : "i/o timeout");
}

void redis_link_open(struct redis_link *l, const struct redis_link_opts *opts)
{
    *l = (struct redis_link){.o = *opts,
                             .backoff = {.min_ms = BACKOFF_MIN_MS, .max_ms = BACKOFF_MAX_MS}};
    ev_timer_init(&l->timer, on_timer, 0., 0.);
    l->timer.data = l;
    ev_timer_init(&l->later, on_later, 0., 0.);
    l->later.data = l;
    retry_in(l, 0);
}

void redis_link_close(struct redis_link *l)
{
    struct redisAsyncContext *ac = detach(l);
    l->state = LINK_CLOSED;
    ev_timer_stop(l->o.loop, &l->timer);
    resolve_cancel(l->resolve);
    l->resolve = NULL;
    if (ac != NULL) {
        redisAsyncFree(ac);
    }
}

void redis_link_ready(struct redis_link *l)
{
    l->state = LINK_READY;
    l->connected_once = true;
    forget_addresses(l);
    backoff_reset(&l->backoff);
    redis_story_up(l->o.story);
}

int redis_link_send(struct redis_link *l, struct buf *command, void *tag)
{
    if (l->state != LINK_GREETED && l->state != LINK_READY) {
        return ERR_UNAVAILABLE;
    }
    return send_command(l, command, tag);
}
