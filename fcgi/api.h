/* SPDX-License-Identifier: Apache-2.0 */
/* The server API: its methods, one row each, and how a request becomes an answer. */
#pragma once

#include "common/base/rnd.h"
#include "common/engine/engine.h"
#include "common/policy/token.h"
#include "common/protocol/api.h"
#include "common/protocol/perr.h"
#include "fcgi/redis_shards.h"
#include "fcgi/request.h"
#include "fcgi/response.h"

struct control_command;
struct registry;

enum route_kind {
    ROUTE_NONE,
    ROUTE_METHOD, /* PREFIX/NAME */
    ROUTE_BATCH,
    ROUTE_LEGACY, /* PREFIX */
    ROUTE_PING,
    ROUTE_TOKEN,
    ROUTE_SUBSCRIPTION_TOKEN,
};

/* Which part of us a path belongs to. */
struct route {
    enum route_kind kind;
    const struct api_method *method; /* ROUTE_METHOD only */
};

/* What all threads share; immutable after the start. Everything is borrowed. */
struct api {
    const struct conf *conf;
    struct engine engine;
    struct rsync_shards *shards;
    struct registry *registry;
    char uid[RND_UUID_LEN + 1]; /* of this process, as sender of control commands */
};

/* A prepared publication, and how it went. */
struct api_publication_item {
    struct engine_publish request;
    struct engine_publish_result result;
    struct perr_result error;
    bool is_done;
    uint32_t shard;
    const struct conf_api_key *key; /* whose it is, for the log */
    struct arena *arena;            /* for the result's epoch */
};

/* What one request is worked on with; used again for the next one. */
struct api_ctx {
    const struct api *api;
    struct rsync_pool *redis; /* of the thread that works on it, borrowed; NULL until one does */
    const struct conf_api_key *key; /* whose request it is; NULL: everything is allowed */
    struct span address;            /* whence it came, for the log */
    struct arena arena;             /* of one request */
    struct buf command;             /* bytes for Redis */
    struct buf control;             /* a control command being encoded */
    bool is_unencodable;        /* a payload that is not JSON stands in the way of a JSON answer */
    struct api_publish publish; /* see api_publish_begin */
    struct api_publication_item publication;
    struct err engine_failure; /* of the last api__engine */
    struct log_limit refusal_limit;
    struct log_limit redis_limit;
};

void api_ctx_init(struct api_ctx *c, const struct api *api);
void api_ctx_fini(struct api_ctx *c);

/* Runs a decoded request and appends the result object; on an error `out` is left with garbage
 * behind its old end, which the caller cuts off. */
typedef struct perr_result (*api_run_fn)(struct api_ctx *c, const void *request, struct buf *out);

/* What a method has to do with channels: what a key may do whose channels are limited. */
enum api_reach {
    API_REACH_NONE,     /* nothing */
    API_REACH_CHANNEL,  /* the request names one */
    API_REACH_CHANNELS, /* it concerns several; the method looks at each by api__permit_channel */
    API_REACH_USER,     /* acts on all that a user has: such a key may not */
};

struct api_method {
    const char *name; /* path, member in batch, method of the single endpoint */
    int number;       /* at the single endpoint, -1: none */
    bool is_read;     /* GET is accepted too */
    bool in_batch;
    unsigned scope; /* that its key needs: one of API_SCOPE_* */
    enum api_reach reach;
    size_t channel; /* API_REACH_CHANNEL: where in the request */
    const struct schema *request;
    api_run_fn run;
};

/* The rows, in the order in which a batch command with several members is searched. */
extern const struct api_method api_methods[];
extern const size_t api_method_count;

/* NULL for an unknown name. */
const struct api_method *api_method_find(struct span name);

/* Forgets the previous request and its arena; to be called before request_init. */
void api_begin(struct api_ctx *c);
/* The checks that need no body: path, method, API key. False: the answer stands in `out`, which was
 * cleared before, and the body is of no interest. */
bool api_admit(struct api_ctx *c, const struct request *r, struct route *route,
               struct response *out);
/* Answers an admitted request. Never fails; an answer always stands in `out`. */
void api_execute(struct api_ctx *c, const struct request *r, const struct route *route,
                 struct response *out);

/* A publish request can also be executed in three steps, of which the middle one takes several at a
 * time. First: reads the request. */
enum api_step {
    API_OTHER,    /* not publish, or not by POST: nothing was done */
    API_PREPARED, /* the other two steps follow */
    API_ANSWERED, /* refused */
};
enum api_step api_publish_begin(struct api_ctx *c, const struct request *r,
                                const struct route *route, struct response *out);
/* Second: publishes what `n` contexts have prepared, over the connections of the first. */
void api_publish_group(struct api_ctx *const *contexts, size_t n);
/* Third. */
void api_publish_end(struct api_ctx *c, const struct request *r, struct response *out);

/* ---- for the files of the API ---- */

static inline struct perr_result api__ok(void)
{
    return (struct perr_result){0};
}

struct perr_result api__error(uint32_t code, const char *reason, const char *detail);

/* Whether the key of this request permits it: 103 with an explanation in the arena, and logged. The
 * second is about one of several channels. */
struct perr_result api__permit(struct api_ctx *c, const struct api_method *m, const void *request);
struct perr_result api__permit_channel(struct api_ctx *c, struct span channel);
/* Permits and runs. */
struct perr_result api__run(struct api_ctx *c, const struct api_method *m, const void *request,
                            struct buf *out);

/* Options of the channel's namespace, or 107 for an empty and 102 for an unknown one. */
struct perr_result api__channel(const struct api_ctx *c, struct span channel,
                                const struct chan_opts **opts);

/* The channel of a decoded request; absent when it has none, or several. */
struct span api__channel_of(const struct api_method *m, const void *request);
/* One line for an error that goes out, because many callers look at the status only, which is 200.
 * `channel` may be absent; not too often. */
void api__log_error(struct api_ctx *c, const char *method, struct span channel,
                    const struct perr_result *e);

/* {"code":..,"message":".."} */
void api__write_error(const struct perr_result *e, struct buf *out);

/* One engine command, to the shard of its channel: build is called with use_eval when Redis does
 * not know the script. read takes the reply. Returns what read returned, or the failure of the
 * connection. */
typedef void (*api_build_fn)(const struct engine *e, void *request, bool use_eval, struct buf *out);
typedef int (*api_read_fn)(struct api_ctx *c, const struct redisReply *reply, void *request,
                           struct err *e);
int api__engine(struct api_ctx *c, uint32_t shard, api_build_fn build, api_read_fn read,
                void *request);
static inline uint32_t api__shard_of(const struct api_ctx *c, struct span channel)
{
    return rsync_shards_of(c->api->shards, channel);
}
/* Error 100 for a failed api__engine, which says what Redis said; 112 for an unrecoverable
 * position.
 */
struct perr_result api__engine_error(struct api_ctx *c, int rc);
/* What an error of rsync_run means for the caller: whether the command may have run. */
void api__tell_connection(int rc, struct err *e);
/* Logs "redis error: TEXT", not too often. */
void api__log_redis(struct api_ctx *c, const char *text);

/* Publishes a control command of ours by way of any shard that is there. */
struct perr_result api__control(struct api_ctx *c, struct control_command *command);

/* A payload given plainly or in base64; the latter wins when it is not empty. 107 for malformed
 * base64, and for JSON that is not UTF-8: it would close the JSON clients, and the history that it
 * is in could not be told any more. */
struct perr_result api__payload(struct api_ctx *c, struct span plain, struct span b64,
                                struct span *out);

/* Publications run in pipelines. Those of a broadcast have their payload in `data`, decoded. */
struct perr_result api__publish_prepare(struct api_ctx *c, const struct api_publish *p,
                                        bool is_broadcast, struct api_publication_item *item);
void api__publish_run(struct api_ctx *c, struct api_publication_item *items, size_t n);
/* The same for publications that may not overtake each other: one whose script Redis does not know
 * would be sent again behind those that need another one, so the first of each brings its script
 * along. */
void api__publish_run_in_order(struct api_ctx *c, struct api_publication_item *items, size_t n);
void api__publish_write(const struct api_publication_item *item, struct buf *out);

struct perr_result api__publish(struct api_ctx *c, const void *request, struct buf *out);
struct perr_result api__broadcast(struct api_ctx *c, const void *request, struct buf *out);
struct perr_result api__presence(struct api_ctx *c, const void *request, struct buf *out);
struct perr_result api__presence_stats(struct api_ctx *c, const void *request, struct buf *out);
struct perr_result api__history(struct api_ctx *c, const void *request, struct buf *out);
struct perr_result api__history_remove(struct api_ctx *c, const void *request, struct buf *out);
struct perr_result api__channels(struct api_ctx *c, const void *request, struct buf *out);
struct perr_result api__info(struct api_ctx *c, const void *request, struct buf *out);
struct perr_result api__stats(struct api_ctx *c, const void *request, struct buf *out);
struct perr_result api__rpc(struct api_ctx *c, const void *request, struct buf *out);
struct perr_result api__subscribe(struct api_ctx *c, const void *request, struct buf *out);
struct perr_result api__unsubscribe(struct api_ctx *c, const void *request, struct buf *out);
struct perr_result api__disconnect(struct api_ctx *c, const void *request, struct buf *out);
struct perr_result api__refresh(struct api_ctx *c, const void *request, struct buf *out);

/* The body of a batch request: the whole answer object. ERR_SYNTAX or ERR_TYPE for a body that is
 * answered with 400. */
int api__batch(struct api_ctx *c, struct span body, struct buf *out, struct schema_error *e);
/* The single endpoint: answers in lines. The same errors. */
int api__legacy(struct api_ctx *c, struct span body, struct buf *out, struct schema_error *e);

/* The token endpoints. */
void api__token(struct api_ctx *c, const struct request *r, struct response *out);
void api__subscription_token(struct api_ctx *c, const struct request *r, struct response *out);

/* 400 as the reference answers it; what was wrong goes into the log. */
void api__malformed(struct api_ctx *c, const struct request *r, const struct schema_error *e,
                    struct response *out);
