/* SPDX-License-Identifier: Apache-2.0 */
/* Publications and pushes of the client protocol: the rows. */
#include "common/protocol/proto.h"

static const struct field error_fields[] = {
    FIELD(proto_error, 1, code, KIND_U32),
    FIELD(proto_error, 2, message, KIND_STR),
    FIELD(proto_error, 3, temporary, KIND_BOOL),
};
const struct schema error_schema = {
    "Error",
    sizeof(struct proto_error),
    error_fields,
    ARRAY_LEN(error_fields),
};

static const struct field client_info_fields[] = {
    FIELD(client_info, 1, user, KIND_STR, .flags = FIELD_ALWAYS),
    FIELD(client_info, 2, client, KIND_STR, .flags = FIELD_ALWAYS),
    FIELD(client_info, 3, conn_info, KIND_BYTES),
    FIELD(client_info, 4, chan_info, KIND_BYTES),
};
const struct schema client_info_schema = {
    "ClientInfo",
    sizeof(struct client_info),
    client_info_fields,
    ARRAY_LEN(client_info_fields),
};

static const struct field publication_fields[] = {
    FIELD(publication, 4, data, KIND_BYTES),
    FIELD(publication, 5, info, KIND_MSG, .sub = &client_info_schema),
    FIELD(publication, 6, offset, KIND_U64),
    FIELD(publication, 7, tags, KIND_MAP_STR),
    FIELD(publication, 8, delta, KIND_BOOL),
    FIELD(publication, 9, time, KIND_I64),
    FIELD(publication, 10, channel, KIND_STR),
    FIELD(publication, 11, key, KIND_STR),
    FIELD(publication, 12, removed, KIND_BOOL),
    FIELD(publication, 13, score, KIND_S64),
    FIELD(publication, 14, epoch, KIND_STR),
    FIELD(publication, 15, prev_data, KIND_BYTES),
    FIELD(publication, 16, version, KIND_U64),
};
const struct schema publication_schema = {
    "Publication",
    sizeof(struct publication),
    publication_fields,
    ARRAY_LEN(publication_fields),
};

static const struct field stream_position_fields[] = {
    FIELD(stream_position, 1, offset, KIND_U64),
    FIELD(stream_position, 2, epoch, KIND_STR),
};
const struct schema stream_position_schema = {
    "StreamPosition",
    sizeof(struct stream_position),
    stream_position_fields,
    ARRAY_LEN(stream_position_fields),
};

static const struct field filter_node_fields[] = {
    FIELD(filter_node, 1, op, KIND_STR),
    FIELD(filter_node, 2, key, KIND_STR),
    FIELD(filter_node, 3, cmp, KIND_STR),
    FIELD(filter_node, 4, val, KIND_STR),
    FIELD(filter_node, 5, vals, KIND_STR, .flags = FIELD_REPEATED),
    FIELD(filter_node, 6, nodes, KIND_MSG, .flags = FIELD_REPEATED, .sub = &filter_node_schema),
};
const struct schema filter_node_schema = {
    "FilterNode",
    sizeof(struct filter_node),
    filter_node_fields,
    ARRAY_LEN(filter_node_fields),
};

static const struct field join_fields[] = {
    FIELD(join, 1, info, KIND_MSG, .sub = &client_info_schema),
};
const struct schema join_schema = {
    "Join",
    sizeof(struct join),
    join_fields,
    ARRAY_LEN(join_fields),
};

static const struct field leave_fields[] = {
    FIELD(leave, 1, info, KIND_MSG, .sub = &client_info_schema),
};
const struct schema leave_schema = {
    "Leave",
    sizeof(struct leave),
    leave_fields,
    ARRAY_LEN(leave_fields),
};

static const struct field unsubscribe_push_fields[] = {
    FIELD(unsubscribe_push, 2, code, KIND_U32),
    FIELD(unsubscribe_push, 3, reason, KIND_STR),
};
const struct schema unsubscribe_push_schema = {
    "Unsubscribe",
    sizeof(struct unsubscribe_push),
    unsubscribe_push_fields,
    ARRAY_LEN(unsubscribe_push_fields),
};

static const struct field subscribe_push_fields[] = {
    FIELD(subscribe_push, 1, recoverable, KIND_BOOL),
    FIELD(subscribe_push, 4, epoch, KIND_STR),
    FIELD(subscribe_push, 5, offset, KIND_U64),
    FIELD(subscribe_push, 6, positioned, KIND_BOOL),
    FIELD(subscribe_push, 7, data, KIND_BYTES),
};
const struct schema subscribe_push_schema = {
    "Subscribe",
    sizeof(struct subscribe_push),
    subscribe_push_fields,
    ARRAY_LEN(subscribe_push_fields),
};

static const struct field message_push_fields[] = {
    FIELD(message_push, 1, data, KIND_BYTES),
};
const struct schema message_push_schema = {
    "Message",
    sizeof(struct message_push),
    message_push_fields,
    ARRAY_LEN(message_push_fields),
};

static const struct field disconnect_push_fields[] = {
    FIELD(disconnect_push, 1, code, KIND_U32),
    FIELD(disconnect_push, 2, reason, KIND_STR),
    FIELD(disconnect_push, 3, reconnect, KIND_BOOL),
};
const struct schema disconnect_push_schema = {
    "Disconnect",
    sizeof(struct disconnect_push),
    disconnect_push_fields,
    ARRAY_LEN(disconnect_push_fields),
};

static const struct field refresh_push_fields[] = {
    FIELD(refresh_push, 1, expires, KIND_BOOL),
    FIELD(refresh_push, 2, ttl, KIND_U32),
};
const struct schema refresh_push_schema = {
    "Refresh",
    sizeof(struct refresh_push),
    refresh_push_fields,
    ARRAY_LEN(refresh_push_fields),
};

static const struct field connect_push_fields[] = {
    FIELD(connect_push, 1, client, KIND_STR),
    FIELD(connect_push, 2, version, KIND_STR),
    FIELD(connect_push, 3, data, KIND_BYTES),
    FIELD(connect_push, 4, subs, KIND_MAP_MSG, .sub = &subscribe_result_schema),
    FIELD(connect_push, 5, expires, KIND_BOOL),
    FIELD(connect_push, 6, ttl, KIND_U32),
    FIELD(connect_push, 7, ping, KIND_U32),
    FIELD(connect_push, 8, pong, KIND_BOOL),
    FIELD(connect_push, 9, session, KIND_STR),
    FIELD(connect_push, 10, node, KIND_STR),
    FIELD(connect_push, 11, time, KIND_I64),
};
const struct schema connect_push_schema = {
    "Connect",
    sizeof(struct connect_push),
    connect_push_fields,
    ARRAY_LEN(connect_push_fields),
};

static const struct field push_fields[] = {
    FIELD(push, 1, id, KIND_I64),
    FIELD(push, 2, channel, KIND_STR),
    FIELD(push, 4, pub, KIND_MSG, .sub = &publication_schema),
    FIELD(push, 5, join, KIND_MSG, .sub = &join_schema),
    FIELD(push, 6, leave, KIND_MSG, .sub = &leave_schema),
    FIELD(push, 7, unsubscribe, KIND_MSG, .sub = &unsubscribe_push_schema),
    FIELD(push, 8, message, KIND_MSG, .sub = &message_push_schema),
    FIELD(push, 9, subscribe, KIND_MSG, .sub = &subscribe_push_schema),
    FIELD(push, 10, connect, KIND_MSG, .sub = &connect_push_schema),
    FIELD(push, 11, disconnect, KIND_MSG, .sub = &disconnect_push_schema),
    FIELD(push, 12, refresh, KIND_MSG, .sub = &refresh_push_schema),
};
const struct schema push_schema = {
    "Push",
    sizeof(struct push),
    push_fields,
    ARRAY_LEN(push_fields),
};
