/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of the client protocol (Centrifuge protocol v2). */
#pragma once

#include "common/format/schema.h"

/* Field numbers and JSON names are those of the protocol; absent sub-messages are NULL, absent
 * strings have p == NULL. */

struct proto_error {
    uint32_t code;
    struct span message;
    bool temporary;
};

struct client_info {
    struct span user;
    struct span client;
    struct span conn_info;
    struct span chan_info;
};

struct publication {
    struct span data;
    struct client_info *info;
    uint64_t offset;
    struct vec tags; /* name -> string */
    bool delta;
    int64_t time;
    struct span channel;
    struct span key;
    bool removed;
    int64_t score;
    struct span epoch;
    struct span prev_data;
    uint64_t version;
};

struct stream_position {
    uint64_t offset;
    struct span epoch;
};

struct filter_node {
    struct span op;
    struct span key;
    struct span cmp;
    struct span val;
    struct vec vals;  /* of struct span */
    struct vec nodes; /* of struct filter_node */
};

struct join {
    struct client_info *info;
};

struct leave {
    struct client_info *info;
};

struct unsubscribe_push {
    uint32_t code;
    struct span reason;
};

struct subscribe_push {
    bool recoverable;
    struct span epoch;
    uint64_t offset;
    bool positioned;
    struct span data;
};

struct message_push {
    struct span data;
};

struct disconnect_push {
    uint32_t code;
    struct span reason;
    bool reconnect;
};

struct refresh_push {
    bool expires;
    uint32_t ttl;
};

/* Bits of subscribe_request.flag (client protocol 15.3, 15.5). */
enum {
    SUBSCRIBE_COMPACTION = 1,
    SUBSCRIBE_REJECT_UNRECOVERED = 2,
};

struct subscribe_request {
    struct span channel;
    struct span token;
    bool recover;
    struct span epoch;
    uint64_t offset;
    struct span data;
    bool positioned;
    bool recoverable;
    bool join_leave;
    struct span delta;
    struct filter_node *tf;
    int64_t flag;
    int32_t type;
    int32_t phase;
    struct span cursor;
    int32_t limit;
    bool asc;
};

struct subscribe_result {
    bool expires;
    uint32_t ttl;
    bool recoverable;
    struct span epoch;
    struct vec publications; /* of struct publication */
    bool recovered;
    uint64_t offset;
    bool positioned;
    struct span data;
    bool was_recovering;
    bool delta;
    int64_t id;
    int32_t type;
    int32_t phase;
    struct span cursor;
    struct vec state; /* of struct publication */
    uint32_t publish_debounce;
};

struct connect_request {
    struct span token;
    struct span data;
    struct vec subs; /* name -> struct subscribe_request */
    struct span name;
    struct span version;
    struct vec headers; /* name -> string */
    int64_t flag;
    struct span dict;
    struct span profile;
};

struct connect_result {
    struct span client;
    struct span version;
    bool expires;
    uint32_t ttl;
    struct span data;
    struct vec subs; /* name -> struct subscribe_result */
    uint32_t ping;
    bool pong;
    struct span session;
    struct span node;
    int64_t time;
    int64_t flag;
};

struct connect_push {
    struct span client;
    struct span version;
    struct span data;
    struct vec subs; /* name -> struct subscribe_result */
    bool expires;
    uint32_t ttl;
    uint32_t ping;
    bool pong;
    struct span session;
    struct span node;
    int64_t time;
};

struct push {
    int64_t id;
    struct span channel;
    struct publication *pub;
    struct join *join;
    struct leave *leave;
    struct unsubscribe_push *unsubscribe;
    struct message_push *message;
    struct subscribe_push *subscribe;
    struct connect_push *connect;
    struct disconnect_push *disconnect;
    struct refresh_push *refresh;
};

struct unsubscribe_request {
    struct span channel;
};

struct publish_request {
    struct span channel;
    struct span data;
    int32_t type;
    struct span key;
    bool removed;
};

struct presence_request {
    struct span channel;
};

struct presence_result {
    struct vec presence; /* name -> struct client_info */
};

struct presence_stats_request {
    struct span channel;
};

struct presence_stats_result {
    uint32_t num_clients;
    uint32_t num_users;
};

struct history_request {
    struct span channel;
    int32_t limit;
    struct stream_position *since;
    bool reverse;
};

struct history_result {
    struct vec publications; /* of struct publication */
    struct span epoch;
    uint64_t offset;
};

struct rpc_request {
    struct span data;
    struct span method;
};

struct rpc_result {
    struct span data;
};

struct send_request {
    struct span data;
};

struct refresh_request {
    struct span token;
};

struct refresh_result {
    struct span client;
    struct span version;
    bool expires;
    uint32_t ttl;
};

struct keyed_item {
    struct span key;
    uint64_t version;
};

struct track_batch {
    struct span signature;
    struct vec items; /* of struct keyed_item */
};

struct sub_refresh_request {
    struct span channel;
    struct span token;
    int32_t type;
    struct vec track;   /* of struct track_batch */
    struct vec untrack; /* of struct span */
};

struct sub_refresh_result {
    bool expires;
    uint32_t ttl;
    struct vec items; /* of struct publication */
};

struct empty {
    char unused;
};

struct command {
    uint32_t id;
    struct connect_request *connect;
    struct subscribe_request *subscribe;
    struct unsubscribe_request *unsubscribe;
    struct publish_request *publish;
    struct presence_request *presence;
    struct presence_stats_request *presence_stats;
    struct history_request *history;
    struct empty *ping;
    struct send_request *send;
    struct rpc_request *rpc;
    struct refresh_request *refresh;
    struct sub_refresh_request *sub_refresh;
};

struct reply {
    uint32_t id;
    struct proto_error *error;
    struct push *push;
    struct connect_result *connect;
    struct subscribe_result *subscribe;
    struct empty *unsubscribe;
    struct empty *publish;
    struct presence_result *presence;
    struct presence_stats_result *presence_stats;
    struct history_result *history;
    struct empty *ping;
    struct rpc_result *rpc;
    struct refresh_result *refresh;
    struct sub_refresh_result *sub_refresh;
};

extern const struct schema error_schema;
extern const struct schema client_info_schema;
extern const struct schema publication_schema;
extern const struct schema stream_position_schema;
extern const struct schema filter_node_schema;
extern const struct schema join_schema;
extern const struct schema leave_schema;
extern const struct schema unsubscribe_push_schema;
extern const struct schema subscribe_push_schema;
extern const struct schema message_push_schema;
extern const struct schema disconnect_push_schema;
extern const struct schema refresh_push_schema;
extern const struct schema subscribe_request_schema;
extern const struct schema subscribe_result_schema;
extern const struct schema connect_request_schema;
extern const struct schema connect_result_schema;
extern const struct schema connect_push_schema;
extern const struct schema push_schema;
extern const struct schema unsubscribe_request_schema;
extern const struct schema publish_request_schema;
extern const struct schema presence_request_schema;
extern const struct schema presence_result_schema;
extern const struct schema presence_stats_request_schema;
extern const struct schema presence_stats_result_schema;
extern const struct schema history_request_schema;
extern const struct schema history_result_schema;
extern const struct schema rpc_request_schema;
extern const struct schema rpc_result_schema;
extern const struct schema send_request_schema;
extern const struct schema refresh_request_schema;
extern const struct schema refresh_result_schema;
extern const struct schema keyed_item_schema;
extern const struct schema track_batch_schema;
extern const struct schema sub_refresh_request_schema;
extern const struct schema sub_refresh_result_schema;
extern const struct schema empty_schema;
extern const struct schema command_schema;
extern const struct schema reply_schema;
