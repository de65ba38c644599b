/* SPDX-License-Identifier: Apache-2.0 */
/* The background threads, one for each Redis: they subscribe to the control channels, and find out
 * first when their Redis goes and comes. */
#include "fcgi/registry_own.h"

#include "common/base/clk.h"
#include "common/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RETRY_MS 100
/* While we are down the other threads need not try: we tell them when Redis is back. */
#define HOLD_MS    5000
#define SILENCE_MS 1000
#define HELLO_OP   "pushd_node"

static void add_command(struct buf *b, const char *name, const struct buf *args, size_t n)
{
    buf_addf(b, "*%zu\r\n$%zu\r\n%s\r\n", n + 1, strlen(name), name);
    for (size_t i = 0; i < n; i++) {
        buf_addf(b, "$%zu\r\n", args[i].n);
        buf_add(b, args[i].p, args[i].n);
        buf_add_str(b, "\r\n");
    }
}

/* One subscription. The text of an error answer goes to `refused`, of 200 bytes. */
static int listen_to(struct registry_listener *l, const char *verb, const struct buf *name,
                     int64_t deadline_ms, char refused[200], struct err *e)
{
    struct buf b = {0};
    struct redisReply *reply = NULL;
    add_command(&b, verb, name, 1);
    int rc = rsync_send(l->subscriber, buf_span(&b), deadline_ms, e);
    if (rc == 0) {
        rc = rsync_receive(l->subscriber, deadline_ms, &reply, e);
    }
    struct span error = rc == 0 ? rsync_reply_error(reply) : (struct span){0};
    if (error.p != NULL) {
        snprintf(refused, 200, "%.*s", SPAN_FMT(error));
        rc = err_set(e, ERR_DENIED, "%s %.*s: %s", verb, (int)name->n, name->p, refused);
    }
    rsync_reply_free(reply);
    buf_free(&b);
    return rc;
}

static void as_pattern(struct span name, struct buf *out)
{
    for (size_t i = 0; i < name.n; i++) {
        if (strchr("*?[]^\\", name.p[i]) != NULL) {
            buf_add_char(out, '\\');
        }
        buf_add_char(out, name.p[i]);
    }
}

/* As a pattern that only this channel matches: Redis leaves patterns out of PUBSUB NUMSUB and
 * CHANNELS, and who counts the nodes of a cluster there shall not count us. */
static int listen_uncounted(struct registry_listener *l, const struct buf *name,
                            int64_t deadline_ms, struct err *e)
{
    struct buf pattern = {0};
    char refused[200] = "";
    as_pattern(buf_span(name), &pattern);
    int rc = listen_to(l, "PSUBSCRIBE", &pattern, deadline_ms, refused, e);
    if (rc == ERR_DENIED && strncmp(refused, "NOPERM", 6) == 0) {
        /* An ACL lets a pattern pass only where it stands in the rule itself. */
        rc = listen_to(l, "SUBSCRIBE", name, deadline_ms, refused, e);
    }
    buf_free(&pattern);
    return rc;
}

static int subscribe(struct registry_listener *l, int64_t deadline_ms, struct err *e)
{
    struct registry *r = l->r;
    struct buf control = {0};
    struct buf node = {0};
    engine_control_name(r->engine, &control);
    engine_node_name(r->engine, span_str(r->uid), &node);
    int rc = listen_uncounted(l, &control, deadline_ms, e);
    if (rc == 0) {
        rc = listen_uncounted(l, &node, deadline_ms, e);
    }
    buf_free(&control);
    buf_free(&node);
    return rc;
}

static void on_published(const struct redisReply *reply, size_t index, void *arg)
{
    struct span error = rsync_reply_error(reply);
    (void)index;
    if (error.p != NULL) {
        err_set(arg, ERR_DENIED, "PUBLISH: %.*s", (int)(error.n < 200 ? error.n : 200), error.p);
    }
}

/* The survey that makes all nodes known at once. */
static int say_hello(struct registry_listener *l, struct err *e)
{
    struct registry *r = l->r;
    struct survey_request question = {.id = r->hello_id, .op = SPAN(HELLO_OP)};
    struct control_command cmd = {.uid = span_str(r->uid), .survey_request = &question};
    struct buf name = {0};
    struct buf payload = {0};
    struct buf b = {0};
    schema_pb_encode(&control_command_schema, &cmd, &payload);
    engine_control_name(r->engine, &name);
    engine_raw_publish_build(buf_span(&name), buf_span(&payload), &b);
    e->code = 0;
    int rc = rsync_run(l->publisher, buf_span(&b), 1, on_published, e, e);
    buf_free(&b);
    buf_free(&name);
    buf_free(&payload);
    return rc != 0 ? rc : e->code;
}

static int open_all(struct registry_listener *l, struct err *e)
{
    struct rsync_target *t = l->target;
    int rc = rsync_target_resolve(t, e);
    int64_t deadline = clk_mono_ms() + t->timeout_ms;
    if (rc == 0) {
        rc = rsync_connect(l->subscriber, deadline, e);
    }
    if (rc == 0) {
        rc = subscribe(l, deadline, e);
    }
    if (rc == 0) {
        rsync_target_reset(t);
        rc = say_hello(l, e);
    }
    if (rc != 0) {
        rsync_close(l->subscriber);
    }
    return rc;
}

/* Waits for the wake-up or until the time has passed. */
static void pause_ms(const struct registry_listener *l, int ms)
{
    struct pollfd p = {.fd = l->wake_fd, .events = POLLIN};
    eventfd_t ignored;
    if (poll(&p, 1, ms) > 0) {
        eventfd_read(l->wake_fd, &ignored);
    }
}

static void on_down(struct registry_listener *l, int64_t took_ms, const char *text)
{
    registry_set_up(l->r, l->shard, false);
    rsync_close(l->subscriber);
    rsync_target_trip(l->target, took_ms, HOLD_MS, text);
}

static bool come_up(struct registry_listener *l)
{
    struct registry *r = l->r;
    struct err e = {0};
    int64_t started = clk_mono_ms();
    int rc = open_all(l, &e);
    if (rc != 0) {
        if (!l->was_up && !rsync_target_is_down(l->target)) {
            /* The reference ends with this line; we go on trying, but people and their runbooks
             * look for it. */
            char line[sizeof(e.text) + 32];
            snprintf(line, sizeof(line), "error creating engine: %s", e.text);
            rsync_log_error_line(line);
        }
        on_down(l, clk_mono_ms() - started, e.text);
        return false;
    }
    log_info(LOG_REDIS, "redis connected", LOG_STR("address", l->target->url->display),
             LOG_NUM("db", l->target->url->db), LOG_TEXT("prefix", r->engine->prefix));
    l->was_up = true;
    l->heard_at_ms = clk_mono_ms();
    l->pinged_at_ms = 0;
    registry_set_up(r, l->shard, true);
    return true;
}

static void on_message(struct registry_listener *l, const struct redisReply *reply)
{
    l->heard_at_ms = clk_mono_ms();
    l->pinged_at_ms = 0;
    const struct redisReply *pong = rsync_reply_item(reply, 2, 0);
    if (rsync_target_is_down(l->target) && pong != NULL &&
        span_eq_str(rsync_reply_text(pong), "pong")) {
        /* Somebody else's connection failed, but Redis is well. */
        rsync_target_heard(l->target, l->asked_at_ms);
    }
    static const struct {
        const char *kind;
        size_t size;
    } messages[] = {{"message", 3}, {"pmessage", 4}};
    for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
        size_t n = messages[i].size;
        const struct redisReply *kind = rsync_reply_item(reply, n, 0);
        struct span payload = rsync_reply_text(rsync_reply_item(reply, n, n - 1));
        if (kind != NULL && span_eq_str(rsync_reply_text(kind), messages[i].kind) &&
            payload.p != NULL) {
            registry_handle(l->r, payload);
        }
    }
}

static int read_all(struct registry_listener *l, struct err *e)
{
    for (;;) {
        struct redisReply *reply = NULL;
        int rc = rsync_receive(l->subscriber, 0, &reply, e);
        if (rc != 0) {
            return rc == ERR_TIMEOUT ? 0 : rc;
        }
        on_message(l, reply);
        rsync_reply_free(reply);
    }
}

/* A Redis that has stopped without closing shows in a PING only. */
static int probe(struct registry_listener *l, bool is_urgent, struct err *e)
{
    int64_t now = clk_mono_ms();
    int64_t timeout = l->target->timeout_ms;
    if (l->pinged_at_ms != 0) {
        return now - l->pinged_at_ms < timeout
                   ? 0
                   : err_set(e, ERR_TIMEOUT, "%s: no answer to PING within %lld ms",
                             l->target->url->display, (long long)timeout);
    }
    if (!is_urgent && now - l->heard_at_ms < SILENCE_MS) {
        return 0;
    }
    l->pinged_at_ms = l->asked_at_ms = now;
    return rsync_send(l->subscriber, SPAN("*1\r\n$4\r\nPING\r\n"), now + timeout, e);
}

static int turn(struct registry_listener *l, struct err *e)
{
    struct pollfd p[2] = {{.fd = rsync_fd(l->subscriber), .events = POLLIN},
                          {.fd = l->wake_fd, .events = POLLIN}};
    int rc = 0;
    if (poll(p, 2, SILENCE_MS / 2) < 0 && errno != EINTR) {
        return err_set(e, ERR_IO, "poll: %s", strerror(errno));
    }
    bool is_woken = (p[1].revents & POLLIN) != 0;
    if (is_woken) {
        eventfd_t ignored;
        eventfd_read(l->wake_fd, &ignored);
    }
    if (p[0].revents != 0) {
        rc = read_all(l, e);
    }
    registry__tick(l);
    return rc != 0 ? rc : probe(l, is_woken, e);
}

static void *run(void *arg)
{
    struct registry_listener *l = arg;
    l->subscriber = rsync_new(l->target);
    l->publisher = rsync_new(l->target);
    while (!atomic_load(&l->r->is_stopping)) {
        registry__tick(l);
        if (rsync_fd(l->subscriber) < 0 && !come_up(l)) {
            pause_ms(l, RETRY_MS);
            continue;
        }
        struct err e = {0};
        int rc = turn(l, &e);
        if (rc != 0) {
            on_down(l, rc == ERR_TIMEOUT ? l->target->timeout_ms : 0, e.text);
        }
    }
    rsync_free(l->subscriber);
    rsync_free(l->publisher);
    return NULL;
}

static int start(struct registry_listener *l, struct err *e)
{
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake_fd < 0) {
        return err_set(e, ERR_IO, "eventfd: %s", strerror(errno));
    }
    l->target->wake_fd = l->wake_fd;
    atomic_store(&l->heartbeat_ms, clk_mono_ms());
    int rc = pthread_create(&l->thread, NULL, run, l);
    if (rc != 0) {
        return err_set(e, ERR_IO, "cannot start a thread: %s", strerror(rc));
    }
    l->is_running = true;
    return 0;
}

int registry_start(struct registry *r, struct err *e)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < r->shards; i++) {
        rc = start(&r->listeners[i], e);
    }
    return rc;
}

static void stop(struct registry_listener *l)
{
    if (l->is_running) {
        eventfd_write(l->wake_fd, 1);
        pthread_join(l->thread, NULL);
        l->is_running = false;
    }
    if (l->wake_fd >= 0) {
        l->target->wake_fd = -1;
        close(l->wake_fd);
        l->wake_fd = -1;
    }
}

void registry__stop(struct registry *r)
{
    atomic_store(&r->is_stopping, true);
    for (uint32_t i = 0; i < r->shards; i++) {
        stop(&r->listeners[i]);
    }
}
