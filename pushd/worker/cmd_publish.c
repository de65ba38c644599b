/* SPDX-License-Identifier: Apache-2.0 */
/* The command publish (client protocol 5.3). */
#include "common/policy/channel.h"
#include "pushd/worker/client_cmd.h"
#include "pushd/worker/sub.h"

static void published(struct bus_op *op)
{
    struct conn *c = op->owner;
    uint32_t id = (uint32_t)(uintptr_t)op->context;
    if (op->error != 0) {
        conn_fail_about(c, op->channel, METRIC_METHOD_PUBLISH, id,
                        &(struct perr_result){PERR_INTERNAL, "redis.unavailable", NULL});
    } else {
        struct empty nothing = {0};
        conn_reply(c, &(struct reply){.id = id, .publish = &nothing});
    }
    conn_command_done(c);
}

struct perr_result cmd_publish(struct conn *c, uint32_t id, const void *request)
{
    const struct publish_request *r = request;
    const struct chan_opts *o;
    struct perr_result p = cmd_check_channel(c, r->channel, &o);
    if (p.code != PERR_OK) {
        return p;
    }
    if (r->type != 0) {
        return (struct perr_result){PERR_PERMISSION_DENIED, "publish.type",
                                    "the channel is no map, and type asks for one"};
    }
    if (!channel_data_is_valid(o, r->data)) {
        return (struct perr_result){
            PERR_BAD_REQUEST, "publish.data",
            "the data is empty or not of the namespace's publication_data_format"};
    }
    if (o->publish_proxy_enabled) {
        return (struct perr_result){PERR_NOT_AVAILABLE, "publish.proxy",
                                    "the namespace leaves it to a proxy, which is not there"};
    }
    struct sub *s = sub_find(c, r->channel);
    struct channel_subject who = {.user = conn_user(c), .is_subscribed = s != NULL};
    if (!channel_permits(c->w->conf, o, RIGHT_PUBLISH, &who)) {
        return (struct perr_result){
            PERR_PERMISSION_DENIED, "publish.permission",
            "the namespace does not set an allow_publish_for_ option that fits"};
    }
    struct bus_op *op = bus_op_new(BUS_PUBLISH, r->channel);
    op->opts = o;
    op->data = arena_dup(&op->arena, r->data);
    op->has_info = true;
    op->info = (struct client_info){
        .user = arena_dup(&op->arena, conn_user(c)),
        .client = arena_dup(&op->arena, conn_id(c)),
        .conn_info = c->info.n != 0 ? arena_dup(&op->arena, buf_span(&c->info)) : (struct span){0},
        .chan_info =
            s != NULL ? arena_dup(&op->arena, span_of(s->info, s->info_len)) : (struct span){0},
    };
    log_info(LOG_CLIENT, "publish", LOG_TEXT("channel", r->channel), LOG_TEXT("client", conn_id(c)),
             LOG_TEXT("user", conn_user(c)), LOG_NUM("bytes", r->data.n));
    c->is_busy = true;
    conn_submit(c, op, published, (void *)(uintptr_t)id);
    return CMD_OK;
}
