/* SPDX-License-Identifier: Apache-2.0 */
/* The messages that nodes exchange over Redis. */
#pragma once

#include "common/protocol/proto.h"

/* Always Protobuf. The payload of PREFIX.control and PREFIX.node.UID is one struct control_command;
 * the first sub-message that is set counts. The surveys named "channels" carry channels_survey and
 * are answered with channels_answer. */

struct node_metrics {
    double interval;
    struct vec items; /* name -> double */
};

struct node_ping {
    struct span uid;
    struct span name;
    struct span version;
    uint32_t num_clients;
    uint32_t num_users;
    uint32_t num_channels;
    uint32_t uptime;
    struct node_metrics *metrics;
    struct span data;
    uint32_t num_subs;
};

struct control_unsubscribe {
    struct span channel;
    struct span user;
    struct span client;
    struct span session;
    uint32_t code;
    struct span reason;
    struct filter_node *label_filter;
    bool all_users;
};

struct control_disconnect {
    struct span user;
    struct vec whitelist; /* of struct span */
    uint32_t code;
    struct span reason;
    bool reconnect;
    struct span client;
    struct span session;
    struct filter_node *label_filter;
    bool all_users;
};

struct survey_request {
    uint64_t id;
    struct span op;
    struct span data;
};

struct survey_response {
    uint64_t id;
    uint32_t code;
    struct span data;
};

struct control_subscribe {
    struct span user;
    struct span channel;
    bool emit_presence;
    bool emit_join_leave;
    int64_t expire_at;
    bool position;
    bool recover;
    struct span channel_info;
    struct span client;
    struct span data;
    struct stream_position *recover_since;
    struct span session;
    bool push_join_leave;
    uint32_t source;
    struct filter_node *label_filter;
    bool all_users;
};

struct notification {
    struct span op;
    struct span data;
};

struct control_refresh {
    struct span user;
    struct span client;
    bool expired;
    int64_t expire_at;
    struct span info;
    struct span session;
    struct filter_node *label_filter;
    bool all_users;
};

struct control_command {
    struct span uid;
    struct node_ping *node;
    struct control_unsubscribe *unsubscribe;
    struct control_disconnect *disconnect;
    struct empty *shutdown;
    struct survey_request *survey_request;
    struct survey_response *survey_response;
    struct control_subscribe *subscribe;
    struct notification *notification;
    struct control_refresh *refresh;
};

struct channels_survey {
    struct span pattern;
};

struct channel_info {
    uint32_t num_clients;
};

struct channels_answer {
    struct vec channels; /* name -> struct channel_info */
};

extern const struct schema node_metrics_schema;
extern const struct schema node_ping_schema;
extern const struct schema control_unsubscribe_schema;
extern const struct schema control_disconnect_schema;
extern const struct schema survey_request_schema;
extern const struct schema survey_response_schema;
extern const struct schema control_subscribe_schema;
extern const struct schema notification_schema;
extern const struct schema control_refresh_schema;
extern const struct schema control_command_schema;
extern const struct schema channels_survey_schema;
extern const struct schema channel_info_schema;
extern const struct schema channels_answer_schema;
