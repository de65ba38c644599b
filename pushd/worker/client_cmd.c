/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of clients: decoded, checked, handed to their handlers. */
#include "pushd/worker/client_cmd.h"

#include "common/base/err.h"
#include "common/policy/channel.h"
#include "pushd/worker/key_wait.h"
#include "pushd/worker/ws.h"

/* Waiting commands of one client: with more it is not read any further, so that what it sends waits
 * in its socket, until few are left. */
#define BACKLOG_HIGH (256U << 10)
#define BACKLOG_LOW  (64U << 10)

#define NO_CHANNEL SIZE_MAX

typedef struct perr_result (*cmd_fn)(struct conn *c, uint32_t id, const void *request);

/* By precedence: when a command carries several requests, the first of this list is executed. */
static const struct client_cmd {
    const char *name;
    unsigned method;
    size_t offset;  /* of the request in struct command */
    size_t channel; /* of the channel in the request; NO_CHANNEL: it has none */
    cmd_fn handle;
} commands[] = {
    {"connect", METRIC_METHOD_CONNECT, offsetof(struct command, connect), NO_CHANNEL, cmd_connect},
    {"subscribe", METRIC_METHOD_SUBSCRIBE, offsetof(struct command, subscribe),
     offsetof(struct subscribe_request, channel), cmd_subscribe},
    {"unsubscribe", METRIC_METHOD_UNSUBSCRIBE, offsetof(struct command, unsubscribe),
     offsetof(struct unsubscribe_request, channel), cmd_unsubscribe},
    {"publish", METRIC_METHOD_PUBLISH, offsetof(struct command, publish),
     offsetof(struct publish_request, channel), cmd_publish},
    {"presence", METRIC_METHOD_PRESENCE, offsetof(struct command, presence),
     offsetof(struct presence_request, channel), cmd_presence},
    {"presence_stats", METRIC_METHOD_PRESENCE_STATS, offsetof(struct command, presence_stats),
     offsetof(struct presence_stats_request, channel), cmd_presence_stats},
    {"history", METRIC_METHOD_HISTORY, offsetof(struct command, history),
     offsetof(struct history_request, channel), cmd_history},
    {"rpc", METRIC_METHOD_RPC, offsetof(struct command, rpc), NO_CHANNEL, cmd_rpc},
    {"send", METRIC_METHOD_SEND, offsetof(struct command, send), NO_CHANNEL, cmd_send},
    {"refresh", METRIC_METHOD_REFRESH, offsetof(struct command, refresh), NO_CHANNEL, cmd_refresh},
    {"sub_refresh", METRIC_METHOD_SUB_REFRESH, offsetof(struct command, sub_refresh),
     offsetof(struct sub_refresh_request, channel), cmd_sub_refresh},
};

#define FIRST_FRAME "{\"id\":1,\"connect\":{\"token\":\"...\"}}"

const char *client_cmd_name(unsigned method)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (commands[i].method == method) {
            return commands[i].name;
        }
    }
    return "unknown";
}

static const void *request_of(const struct client_cmd *cmd, const struct command *m)
{
    return *(void *const *)(const void *)((const char *)m + cmd->offset);
}

/* Absent when the command has none. */
static struct span channel_of(const struct client_cmd *cmd, const void *request)
{
    return cmd->channel == NO_CHANNEL
               ? (struct span){0}
               : *(const struct span *)(const void *)((const char *)request + cmd->channel);
}

static const struct client_cmd *find_request(const struct command *m)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (request_of(&commands[i], m) != NULL) {
            return &commands[i];
        }
    }
    return NULL;
}

static void bad_request(struct conn *c, const char *reason, const char *detail)
{
    conn_close_perr(c, &(struct perr_result){PERR_CLOSE_BAD_REQUEST, reason, detail});
}

static void take_pong(struct conn *c)
{
    if (!c->ping_outstanding) {
        bad_request(
            c, "pong.unexpected",
            "a command needs an \"id\" above 0; without one it is a pong, and no ping is open");
        return;
    }
    c->ping_outstanding = false;
    c->pong_ms = 0;
}

/* A first command that is no connect; `text` is how it came. */
static void refuse_first(struct conn *c, const struct command *m, struct span text)
{
    if (c->enc == ENC_JSON && span_contains(text, "\"params\":")) {
        bad_request(c, "command.v1",
                    "protocol v1 of old client libraries; centrifuge-js has to be 3 or later");
        return;
    }
    bad_request(c, "command.first",
                m->id == 0
                    ? "no \"id\", and the first command must be connect, such as " FIRST_FRAME
                    : "the first command must be connect, such as " FIRST_FRAME);
}

/* The rules of client protocol 2.5 that need no handler. NULL: done with. */
static const struct client_cmd *admit(struct conn *c, const struct command *m, struct span text)
{
    const struct client_cmd *cmd = find_request(m);
    if (c->state == CONN_NEW && m->connect == NULL) {
        refuse_first(c, m, text);
        return NULL;
    }
    if (m->id == 0 && m->send == NULL) {
        if (c->state == CONN_NEW) {
            bad_request(c, "command.id",
                        "connect without an \"id\" above 0; a first frame looks like " FIRST_FRAME);
        } else {
            take_pong(c);
        }
        return NULL;
    }
    if (m->connect != NULL && c->state != CONN_NEW) {
        bad_request(c, "connect.twice", "connect on a connection that is connected already");
        return NULL;
    }
    if (cmd == NULL || (m->ping != NULL && m->connect == NULL)) {
        if (cmd != NULL) {
            conn_fail(c, METRIC_METHOD_UNKNOWN, m->id,
                      &(struct perr_result){PERR_NOT_AVAILABLE, "command.ping", NULL});
        } else {
            bad_request(
                c, "command.unknown",
                "no known command; known are connect, subscribe, unsubscribe, publish, ...");
        }
        return NULL;
    }
    return cmd;
}

static int decode(struct conn *c, struct span text, struct command *out)
{
    struct schema_error e = {0};
    size_t consumed;
    int rc = c->enc == ENC_JSON
                 ? schema_json_decode(&command_schema, text, &c->w->arena, out, &consumed, &e)
                 : schema_pb_decode(&command_schema, text, &c->w->arena, out, &e);
    if (rc != 0) {
        char detail[160];
        struct buf b = {.p = detail, .cap = sizeof(detail), .max = sizeof(detail) - 1};
        buf_add_str(&b, e.what);
        if (e.field.n != 0) {
            buf_add_str(&b, " in \"");
            buf_add_span(&b, e.field);
            buf_add_str(&b, "\"");
        }
        if (c->state == CONN_NEW) {
            buf_add_str(&b, "; a first frame looks like " FIRST_FRAME);
        }
        detail[b.n] = '\0';
        bad_request(c, "frame.malformed", detail);
    }
    return rc;
}

/* One command, or with `missing` the second try of one. */
static void execute(struct conn *c, struct span text, const struct perr_result *missing)
{
    struct command m;
    arena_reset(&c->w->arena);
    if (decode(c, text, &m) != 0) {
        return;
    }
    const struct client_cmd *cmd = admit(c, &m, text);
    if (cmd == NULL) {
        return;
    }
    struct key_wait k = {cmd->method, request_of(cmd, &m), text};
    if (missing == NULL) {
        metrics_add(c->w->metrics, METRIC_COMMANDS, cmd->method, 1);
    }
    struct perr_result r = cmd->handle(c, m.id, k.request);
    if (token_is_pending(&r) && missing == NULL) {
        r = key_wait(c, &k, r);
    } else if (token_is_pending(&r)) {
        r.reason = missing->reason; /* the code is the handler's: it depends on the command */
        r.detail = missing->detail;
    }
    if (r.code != PERR_OK) {
        conn_fail_about(c, channel_of(cmd, k.request), cmd->method, m.id, &r);
    }
}

void client_cmd_again(struct conn *c, struct span command, const struct perr_result *missing)
{
    c->is_busy = false;
    c->is_executing = true;
    execute(c, command, missing);
    c->is_executing = false;
    if (!c->is_busy) {
        conn_command_done(c);
    }
}

static void keep(struct conn *c, struct span rest)
{
    uint32_t n = (uint32_t)rest.n;
    if (c->backlog_at > BACKLOG_HIGH) {
        c->backlog.n -= c->backlog_at;
        memmove(c->backlog.p, c->backlog.p + c->backlog_at, c->backlog.n);
        c->backlog_at = 0;
    }
    buf_add(&c->backlog, &n, sizeof(n));
    buf_add_span(&c->backlog, rest);
    if (!c->is_paused && c->backlog.n - c->backlog_at > BACKLOG_HIGH) {
        c->is_paused = true;
        ws_read_on(c, false);
    }
}

/* Executes until the end of the message or until a command has to wait for Redis. Returns what is
 * left then. */
static struct span run(struct conn *c, struct span rest)
{
    struct span text;
    int rc;
    c->is_executing = true;
    while (conn_is_open(c) && !c->is_busy && (rc = frame_next(c->enc, &rest, &text)) != 0) {
        if (rc < 0) {
            bad_request(c, "frame.empty",
                        c->enc == ENC_JSON ? "an empty line between commands"
                                           : "a length prefix beyond the frame");
            break;
        }
        execute(c, text, NULL);
    }
    c->is_executing = false;
    return c->is_busy ? rest : SPAN("");
}

void client_cmd_message(struct conn *c, struct span message)
{
    if (message.n == 0) {
        bad_request(c, "frame.empty", "an empty frame");
        return;
    }
    if (c->is_busy || c->backlog.n != 0) {
        keep(c, message);
        return;
    }
    struct span rest = run(c, message);
    if (rest.n != 0 && conn_is_open(c)) {
        keep(c, rest);
    }
}

static void read_again(struct conn *c)
{
    bool was_paused = c->is_paused;
    if (c->is_paused && c->backlog.n - c->backlog_at < BACKLOG_LOW) {
        c->is_paused = false;
        conn_take_unread(c);
    }
    if (was_paused && !c->is_paused) {
        ws_read_on(c, true);
        conn_limit_frame(c, true);
    }
}

void client_cmd_resume(struct conn *c)
{
    if (c->is_executing) {
        return; /* it was answered at once: who called its handler goes on */
    }
    /* Out of the connection's reach while commands in it are executed: one of them may close. */
    struct buf waiting = c->backlog;
    size_t at = c->backlog_at;
    c->backlog = (struct buf){0};
    c->backlog_at = 0;
    while (at < waiting.n && conn_is_open(c) && !c->is_busy) {
        uint32_t n;
        memcpy(&n, waiting.p + at, sizeof(n));
        at += sizeof(n) + n;
        struct span rest = run(c, span_of(waiting.p + at - n, n));
        if (rest.n != 0) {
            /* Stays where it is, so that a long backlog is not copied for each of its commands. */
            n = (uint32_t)rest.n;
            at -= sizeof(n) + n;
            memcpy(waiting.p + at, &n, sizeof(n));
        }
    }
    if (at < waiting.n && conn_is_open(c)) {
        c->backlog = waiting;
        c->backlog_at = at;
    } else {
        buf_free(&waiting);
    }
    read_again(c);
}

void client_cmd_drop(struct conn *c)
{
    buf_free(&c->backlog);
    c->backlog_at = 0;
    if (c->is_paused) {
        c->is_paused = false;
        ws_read_on(c, true); /* the peer's close frame */
    }
}

struct perr_result cmd_check_channel(const struct conn *c, struct span channel,
                                     const struct chan_opts **opts)
{
    if (channel.n == 0) {
        return (struct perr_result){PERR_CLOSE_BAD_REQUEST, "channel.empty",
                                    "a command without a channel"};
    }
    *opts = channel_opts(c->w->conf, channel);
    if (*opts == NULL) {
        return (struct perr_result){PERR_UNKNOWN_CHANNEL, "channel.namespace",
                                    "its namespace is not in channel.namespaces"};
    }
    if (!channel_name_is_valid(c->w->conf, *opts, channel)) {
        return (struct perr_result){PERR_BAD_REQUEST, "channel.name",
                                    "the name does not fit channel_regex, or is not ASCII"};
    }
    return CMD_OK;
}

struct perr_result cmd_check_token_subs(const struct conn *c, const struct token_connect *t)
{
    for (size_t i = 0; i < t->sub_count; i++) {
        if (channel_opts(c->w->conf, t->subs[i].channel) == NULL) {
            return (struct perr_result){
                PERR_UNKNOWN_CHANNEL, "channel.namespace",
                "a channel of the token has a namespace that is not configured"};
        }
    }
    return CMD_OK;
}
