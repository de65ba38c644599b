/* SPDX-License-Identifier: Apache-2.0 */
/* The Redis engine without I/O: builds the bytes of commands, reads replies. One place knows keys,
 * scripts and payloads.
 *
 * Every builder appends exactly one Redis command to `out`. Commands that run a script use EVALSHA;
 * when Redis answers NOSCRIPT (engine_is_noscript) the caller builds the same request again with
 * e->use_eval set in the request. Readers take the reply that hiredis parsed. Names and layouts
 * follow Centrifugo's, see the man page pushd(8), section REDIS. */
#pragma once

#include "common/base/arena.h"
#include "common/policy/conf.h"
#include "common/protocol/proto.h"

struct redisReply; /* of hiredis */

/* Which keys to use; made once from the configuration. */
struct engine {
    struct span prefix;
    bool use_lists;
    int64_t history_meta_ttl_s; /* the global one, for lists */
    int64_t presence_ttl_s;
    bool presence_hash_field_ttl;
    bool presence_user_mapping;
};

/* Borrows the prefix from c. */
void engine_init(struct engine *e, const struct conf *c);

/* Which of `shards` Redis setups holds everything of a channel: jump consistent hash of its FNV-1a
 * (redis-layout, section 10). Costs nothing when there is one. */
uint32_t engine_shard_of(struct span channel, uint32_t shards);

/* PREFIX.client.CHANNEL */
void engine_channel_name(const struct engine *e, struct span channel, struct buf *out);
/* The CHANNEL of such a name; false for any other name. Borrowed from name. */
bool engine_channel_of(const struct engine *e, struct span name, struct span *channel);
/* "PREFIX.control", "PREFIX.node.UID", "PREFIX.node.UID.probe", "PREFIX.shard.0" */
void engine_control_name(const struct engine *e, struct buf *out);
void engine_node_name(const struct engine *e, struct span uid, struct buf *out);
void engine_probe_name(const struct engine *e, struct span uid, struct buf *out);
void engine_shard_name(const struct engine *e, struct buf *out);

/* ---- publish ---- */

struct engine_publish {
    struct span channel;
    struct span data;
    const struct client_info *info; /* NULL from the server API */
    const struct vec *tags;         /* of struct kv; NULL: none */
    int64_t time_ms;
    /* History is on when both are positive; the caller zeroes them for skip_history. */
    int64_t history_size;
    int64_t history_ttl_s;
    int64_t history_meta_ttl_s;
    struct span idempotency_key; /* n == 0: none */
    bool delta;
    uint64_t version;
    struct span version_epoch;
    bool use_eval;
};

/* A stream position; the epoch is borrowed from the reply or arena it came from. */
struct engine_position {
    uint64_t offset;
    struct span epoch;
};

struct engine_publish_result {
    struct engine_position position; /* zero without history */
    bool suppressed_by_key;
    bool suppressed_by_version;
};

/* What a publication is sent as. */
enum engine_publish_form {
    PUBLISH_PLAIN, /* PUBLISH, no script */
    PUBLISH_ONCE,  /* the script of idempotency keys without history */
    PUBLISH_KEPT,  /* a script that keeps history */
    PUBLISH_FORMS,
};
enum engine_publish_form engine_publish_form(const struct engine_publish *p);

/* Plain PUBLISH, or one of the scripts of redis-layout 3.2 to 3.4. */
void engine_publish_build(const struct engine *e, const struct engine_publish *p, struct buf *out);
/* ERR_UNAVAILABLE for an error reply (text in err), ERR_SYNTAX for an unexpected one. The epoch of
 * the result is borrowed from r. */
int engine_publish_read(const struct redisReply *r, const struct engine_publish *p,
                        struct engine_publish_result *out, struct err *err);

/* PUBLISH PREFIX.client.CH "__j__"/"__l__" + ClientInfo. */
void engine_join_build(const struct engine *e, struct span channel, const struct client_info *info,
                       struct buf *out);
void engine_leave_build(const struct engine *e, struct span channel, const struct client_info *info,
                        struct buf *out);

/* PUBLISH name payload, for control commands. */
void engine_raw_publish_build(struct span name, struct span payload, struct buf *out);

/* ---- history ---- */

struct engine_history {
    struct span channel;
    int64_t limit; /* 0: position only, < 0: all */
    bool has_since;
    struct engine_position since;
    bool reverse;
    int64_t history_meta_ttl_s;
    bool use_eval;
};

struct engine_history_result {
    struct engine_position top;
    struct vec publications; /* of struct publication with offset set; in the arena */
};

/* The caller has refused reverse with since.offset 0 already. */
void engine_history_build(const struct engine *e, const struct engine_history *h, struct buf *out);
/* Copies into the arena. ERR_UNRECOVERABLE when since.epoch is not empty and differs from the
 * stream's; out->top is set then, too. */
int engine_history_read(const struct engine *e, const struct redisReply *r,
                        const struct engine_history *h, struct arena *a,
                        struct engine_history_result *out, struct err *err);

void engine_history_remove_build(const struct engine *e, struct span channel, struct buf *out);

/* ---- presence ---- */

struct engine_presence {
    struct span channel;
    struct span client;
    struct span user;
    const struct client_info *info; /* add only */
    int64_t now_s;
    bool use_eval;
};

void engine_presence_add_build(const struct engine *e, const struct engine_presence *p,
                               struct buf *out);
void engine_presence_remove_build(const struct engine *e, const struct engine_presence *p,
                                  struct buf *out);
void engine_presence_get_build(const struct engine *e, const struct engine_presence *p,
                               struct buf *out);
/* With presence_user_mapping a script that counts; without it the same command as get. */
void engine_presence_stats_build(const struct engine *e, const struct engine_presence *p,
                                 struct buf *out);
/* `out` gets struct kv_msg of client id -> struct client_info, in the arena. */
int engine_presence_get_read(const struct redisReply *r, struct arena *a, struct vec *out,
                             struct err *err);
int engine_presence_stats_read(const struct engine *e, const struct redisReply *r,
                               struct presence_stats_result *out, struct err *err);

/* 0 for any reply that is not an error, else ERR_UNAVAILABLE with its text. For commands whose
 * reply does not matter. */
int engine_ok_read(const struct redisReply *r, struct err *err);
bool engine_is_noscript(const struct redisReply *r);
/* Whether Redis refuses to write because it cannot save. It answers PING so, too, and is still good
 * for reading and PUB/SUB. */
bool engine_is_misconf(const struct redisReply *r);
/* The text of an error reply, borrowed. Without the arguments of the command, which Redis quotes
 * when it does not know the command: that of AUTH is the password. */
struct span engine_error_text(const struct redisReply *r);
/* What to do about an error of Redis, "OOM command not allowed ..."; NULL for one that explains
 * itself or is not known. Readers add it to the text of their error. */
const char *engine_error_advice(struct span text);

/* SCRIPT LOAD for each script: sent first on a pipelined connection, so that no command is repeated
 * after NOSCRIPT behind later ones. i < engine_script_count(). */
size_t engine_script_count(void);
void engine_script_load_build(size_t i, struct buf *out);

/* ---- what arrives by PUB/SUB on PREFIX.client.* ---- */

enum engine_message_kind {
    MESSAGE_PUBLICATION,
    MESSAGE_JOIN,
    MESSAGE_LEAVE
};

struct engine_message {
    enum engine_message_kind kind;
    struct engine_position position; /* offset 0: none */
    struct span body;                /* Publication or ClientInfo, Protobuf, not decoded yet */
    struct span prev;                /* previous Publication of a delta frame */
    bool has_delta;
};

/* ERR_SYNTAX for a malformed frame. Spans are borrowed from payload. Source: redis-layout
 * section 7. */
int engine_message_parse(struct span payload, struct engine_message *out);
