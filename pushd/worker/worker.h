/* SPDX-License-Identifier: Apache-2.0 */
/* A worker: one thread, one loop, its own connections and tables; nothing of it is touched by
 * another thread. */
#pragma once

#include "common/policy/conf.h"
#include "common/policy/token.h"
#include "pushd/bus.h"
#include "pushd/metrics.h"
#include "pushd/worker/batch_send.h"
#include "pushd/worker/hub.h"
#include "pushd/worker/outq.h"
#include "pushd/worker/pace.h"
#include "pushd/worker/wheel.h"

struct ws;
struct acceptor;
struct limits;

/* What all workers share and nobody changes after the start. */
struct worker_shared {
    const struct conf *conf;
    struct bus *bus;
    const struct token_verifier *connect_tokens;
    const struct token_verifier *subscribe_tokens;
    struct limits *limits;
    const char *version; /* as the connect reply gives it */
};

/* How clients are pinged. */
enum worker_ping {
    WORKER_PING_JSON = ENC_JSON,
    WORKER_PING_PROTOBUF = ENC_PROTOBUF,
    WORKER_PING_FRAME, /* of WebSocket */
    WORKER_PING_COUNT,
};

/* Refusals of the same kind come in floods: one limiter for the log a worker. */
struct worker {
    const struct worker_shared *shared;
    const struct conf *conf;
    uint16_t index;
    struct ev_loop *loop;
    struct metrics *metrics;
    struct hub hub;
    struct wheel wheel;
    struct ws *ws;
    struct acceptor *acceptor;
    struct batch_send *batch;
    struct delivery_pool deliveries;
    struct delivery *ping[WORKER_PING_COUNT]; /* of the last turn that pinged; NULL: none yet */
    struct list dirty;                        /* connections with something to send */
    struct list doomed;                       /* connections to be dropped at the end of the turn */
    struct list conns;                        /* all */
    uint32_t conn_count;
    struct pace pace;        /* of taking messages from the inbox */
    struct arena arena;      /* for one command or message, reset after it */
    struct buf scratch;      /* for encoding one reply */
    struct buf gather;       /* coalesced frames of one batch */
    struct deflate *deflate; /* NULL: websocket.compression is off */
    struct buf inflated;     /* the message at hand, expanded */
    struct log_limit refusals;
    struct log_limit lateness;
    int64_t now_ms; /* of this loop turn, clk_mono_ms */
    bool is_stopping;
    ev_async wake;
    ev_prepare prepare;
    ev_check check;
    ev_idle idle;
    ev_timer tick;
};

struct worker_opts {
    const struct worker_shared *shared;
    uint16_t index;
    const int *listen_fds; /* borrowed; this worker accepts from all of them */
    size_t listen_count;
};

/* Made on the main thread. NULL and e when the loop, libwebsockets or io_uring refuse. */
struct worker *worker_new(const struct worker_opts *opts, struct err *e);
/* The thread's body: returns after BUS_STOP when all connections are closed. */
void worker_run(struct worker *w);
void worker_free(struct worker *w);

/* One ping for all that are pinged in this turn of the loop. Borrowed. */
struct delivery *worker_ping(struct worker *w, enum worker_ping kind);
