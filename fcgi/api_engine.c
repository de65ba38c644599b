/* SPDX-License-Identifier: Apache-2.0 */
/* Engine commands from the API: scripts that Redis has forgotten, failures, control commands. */
#include "fcgi/api.h"

#include "common/base/clk.h"
#include "common/base/log.h"
#include "common/format/b64.h"
#include "common/policy/channel.h"
#include "common/protocol/control.h"

struct engine_call {
    struct api_ctx *c;
    api_read_fn read;
    void *request;
    bool is_noscript;
    int rc;
    struct err err;
};

static void on_reply(const struct redisReply *reply, size_t index, void *arg)
{
    struct engine_call *call = arg;
    (void)index;
    call->is_noscript = engine_is_noscript(reply);
    if (!call->is_noscript) {
        call->rc = call->read(call->c, reply, call->request, &call->err);
    }
}

int api__engine(struct api_ctx *c, uint32_t shard, api_build_fn build, api_read_fn read,
                void *request)
{
    struct engine_call call = {.c = c, .read = read, .request = request};
    for (int attempt = 0; attempt < 2; attempt++) {
        buf_clear(&c->command);
        build(&c->api->engine, request, attempt != 0, &c->command);
        int rc = rsync_run(c->redis->conns[shard], buf_span(&c->command), 1, on_reply, &call,
                           &c->engine_failure);
        if (rc != 0) {
            api__tell_connection(rc, &c->engine_failure);
            return rc;
        }
        if (!call.is_noscript) {
            break;
        }
        call.rc = err_set(&call.err, ERR_UNAVAILABLE, "Redis does not keep its scripts");
    }
    if (call.rc != 0 && call.rc != ERR_UNRECOVERABLE) {
        api__log_redis(c, call.err.text);
        c->engine_failure = call.err;
    }
    return call.rc;
}

void api__tell_connection(int rc, struct err *e)
{
    struct err own = *e;
    if (rc == ERR_UNAVAILABLE) {
        err_set(e, rc, "Redis is not reachable, so nothing was done: %s", own.text);
    } else {
        err_set(e, rc,
                "Redis gave no answer, so it is not known whether this was done; a publish with "
                "an idempotency_key can be repeated safely: %s",
                own.text);
    }
}

struct perr_result api__engine_error(struct api_ctx *c, int rc)
{
    if (rc == ERR_UNRECOVERABLE) {
        return api__error(PERR_UNRECOVERABLE_POSITION, "history.epoch", NULL);
    }
    return api__error(PERR_INTERNAL, "redis.error",
                      arena_strdup(&c->arena, span_str(c->engine_failure.text)));
}

void api__log_redis(struct api_ctx *c, const char *text)
{
    uint32_t suppressed = 0;
    if (log_limit_pass(&c->redis_limit, clk_mono_ms(), &suppressed)) {
        rsync_log_error(text);
    }
}

struct perr_result api__channel(const struct api_ctx *c, struct span channel,
                                const struct chan_opts **opts)
{
    if (channel.n == 0) {
        return api__error(PERR_BAD_REQUEST, "channel.missing", "channel is required");
    }
    *opts = channel_opts(c->api->conf, channel);
    if (*opts == NULL) {
        return api__error(PERR_UNKNOWN_CHANNEL, "channel.unknown_namespace",
                          "its namespace is not in channel.namespaces");
    }
    return api__ok();
}

struct perr_result api__payload(struct api_ctx *c, struct span plain, struct span b64,
                                struct span *out)
{
    *out = plain;
    if (b64.n != 0) {
        return b64_decode(b64, &c->arena, out) == 0
                   ? api__ok()
                   : api__error(PERR_BAD_REQUEST, "data.base64",
                                "malformed base64, which has A-Z a-z 0-9 + / and = at its end");
    }
    return span_is_utf8(plain) ? api__ok()
                               : api__error(PERR_BAD_REQUEST, "data.utf8",
                                            "a payload is not UTF-8, which JSON has to be; binary "
                                            "data goes into b64data");
}

static int read_ok(struct api_ctx *c, const struct redisReply *reply, void *request, struct err *e)
{
    (void)c;
    (void)request;
    return engine_ok_read(reply, e);
}

static void build_control(const struct engine *e, void *request, bool use_eval, struct buf *out)
{
    struct buf name = {0};
    (void)use_eval; /* no script */
    engine_control_name(e, &name);
    engine_raw_publish_build(buf_span(&name), *(const struct span *)request, out);
    buf_free(&name);
}

/* A shard that is known to be down is left out as long as there is another one. What may have run
 * is not sent again. */
static int publish_anywhere(struct api_ctx *c, struct span payload)
{
    struct rsync_shards *s = c->api->shards;
    uint32_t first = rsync_shards_next(s);
    uint32_t down = 0;
    int rc = ERR_UNAVAILABLE;
    for (uint32_t i = 0; i < s->n && rc == ERR_UNAVAILABLE; i++) {
        uint32_t shard = (first + i) % s->n;
        if (rsync_target_is_down(&s->targets[shard])) {
            down++;
        } else {
            rc = api__engine(c, shard, build_control, read_ok, &payload);
        }
    }
    return down == s->n ? api__engine(c, first, build_control, read_ok, &payload) : rc;
}

struct perr_result api__control(struct api_ctx *c, struct control_command *command)
{
    command->uid = span_str(c->api->uid);
    buf_clear(&c->control);
    schema_pb_encode(&control_command_schema, command, &c->control);
    int rc = publish_anywhere(c, buf_span(&c->control));
    return rc == 0 ? api__ok() : api__engine_error(c, rc);
}
