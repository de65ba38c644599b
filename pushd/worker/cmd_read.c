/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that read: presence, presence_stats, history (client protocol 5.4 to 5.6). */
#include "common/policy/channel.h"
#include "pushd/worker/client_cmd.h"
#include "pushd/worker/sub.h"

static bool permits(const struct conn *c, const struct chan_opts *o, enum channel_right right,
                    struct span channel)
{
    struct channel_subject who = {.user = conn_user(c),
                                  .is_subscribed = sub_find(c, channel) != NULL};
    return channel_permits(c->w->conf, o, right, &who);
}

static struct perr_result check_presence(const struct conn *c, struct span channel,
                                         const struct chan_opts **o)
{
    struct perr_result p = cmd_check_channel(c, channel, o);
    if (p.code != PERR_OK) {
        return p;
    }
    if (!(*o)->presence) {
        return (struct perr_result){PERR_NOT_AVAILABLE, "presence.off",
                                    "presence is off in this namespace"};
    }
    if (!permits(c, *o, RIGHT_PRESENCE, channel)) {
        return (struct perr_result){
            PERR_PERMISSION_DENIED, "presence.permission",
            "the namespace does not set an allow_presence_for_ option that fits"};
    }
    return CMD_OK;
}

static void submit(struct conn *c, uint32_t id, struct bus_op *op, const struct chan_opts *o,
                   void (*done)(struct bus_op *op))
{
    op->opts = o;
    c->is_busy = true;
    conn_submit(c, op, done, (void *)(uintptr_t)id);
}

/* Answers when Redis failed. Returns whether it did. */
static bool failed(struct bus_op *op, unsigned method)
{
    if (op->error == 0) {
        return false;
    }
    struct perr_result p = {PERR_INTERNAL, "redis.unavailable", NULL};
    if (op->error == ERR_UNRECOVERABLE) {
        p = (struct perr_result){PERR_UNRECOVERABLE_POSITION, "position.lost", NULL};
    }
    conn_fail_about(op->owner, op->channel, method, (uint32_t)(uintptr_t)op->context, &p);
    return true;
}

static void got_presence(struct bus_op *op)
{
    struct conn *c = op->owner;
    if (!failed(op, METRIC_METHOD_PRESENCE)) {
        struct presence_result result = {.presence = op->presence};
        conn_reply(c, &(struct reply){.id = (uint32_t)(uintptr_t)op->context, .presence = &result});
    }
    conn_command_done(c);
}

struct perr_result cmd_presence(struct conn *c, uint32_t id, const void *request)
{
    const struct presence_request *r = request;
    const struct chan_opts *o;
    struct perr_result p = check_presence(c, r->channel, &o);
    if (p.code == PERR_OK) {
        metrics_add(c->w->metrics, METRIC_ACTIONS, METRIC_ACTION_PRESENCE, 1);
        submit(c, id, bus_op_new(BUS_PRESENCE_GET, r->channel), o, got_presence);
    }
    return p;
}

static void got_stats(struct bus_op *op)
{
    struct conn *c = op->owner;
    if (!failed(op, METRIC_METHOD_PRESENCE_STATS)) {
        conn_reply(c, &(struct reply){.id = (uint32_t)(uintptr_t)op->context,
                                      .presence_stats = &op->stats});
    }
    conn_command_done(c);
}

struct perr_result cmd_presence_stats(struct conn *c, uint32_t id, const void *request)
{
    const struct presence_stats_request *r = request;
    const struct chan_opts *o;
    struct perr_result p = check_presence(c, r->channel, &o);
    if (p.code == PERR_OK) {
        metrics_add(c->w->metrics, METRIC_ACTIONS, METRIC_ACTION_PRESENCE_STATS, 1);
        submit(c, id, bus_op_new(BUS_PRESENCE_STATS, r->channel), o, got_stats);
    }
    return p;
}

static void got_history(struct bus_op *op)
{
    struct conn *c = op->owner;
    if (!failed(op, METRIC_METHOD_HISTORY)) {
        struct publication *pubs = op->found.publications.items;
        for (size_t i = 0; i < op->found.publications.n; i++) {
            pubs[i].time = 0; /* of the broker's own use */
        }
        struct history_result result = {
            .publications = op->found.publications,
            .epoch = op->found.top.epoch,
            .offset = op->found.top.offset,
        };
        conn_reply(c, &(struct reply){.id = (uint32_t)(uintptr_t)op->context, .history = &result});
    }
    conn_command_done(c);
}

struct perr_result cmd_history(struct conn *c, uint32_t id, const void *request)
{
    const struct history_request *r = request;
    const struct chan_opts *o;
    struct perr_result p = cmd_check_channel(c, r->channel, &o);
    if (p.code != PERR_OK) {
        return p;
    }
    if (!channel_has_history(o)) {
        return (struct perr_result){PERR_NOT_AVAILABLE, "history.off",
                                    "history is off in this namespace"};
    }
    if (!permits(c, o, RIGHT_HISTORY, r->channel)) {
        return (struct perr_result){
            PERR_PERMISSION_DENIED, "history.permission",
            "the namespace does not set an allow_history_for_ option that fits"};
    }
    if (r->reverse && r->since != NULL && r->since->offset == 0) {
        return (struct perr_result){PERR_BAD_REQUEST, "history.since",
                                    "reverse needs a since.offset above 0"};
    }
    struct bus_op *op = bus_op_new(BUS_HISTORY, r->channel);
    int64_t max = c->w->conf->client.history_max_publication_limit;
    op->history.limit = r->limit < 0 || r->limit > max ? max : r->limit;
    op->history.reverse = r->reverse;
    if (r->since != NULL) {
        op->history.has_since = true;
        op->history.since.offset = r->since->offset;
        op->history.since.epoch = arena_dup(&op->arena, r->since->epoch);
    }
    metrics_add(c->w->metrics, METRIC_ACTIONS, METRIC_ACTION_HISTORY, 1);
    submit(c, id, op, o, got_history);
    return CMD_OK;
}
