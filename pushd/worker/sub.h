/* SPDX-License-Identifier: Apache-2.0 */
/* One subscription: a connection in a channel, its position in the stream and how it came to be. */
#pragma once

#include "common/policy/token.h"
#include "common/protocol/proto.h"
#include "pushd/bus.h"
#include "pushd/worker/hub.h"
#include "pushd/worker/outq.h"

struct sub_start;

struct sub {
    struct conn *conn;
    struct chan *chan;
    const struct chan_opts *opts;
    struct list link;      /* in conn->subs */
    struct sub_start *start; /* not NULL while it is being established */
    uint64_t offset;       /* of the last publication delivered, when positioned */
    int64_t checked_ms;    /* when the position was last known to be good */
    int64_t expire_at;     /* Unix seconds, 0: never */
    char *info;            /* chan_info, or NULL */
    uint32_t info_len;
    uint32_t index;        /* in chan->subs */
    uint32_t epoch_id;
    bool is_server_side : 1;
    bool is_from_token : 1; /* of the connection token */
    bool is_positioned : 1;
    bool is_recoverable : 1;
    bool has_presence : 1;
    bool emits_join_leave : 1;
    bool gets_join_leave : 1;
    bool is_checking : 1;  /* a position check is under way */
};

/* Called once when the subscription is established or failed; on failure the subscription is gone already, `s` and `result` are
 * NULL. The result is valid until sub_release. */
typedef void (*sub_done_fn)(struct conn *c, struct sub *s, void *ctx, const struct perr_result *outcome,
                            const struct subscribe_result *result);

struct sub_params {
    struct span channel;
    const struct chan_opts *opts;
    bool is_server_side;
    bool is_from_token;
    const struct token_sub *token; /* overrides, info, data; NULL: none */
    int64_t expire_at;
    bool wants_positioned;
    bool wants_recoverable;
    bool wants_join_leave;
    bool recover;
    bool rejects_unrecoverable; /* flag 0x2: error 112 */
    uint64_t since_offset;
    struct span since_epoch;
    sub_done_fn done;
    void *ctx;
};

/* Starts it; permissions and limits are checked already. `done` may be called before this returns only through sub_proceed of a
 * channel that is ready and needs nothing from Redis. */
void sub_begin(struct conn *c, const struct sub_params *p);

/* After `done` wrote its reply: delivers what was held back and announces the join. */
void sub_release(struct sub *s);

struct sub *sub_find(const struct conn *c, struct span channel);

/* Ends it: presence and leave, out of the tables, freed. Also cancels one that is being established (its `done` is not called). */
void sub_end(struct sub *s);

/* The channel became ready, or cannot be had. */
void sub_channel_ready(struct sub *s, int error);

/* A message of the channel: position check, then the connection's queue. */
void sub_deliver(struct sub *s, struct msg *m, struct delivery *by_encoding[ENC_COUNT]);

/* Every client.presence_update_interval of the connection: presence refresh, position check, expiry. */
void sub_tick(struct sub *s, int64_t now_ms);

/* Fills client info of the connection in this channel; spans are borrowed. */
void sub_client_info(const struct sub *s, struct client_info *out);
