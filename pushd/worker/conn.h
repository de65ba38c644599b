/* SPDX-License-Identifier: Apache-2.0 */
/* One client connection: its states, identity, timers, and what it is told. */
#pragma once

#include "common/base/clk.h"
#include "common/base/rnd.h"
#include "common/protocol/perr.h"
#include "common/protocol/proto.h"
#include "pushd/worker/outq.h"
#include "pushd/worker/upgrade.h"
#include "pushd/worker/wheel.h"
#include "pushd/worker/worker.h"
#include "pushd/worker/ws_frame.h"

struct lws;
struct connecting;

/* The peer's answer to our close frame has to come within this time, as have answers to what it
 * sent before its own. */
#define CONN_CLOSE_WAIT_MS 5000

enum conn_state {
    CONN_NEW,        /* the transport is open */
    CONN_CONNECTING, /* the connect command is being worked on */
    CONN_READY,
    CONN_REFUSED, /* connect was answered with an error: the client has to go */
    CONN_CLOSING, /* a close frame is queued or sent */
    CONN_DEAD,    /* on the doomed list */
};

struct conn {
    struct worker *w;
    struct lws *wsi; /* NULL once the transport is gone */
    int fd;
    enum conn_state state;
    enum proto_encoding enc;
    struct list link;       /* in worker->conns */
    struct list dirty_link; /* in worker->dirty; unlinked: clean */
    struct list doom_link;
    struct list user_link;
    struct user *user; /* NULL before connect */
    struct list subs;
    struct list ops; /* struct bus_op that will come back to this connection */
    struct outq out;
    struct timer timer; /* fires at the earliest of the times below, all clk_mono_ms, 0: off */
    int64_t stale_ms;
    int64_t ping_ms;
    int64_t pong_ms; /* deadline for the pong that is outstanding */
    int64_t expire_ms;
    int64_t tick_ms;
    int64_t close_ms;  /* the peer's close frame has to come until then */
    int64_t write_ms;  /* the socket has to take what it was given until then */
    int64_t expire_at; /* Unix seconds, 0: never */
    struct ws_reader reader;
    struct buf backlog; /* commands that wait for the one that is under way */
    size_t backlog_at;  /* those before it are done with */
    struct buf *unread; /* bytes that were there when reading paused, NULL: none. As they came: what
                           is compressed in them has to stay small */
    struct buf info;    /* conn_info */
    char *address;      /* of the peer, for the log */
    struct connecting
        *connecting;   /* a connect that waits for its subscriptions; cmd_connect.c's own */
    char *header_user; /* from client.user_id_http_header, until connect */
    uint32_t sub_count;
    uint16_t close_code;
    bool is_busy : 1; /* a command is under way: later ones wait */
    bool ping_outstanding : 1;
    bool wants_pong : 1;
    bool close_sent : 1;
    bool close_received : 1;
    bool is_limited : 1;      /* counted by limits_enter_user */
    bool is_counted : 1;      /* among the connected clients */
    bool is_executing : 1;    /* commands of a message are being taken one by one */
    bool is_paused : 1;       /* not read from: too many commands wait */
    bool is_deaf : 1;         /* framing is broken: what still comes is thrown away */
    bool is_mute : 1;         /* nobody gets what is sent: it is thrown away */
    bool has_deflate : 1;     /* permessage-deflate is negotiated */
    bool has_ping_frames : 1; /* pinged by frames of WebSocket, since the transport is open */
    char id[RND_UUID_LEN + 1];
};

/* A transport was opened; the caller gives ownership of wsi's life to ws.c, which calls conn_cut
 * once. */
struct conn *conn_new(struct worker *w, int fd, const struct upgrade *u, const char *address);

/* ---- from the transport ---- */
void conn_received(struct conn *c, char *bytes, size_t n);
void conn_writable(struct conn *c);
/* The socket did not take all it was given: it has websocket.write_timeout for the rest. */
void conn_blocked(struct conn *c);
/* The peer takes nothing any more. What it sent before is still read, up to the end that follows.
 */
void conn_mute(struct conn *c);
/* The transport is gone. Commands that came before its end are still executed. */
void conn_cut(struct conn *c);
/* Everything is undone, c is freed. */
void conn_gone(struct conn *c);

/* ---- for handlers ---- */

/* A frame or message that is incomplete has to go on in time, while it is read; all of that time
 * with `restart`. */
void conn_limit_frame(struct conn *c, bool restart);
/* Reading goes on: takes what was there when it paused. May pause again. */
void conn_take_unread(struct conn *c);
void conn_drop_unread(struct conn *c);

/* Queues a control frame of WebSocket; a close frame whatever the queue holds. */
void conn_send_control(struct conn *c, unsigned opcode, struct span payload);
/* The client does not keep up (METRIC_SLOW_*): closes with the figures. */
void conn_close_slow(struct conn *c, unsigned cause);
/* Queues a frame that others share. */
void conn_push(struct conn *c, struct delivery *d);
/* Encodes a reply for this connection and queues it. */
void conn_reply(struct conn *c, const struct reply *r);
/* A push of this connection alone. */
void conn_send_push(struct conn *c, const struct push *p);
/* Answers a command with an error, or closes, as the code says. The one place where handlers'
 * outcomes become protocol. */
void conn_fail(struct conn *c, unsigned method, uint32_t id, const struct perr_result *r);
/* The same for a command about a channel, which the log names. */
void conn_fail_about(struct conn *c, struct span channel, unsigned method, uint32_t id,
                     const struct perr_result *r);

/* Closes with a code and a reason text; the first call counts. What is queued is sent first, except
 * for 3000 and 3008. */
void conn_close(struct conn *c, uint32_t code, struct span reason);
/* The same with a row of perr and its explanation, and a log line. */
void conn_close_perr(struct conn *c, const struct perr_result *r);
/* The same because of a channel, which the log names. */
void conn_close_about(struct conn *c, struct span channel, const struct perr_result *r);

/* The command under way is answered: goes on with those that waited. */
void conn_command_done(struct conn *c);

/* After connect: identity is set, timers start. */
void conn_established(struct conn *c);
void conn_schedule(struct conn *c);
void conn_set_expiry(struct conn *c, int64_t expire_at);

/* No expiry is further away than this (client protocol 3.4). */
#define CONN_MAX_TTL_S (365 * 24 * 3600)

static inline int64_t conn_clamp_expiry(int64_t expire_at, int64_t now_s)
{
    return expire_at > now_s + CONN_MAX_TTL_S ? now_s + CONN_MAX_TTL_S : expire_at;
}

/* The `ttl` of a reply. What expired while Redis was asked is to be refreshed at once: SDKs do not
 * take 0. What has more seconds than the field holds expires in 136 years, not in a moment. */
static inline uint32_t conn_ttl_s(int64_t expire_at)
{
    int64_t ttl = expire_at - clk_wall_s();
    return ttl <= 1 ? 1 : ttl < UINT32_MAX ? (uint32_t)ttl : UINT32_MAX;
}

static inline bool conn_is_open(const struct conn *c)
{
    return c->state <= CONN_READY;
}

static inline struct span conn_id(const struct conn *c)
{
    return span_of(c->id, RND_UUID_LEN);
}

/* "" before connect. */
static inline struct span conn_user(const struct conn *c)
{
    return c->user != NULL ? c->user->node.key : SPAN("");
}

/* Sends an operation to control; `done` is called on this worker when it comes back, unless the
 * owner was taken away. */
void conn_submit(struct conn *c, struct bus_op *op, void (*done)(struct bus_op *op), void *context);
