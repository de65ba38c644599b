/* SPDX-License-Identifier: Apache-2.0 */
/* One subscription: a connection in a channel, its position in the stream and how it came to be. */
#pragma once

#include "common/policy/tags_filter.h"
#include "common/policy/token.h"
#include "common/protocol/proto.h"
#include "pushd/bus.h"
#include "pushd/worker/hub.h"
#include "pushd/worker/outq.h"

struct sub_start;

struct sub {
    /* What a delivery reads and writes comes first, in one cache line or two neighbours. */
    struct conn *conn;
    struct sub_start *start;    /* not NULL while it is being established; sub_start.c's own */
    struct tags_filter *filter; /* NULL: all publications pass */
    uint64_t offset;            /* of the last publication delivered, when positioned */
    int64_t checked_ms;         /* when the position was last known to be good */
    uint32_t epoch_id;
    bool is_server_side : 1;
    bool is_from_token : 1; /* of the connection token */
    bool is_positioned : 1;
    bool is_recoverable : 1;
    bool has_presence : 1;
    bool has_announced : 1; /* presence was sent to Redis */
    bool emits_join_leave : 1;
    bool gets_join_leave : 1;
    bool has_delta : 1;
    bool has_base : 1;    /* the client has the publication before the next one */
    bool is_checking : 1; /* a position check is under way */
    bool is_compact : 1;  /* pushes name the channel by chan->id */
    bool is_behind : 1;   /* noticed while it was being established */
    uint32_t index;       /* in chan->subs */
    uint32_t info_len;
    struct chan *chan;
    const struct chan_opts *opts;
    struct list link;  /* in conn->subs */
    int64_t expire_at; /* Unix seconds, 0: never */
    char *info;        /* chan_info, or NULL */
};

/* How a start ended; the result is valid until sub_release, the rest during the call. */
struct sub_outcome {
    struct span channel;
    struct perr_result error;              /* PERR_OK: established */
    struct sub *sub;                       /* NULL after an error: it is gone already */
    const struct subscribe_result *result; /* NULL after an error */
};

/* Called once when the subscription is established or failed. */
typedef void (*sub_done_fn)(struct conn *c, void *ctx, const struct sub_outcome *o);

struct sub_params {
    struct span channel;
    const struct chan_opts *opts;
    bool is_server_side;
    bool is_from_token;
    const struct token_sub *token; /* overrides, info, data; NULL: none */
    int64_t expire_at;
    const struct subscribe_request
        *wish; /* positioned, recover, delta and so on; NULL: nothing is asked for */
    struct tags_filter *filter; /* taken over, or NULL */
    sub_done_fn done;
    void *ctx;
};

/* ---- sub_start.c ---- */

/* Starts it; permissions and limits are checked already. `done` is called before this returns when
 * the channel is ready and nothing is needed from Redis. */
void sub_begin(struct conn *c, const struct sub_params *p);
/* The channel became ready, or cannot be had. */
void sub_channel_ready(struct sub *s, int error);
/* After `done` wrote its reply: delivers what was held back and announces the join. */
void sub_release(struct sub *s);
/* A message that arrives before that. */
void sub_hold(struct sub *s, struct msg *m);
void sub_start_free(struct sub *s);
/* sub_unsubscribe before the answer. */
void sub_start_doom(struct sub *s, uint32_t code, struct span reason);

/* ---- sub.c ---- */

struct sub *sub_find(const struct conn *c, struct span channel);

/* Ends it: presence and leave, out of the tables, freed. Also cancels one that is being established
 * (its `done` is not called). */
void sub_end(struct sub *s);

/* Ends it and tells the client. One that is being established ends right after its answer: whoever
 * takes a right away must not be overtaken by the start of its use. */
void sub_unsubscribe(struct sub *s, uint32_t code, struct span reason);

/* Every client.presence_update_interval of the connection: presence refresh, position check,
 * expiry. */
void sub_tick(struct sub *s, int64_t now_ms);

/* Takes a copy as the chan_info, in place of the one before; n == 0: none. */
void sub_keep_info(struct sub *s, struct span info);

/* The position has a hole: the client has to subscribe or connect again. The subscription is gone
 * afterwards. */
void sub_insufficient(struct sub *s);
/* Whether the top of the stream, which was read after the position was last known to be good, says
 * that it belongs to another stream, or that it has what Redis lost. */
bool sub_is_astray(const struct sub *s);
/* ... or that publications are missing, which may be on their way. */
bool sub_is_behind(const struct sub *s);
/* sub_insufficient from a check of the whole channel: one that is being established is told at its
 * end, if it does not read history once more. */
void sub_fell_behind(struct sub *s);

/* An operation with the client's info in this channel. */
struct bus_op *sub_make_op(const struct sub *s, enum bus_kind kind);
/* The same, sent without waiting for its end. */
void sub_send_op(const struct sub *s, enum bus_kind kind);

/* ---- sub_deliver.c ---- */

/* One message on its way to the subscriptions of one worker: its frames are looked up once. */
struct dispatch {
    struct msg *msg;
    struct arena *arena; /* for the tags */
    struct vec tags;
    bool has_tags;
    bool is_late;      /* older than client.channel_position_max_time_lag */
    uint32_t epoch_id; /* of the channel */
    int64_t now_ms;
    struct delivery *frames[MSG_FORMS];
};

/* The arena is borrowed until dispatch_fini. */
void dispatch_init(struct dispatch *d, const struct worker *w, const struct chan *c, struct msg *m,
                   struct arena *a);
/* Position check, filter, then the connection's queue. */
void sub_deliver(struct sub *s, struct dispatch *d);
void dispatch_fini(struct dispatch *d, struct delivery_pool *pool);
