/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and results of the server API. */
#pragma once

#include "common/protocol/proto.h"

/* Only JSON travels here, so the numbers are those of the reference for completeness only. */

struct api_publish {
    struct span channel;
    struct span data;
    struct span b64data;
    bool skip_history;
    struct vec tags; /* name -> string */
    struct span idempotency_key;
    bool delta;
    uint64_t version;
    struct span version_epoch;
};

struct api_broadcast {
    struct vec channels; /* of struct span */
    struct span data;
    struct span b64data;
    bool skip_history;
    struct vec tags; /* name -> string */
    struct span idempotency_key;
    bool delta;
    uint64_t version;
    struct span version_epoch;
};

struct bool_value {
    bool value;
};

struct api_override {
    struct bool_value *presence;
    struct bool_value *join_leave;
    struct bool_value *force_recovery;
    struct bool_value *force_positioning;
    struct bool_value *force_push_join_leave;
};

struct api_subscribe {
    struct span channel;
    struct span user;
    int64_t expire_at;
    struct span info;
    struct span b64info;
    struct span client;
    struct span data;
    struct span b64data;
    struct stream_position *recover_since;
    struct api_override *override;
    struct span session;
};

struct api_unsubscribe {
    struct span channel;
    struct span user;
    struct span client;
    struct span session;
};

struct api_disconnect_object {
    uint32_t code;
    struct span reason;
};

struct api_disconnect {
    struct span user;
    struct api_disconnect_object *disconnect;
    struct span client;
    struct vec whitelist; /* of struct span */
    struct span session;
};

struct api_refresh {
    struct span user;
    struct span client;
    bool expired;
    int64_t expire_at;
    struct span info;
    struct span session;
};

struct api_channel {
    struct span channel;
};

struct api_history {
    struct span channel;
    int32_t limit;
    struct stream_position *since;
    bool reverse;
};

struct api_channels {
    struct span pattern;
};

struct api_rpc {
    struct span method;
    struct span params;
};

struct api_position {
    uint64_t offset;
    struct span epoch;
};

struct api_client_info {
    struct span user;
    struct span client;
    struct span conn_info;
    struct span chan_info;
};

struct api_presence_result {
    struct vec presence; /* name -> struct api_client_info */
};

struct api_publication {
    struct span data;
    struct api_client_info *info;
    uint64_t offset;
    struct vec tags; /* name -> string */
};

struct api_history_result {
    struct vec publications; /* of struct api_publication */
    struct span epoch;
    uint64_t offset;
};

struct api_channel_info {
    uint32_t num_clients;
};

struct api_channels_result {
    struct vec channels; /* name -> struct api_channel_info */
};

struct api_node_metrics {
    double interval;
    struct vec items; /* name -> double */
};

struct api_node {
    struct span uid;
    struct span name;
    struct span version;
    uint32_t num_clients;
    uint32_t num_users;
    uint32_t num_channels;
    uint32_t uptime;
    struct api_node_metrics *metrics;
    uint32_t num_subs;
};

struct api_info_result {
    struct vec nodes; /* of struct api_node */
};

extern const struct schema api_publish_schema;
extern const struct schema api_broadcast_schema;
extern const struct schema bool_value_schema;
extern const struct schema api_override_schema;
extern const struct schema api_subscribe_schema;
extern const struct schema api_unsubscribe_schema;
extern const struct schema api_disconnect_object_schema;
extern const struct schema api_disconnect_schema;
extern const struct schema api_refresh_schema;
extern const struct schema api_channel_schema;
extern const struct schema api_history_schema;
extern const struct schema api_channels_schema;
extern const struct schema api_rpc_schema;
extern const struct schema api_position_schema;
extern const struct schema api_client_info_schema;
extern const struct schema api_presence_result_schema;
extern const struct schema api_publication_schema;
extern const struct schema api_history_result_schema;
extern const struct schema api_channel_info_schema;
extern const struct schema api_channels_result_schema;
extern const struct schema api_node_metrics_schema;
extern const struct schema api_node_schema;
extern const struct schema api_info_result_schema;
