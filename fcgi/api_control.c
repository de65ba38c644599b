/* SPDX-License-Identifier: Apache-2.0 */
/* subscribe, unsubscribe, disconnect, refresh: commands that every node applies to its connections
 * of a user. */
#include "fcgi/api.h"

#include "common/policy/channel.h"
#include "common/protocol/control.h"

/* How a server-side subscription came to be, as Centrifugo numbers it. */
#define SOURCE_SERVER_API 10

static bool overridden(const struct bool_value *v, bool option)
{
    return v != NULL ? v->value : option;
}

static void apply_options(const struct chan_opts *o, const struct api_override *override,
                          struct control_subscribe *out)
{
    static const struct api_override none;
    const struct api_override *v = override != NULL ? override : &none;
    out->emit_presence = overridden(v->presence, o->presence);
    out->emit_join_leave = overridden(v->join_leave, o->join_leave);
    out->push_join_leave = overridden(v->force_push_join_leave, o->force_push_join_leave);
    out->position = overridden(v->force_positioning, o->force_positioning);
    out->recover = overridden(v->force_recovery, o->force_recovery);
}

static struct perr_result send_command(struct api_ctx *c, struct control_command *command,
                                       struct buf *out)
{
    struct perr_result rc = api__control(c, command);
    if (rc.code == 0) {
        buf_add_str(out, "{}");
    }
    return rc;
}

struct perr_result api__subscribe(struct api_ctx *c, const void *request, struct buf *out)
{
    const struct api_subscribe *r = request;
    const struct chan_opts *o = NULL;
    struct perr_result rc = api__channel(c, r->channel, &o);
    if (rc.code != 0) {
        return rc;
    }
    struct control_subscribe s = {
        .user = r->user,
        .channel = r->channel,
        .expire_at = r->expire_at,
        .client = r->client,
        .recover_since = r->recover_since,
        .session = r->session,
        .source = SOURCE_SERVER_API,
    };
    rc = api__payload(c, r->info, r->b64info, &s.channel_info);
    if (rc.code == 0) {
        rc = api__payload(c, r->data, r->b64data, &s.data);
    }
    if (rc.code != 0) {
        return rc;
    }
    apply_options(o, r->override, &s);
    return send_command(c, &(struct control_command){.subscribe = &s}, out);
}

struct perr_result api__unsubscribe(struct api_ctx *c, const void *request, struct buf *out)
{
    const struct api_unsubscribe *r = request;
    if (r->channel.n != 0) {
        const struct chan_opts *o = NULL;
        struct perr_result rc = api__channel(c, r->channel, &o);
        if (rc.code != 0) {
            return rc;
        }
    }
    struct control_unsubscribe u = {
        .channel = r->channel,
        .user = r->user,
        .client = r->client,
        .session = r->session,
        .code = PERR_UNSUBSCRIBE_SERVER,
        .reason = span_str(perr_row(PERR_UNSUBSCRIBE_SERVER)->text),
    };
    return send_command(c, &(struct control_command){.unsubscribe = &u}, out);
}

struct perr_result api__disconnect(struct api_ctx *c, const void *request, struct buf *out)
{
    const struct api_disconnect *r = request;
    struct control_disconnect d = {
        .user = r->user,
        .whitelist = r->whitelist,
        .code = r->disconnect != NULL ? r->disconnect->code : PERR_CLOSE_FORCE,
        .reason = r->disconnect != NULL ? r->disconnect->reason
                                        : span_str(perr_row(PERR_CLOSE_FORCE)->text),
        .client = r->client,
        .session = r->session,
    };
    return send_command(c, &(struct control_command){.disconnect = &d}, out);
}

struct perr_result api__refresh(struct api_ctx *c, const void *request, struct buf *out)
{
    const struct api_refresh *r = request;
    struct control_refresh f = {
        .user = r->user,
        .client = r->client,
        .expired = r->expired,
        .expire_at = r->expire_at,
        .session = r->session,
    };
    struct perr_result rc = api__payload(c, r->info, (struct span){0}, &f.info);
    if (rc.code != 0) {
        return rc;
    }
    return send_command(c, &(struct control_command){.refresh = &f}, out);
}
