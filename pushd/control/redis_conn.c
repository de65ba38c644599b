/* SPDX-License-Identifier: Apache-2.0 */
/* The command connection. */
#include "pushd/control/redis_conn.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clk.h"
#include "common/base/mem.h"
#include "common/engine/engine.h"

#define PENDING_MAX       100000
#define PENDING_BYTES_MAX ((size_t)64 << 20)

struct redis_conn_cmd {
    struct list node;
    redis_conn_fn fn;
    void *arg;
    int64_t deadline_ms;
    size_t bytes;
};

static void finish(struct redis_conn_cmd *cmd, int error, const struct redisReply *reply)
{
    if (cmd->fn != NULL) {
        cmd->fn(cmd->arg, error, reply);
    }
    free(cmd);
}

static void set_alarm(struct redis_conn *c, int64_t at_ms)
{
    int64_t in_ms = at_ms - clk_mono_ms();
    c->alarm_ms = at_ms;
    ev_timer_stop(c->link.o.loop, &c->timer);
    ev_timer_set(&c->timer, (double)(in_ms > 0 ? in_ms : 0) / 1000., 0.);
    ev_timer_start(c->link.o.loop, &c->timer);
}

/* Deadlines come in order but for a command that is repeated with that of its first try, so all are
 * looked at; once a timeout, not once a command. */
static void on_alarm(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)events;
    struct redis_conn *c = t->data;
    int64_t now_ms = clk_mono_ms();
    int64_t next_ms = 0;
    c->alarm_ms = 0;
    LIST_FOR_EACH(e, &c->pending)
    {
        int64_t at_ms = LIST_ENTRY(e, struct redis_conn_cmd, node)->deadline_ms;
        next_ms = next_ms == 0 || at_ms < next_ms ? at_ms : next_ms;
    }
    if (next_ms == 0) {
        return;
    }
    if (next_ms > now_ms) {
        set_alarm(c, next_ms);
        return;
    }
    char why[80];
    snprintf(why, sizeof(why), "no answer to a command within %lld ms", (long long)c->o.timeout_ms);
    redis_link_fail(&c->link, ERR_TIMEOUT, why);
}

static void fail_all(struct redis_conn *c, int code)
{
    struct list failed;
    list_init(&failed);
    list_move_all(&failed, &c->pending);
    c->count = 0;
    c->bytes = 0;
    c->alarm_ms = 0;
    ev_timer_stop(c->link.o.loop, &c->timer);
    for (struct list *e; (e = list_shift(&failed)) != NULL;) {
        finish(LIST_ENTRY(e, struct redis_conn_cmd, node), code, NULL);
    }
}

/* First of all, so that commands of one channel never overtake each other: the one that got
 * NOSCRIPT would be repeated behind later ones. */
static void load_scripts(struct redis_conn *c)
{
    struct buf command = {0};
    for (size_t i = 0; i < engine_script_count(); i++) {
        buf_clear(&command);
        engine_script_load_build(i, &command);
        redis_conn_submit(c, &command, 0, NULL, NULL);
    }
    buf_free(&command);
}

static void on_greeted(void *owner)
{
    struct redis_conn *c = owner;
    redis_link_ready(&c->link);
    load_scripts(c);
    if (c->o.up != NULL) {
        c->o.up(c->o.arg);
    }
}

static void on_down(void *owner, int code)
{
    fail_all(owner, code);
}

static void on_reply(void *owner, const struct redisReply *reply, void *tag)
{
    struct redis_conn *c = owner;
    struct redis_conn_cmd *cmd = tag;
    list_unlink(&cmd->node);
    c->count--;
    c->bytes -= cmd->bytes;
    finish(cmd, 0, reply);
}

static const struct redis_link_ops ops = {
    .greeted = on_greeted, .down = on_down, .reply = on_reply};

void redis_conn_open(struct redis_conn *c, const struct redis_conn_opts *opts)
{
    *c = (struct redis_conn){.o = *opts};
    list_init(&c->pending);
    ev_timer_init(&c->timer, on_alarm, 0., 0.);
    c->timer.data = c;
    c->o.link.ops = &ops;
    c->o.link.owner = c;
    redis_link_open(&c->link, &c->o.link);
}

void redis_conn_close(struct redis_conn *c)
{
    redis_link_close(&c->link);
    fail_all(c, ERR_UNAVAILABLE);
}

int redis_conn_submit(struct redis_conn *c, struct buf *command, int64_t deadline_ms,
                      redis_conn_fn fn, void *arg)
{
    if (!redis_conn_is_ready(c) || c->count >= PENDING_MAX ||
        command->n > PENDING_BYTES_MAX - c->bytes) {
        return ERR_UNAVAILABLE;
    }
    struct redis_conn_cmd *cmd = mem_alloc(sizeof(*cmd));
    *cmd = (struct redis_conn_cmd){
        .fn = fn,
        .arg = arg,
        .deadline_ms = deadline_ms != 0 ? deadline_ms : clk_mono_ms() + c->o.timeout_ms,
        .bytes = command->n,
    };
    if (redis_link_send(&c->link, command, cmd) != 0) {
        free(cmd);
        return ERR_UNAVAILABLE;
    }
    list_append(&c->pending, &cmd->node);
    c->count++;
    c->bytes += command->n;
    if (c->alarm_ms == 0 || cmd->deadline_ms < c->alarm_ms) {
        set_alarm(c, cmd->deadline_ms);
    }
    return 0;
}
