/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and results of the server API: the rows. */
#include "common/protocol/api.h"

static const struct field api_publish_fields[] = {
    FIELD(api_publish, 1, channel, KIND_STR),
    FIELD(api_publish, 2, data, KIND_BYTES),
    FIELD(api_publish, 3, b64data, KIND_STR),
    FIELD(api_publish, 4, skip_history, KIND_BOOL),
    FIELD(api_publish, 5, tags, KIND_MAP_STR),
    FIELD(api_publish, 6, idempotency_key, KIND_STR),
    FIELD(api_publish, 7, delta, KIND_BOOL),
    FIELD(api_publish, 8, version, KIND_U64),
    FIELD(api_publish, 9, version_epoch, KIND_STR),
};
const struct schema api_publish_schema = {
    "ApiPublish",
    sizeof(struct api_publish),
    api_publish_fields,
    ARRAY_LEN(api_publish_fields),
};

static const struct field api_broadcast_fields[] = {
    FIELD(api_broadcast, 1, channels, KIND_STR, .flags = FIELD_REPEATED),
    FIELD(api_broadcast, 2, data, KIND_BYTES),
    FIELD(api_broadcast, 3, b64data, KIND_STR),
    FIELD(api_broadcast, 4, skip_history, KIND_BOOL),
    FIELD(api_broadcast, 5, tags, KIND_MAP_STR),
    FIELD(api_broadcast, 6, idempotency_key, KIND_STR),
    FIELD(api_broadcast, 7, delta, KIND_BOOL),
    FIELD(api_broadcast, 8, version, KIND_U64),
    FIELD(api_broadcast, 9, version_epoch, KIND_STR),
};
const struct schema api_broadcast_schema = {
    "ApiBroadcast",
    sizeof(struct api_broadcast),
    api_broadcast_fields,
    ARRAY_LEN(api_broadcast_fields),
};

static const struct field bool_value_fields[] = {
    FIELD(bool_value, 1, value, KIND_BOOL),
};
const struct schema bool_value_schema = {
    "BoolValue",
    sizeof(struct bool_value),
    bool_value_fields,
    ARRAY_LEN(bool_value_fields),
};

static const struct field api_override_fields[] = {
    FIELD(api_override, 1, presence, KIND_MSG, .sub = &bool_value_schema),
    FIELD(api_override, 2, join_leave, KIND_MSG, .sub = &bool_value_schema),
    FIELD(api_override, 3, force_recovery, KIND_MSG, .sub = &bool_value_schema),
    FIELD(api_override, 4, force_positioning, KIND_MSG, .sub = &bool_value_schema),
    FIELD(api_override, 5, force_push_join_leave, KIND_MSG, .sub = &bool_value_schema),
};
const struct schema api_override_schema = {
    "ApiOverride",
    sizeof(struct api_override),
    api_override_fields,
    ARRAY_LEN(api_override_fields),
};

static const struct field api_subscribe_fields[] = {
    FIELD(api_subscribe, 1, channel, KIND_STR),
    FIELD(api_subscribe, 2, user, KIND_STR),
    FIELD(api_subscribe, 3, expire_at, KIND_I64),
    FIELD(api_subscribe, 4, info, KIND_BYTES),
    FIELD(api_subscribe, 5, b64info, KIND_STR),
    FIELD(api_subscribe, 6, client, KIND_STR),
    FIELD(api_subscribe, 7, data, KIND_BYTES),
    FIELD(api_subscribe, 8, b64data, KIND_STR),
    FIELD(api_subscribe, 9, recover_since, KIND_MSG, .sub = &stream_position_schema),
    FIELD(api_subscribe, 10, override, KIND_MSG, .sub = &api_override_schema),
    FIELD(api_subscribe, 11, session, KIND_STR),
};
const struct schema api_subscribe_schema = {
    "ApiSubscribe",
    sizeof(struct api_subscribe),
    api_subscribe_fields,
    ARRAY_LEN(api_subscribe_fields),
};

static const struct field api_unsubscribe_fields[] = {
    FIELD(api_unsubscribe, 1, channel, KIND_STR),
    FIELD(api_unsubscribe, 2, user, KIND_STR),
    FIELD(api_unsubscribe, 3, client, KIND_STR),
    FIELD(api_unsubscribe, 4, session, KIND_STR),
};
const struct schema api_unsubscribe_schema = {
    "ApiUnsubscribe",
    sizeof(struct api_unsubscribe),
    api_unsubscribe_fields,
    ARRAY_LEN(api_unsubscribe_fields),
};

static const struct field api_disconnect_object_fields[] = {
    FIELD(api_disconnect_object, 1, code, KIND_U32),
    FIELD(api_disconnect_object, 2, reason, KIND_STR),
};
const struct schema api_disconnect_object_schema = {
    "ApiDisconnectObject",
    sizeof(struct api_disconnect_object),
    api_disconnect_object_fields,
    ARRAY_LEN(api_disconnect_object_fields),
};

static const struct field api_disconnect_fields[] = {
    FIELD(api_disconnect, 1, user, KIND_STR),
    FIELD(api_disconnect, 2, disconnect, KIND_MSG, .sub = &api_disconnect_object_schema),
    FIELD(api_disconnect, 3, client, KIND_STR),
    FIELD(api_disconnect, 4, whitelist, KIND_STR, .flags = FIELD_REPEATED),
    FIELD(api_disconnect, 5, session, KIND_STR),
};
const struct schema api_disconnect_schema = {
    "ApiDisconnect",
    sizeof(struct api_disconnect),
    api_disconnect_fields,
    ARRAY_LEN(api_disconnect_fields),
};

static const struct field api_refresh_fields[] = {
    FIELD(api_refresh, 1, user, KIND_STR),     FIELD(api_refresh, 2, client, KIND_STR),
    FIELD(api_refresh, 3, expired, KIND_BOOL), FIELD(api_refresh, 4, expire_at, KIND_I64),
    FIELD(api_refresh, 5, info, KIND_BYTES),   FIELD(api_refresh, 6, session, KIND_STR),
};
const struct schema api_refresh_schema = {
    "ApiRefresh",
    sizeof(struct api_refresh),
    api_refresh_fields,
    ARRAY_LEN(api_refresh_fields),
};

static const struct field api_channel_fields[] = {
    FIELD(api_channel, 1, channel, KIND_STR),
};
const struct schema api_channel_schema = {
    "ApiChannel",
    sizeof(struct api_channel),
    api_channel_fields,
    ARRAY_LEN(api_channel_fields),
};

static const struct field api_history_fields[] = {
    FIELD(api_history, 1, channel, KIND_STR),
    FIELD(api_history, 2, limit, KIND_I32),
    FIELD(api_history, 3, since, KIND_MSG, .sub = &stream_position_schema),
    FIELD(api_history, 4, reverse, KIND_BOOL),
};
const struct schema api_history_schema = {
    "ApiHistory",
    sizeof(struct api_history),
    api_history_fields,
    ARRAY_LEN(api_history_fields),
};

static const struct field api_channels_fields[] = {
    FIELD(api_channels, 1, pattern, KIND_STR),
};
const struct schema api_channels_schema = {
    "ApiChannels",
    sizeof(struct api_channels),
    api_channels_fields,
    ARRAY_LEN(api_channels_fields),
};

static const struct field api_rpc_fields[] = {
    FIELD(api_rpc, 1, method, KIND_STR),
    FIELD(api_rpc, 2, params, KIND_BYTES),
};
const struct schema api_rpc_schema = {
    "ApiRPC",
    sizeof(struct api_rpc),
    api_rpc_fields,
    ARRAY_LEN(api_rpc_fields),
};

static const struct field api_position_fields[] = {
    FIELD(api_position, 1, offset, KIND_U64),
    FIELD(api_position, 2, epoch, KIND_STR),
};
const struct schema api_position_schema = {
    "ApiPosition",
    sizeof(struct api_position),
    api_position_fields,
    ARRAY_LEN(api_position_fields),
};

static const struct field api_client_info_fields[] = {
    FIELD(api_client_info, 1, user, KIND_STR, .flags = FIELD_ALWAYS),
    FIELD(api_client_info, 2, client, KIND_STR, .flags = FIELD_ALWAYS),
    FIELD(api_client_info, 3, conn_info, KIND_BYTES, .flags = FIELD_COMPACT),
    FIELD(api_client_info, 4, chan_info, KIND_BYTES, .flags = FIELD_COMPACT),
};
const struct schema api_client_info_schema = {
    "ApiClientInfo",
    sizeof(struct api_client_info),
    api_client_info_fields,
    ARRAY_LEN(api_client_info_fields),
};

static const struct field api_presence_result_fields[] = {
    FIELD(api_presence_result, 1, presence, KIND_MAP_MSG, .flags = FIELD_ALWAYS,
          .sub = &api_client_info_schema),
};
const struct schema api_presence_result_schema = {
    "ApiPresenceResult",
    sizeof(struct api_presence_result),
    api_presence_result_fields,
    ARRAY_LEN(api_presence_result_fields),
};

static const struct field api_publication_fields[] = {
    FIELD(api_publication, 2, data, KIND_BYTES, .flags = FIELD_COMPACT),
    FIELD(api_publication, 3, info, KIND_MSG, .sub = &api_client_info_schema),
    FIELD(api_publication, 4, offset, KIND_U64),
    FIELD(api_publication, 5, tags, KIND_MAP_STR),
};
const struct schema api_publication_schema = {
    "ApiPublication",
    sizeof(struct api_publication),
    api_publication_fields,
    ARRAY_LEN(api_publication_fields),
};

static const struct field api_history_result_fields[] = {
    FIELD(api_history_result, 1, publications, KIND_MSG, .flags = FIELD_ALWAYS | FIELD_REPEATED,
          .sub = &api_publication_schema),
    FIELD(api_history_result, 2, epoch, KIND_STR, .flags = FIELD_ALWAYS),
    FIELD(api_history_result, 3, offset, KIND_U64, .flags = FIELD_ALWAYS),
};
const struct schema api_history_result_schema = {
    "ApiHistoryResult",
    sizeof(struct api_history_result),
    api_history_result_fields,
    ARRAY_LEN(api_history_result_fields),
};

static const struct field api_channel_info_fields[] = {
    FIELD(api_channel_info, 1, num_clients, KIND_U32, .flags = FIELD_ALWAYS),
};
const struct schema api_channel_info_schema = {
    "ApiChannelInfo",
    sizeof(struct api_channel_info),
    api_channel_info_fields,
    ARRAY_LEN(api_channel_info_fields),
};

static const struct field api_channels_result_fields[] = {
    FIELD(api_channels_result, 1, channels, KIND_MAP_MSG, .flags = FIELD_ALWAYS,
          .sub = &api_channel_info_schema),
};
const struct schema api_channels_result_schema = {
    "ApiChannelsResult",
    sizeof(struct api_channels_result),
    api_channels_result_fields,
    ARRAY_LEN(api_channels_result_fields),
};

static const struct field api_node_metrics_fields[] = {
    FIELD(api_node_metrics, 1, interval, KIND_DOUBLE),
    FIELD(api_node_metrics, 2, items, KIND_MAP_DBL),
};
const struct schema api_node_metrics_schema = {
    "ApiNodeMetrics",
    sizeof(struct api_node_metrics),
    api_node_metrics_fields,
    ARRAY_LEN(api_node_metrics_fields),
};

static const struct field api_node_fields[] = {
    FIELD(api_node, 1, uid, KIND_STR, .flags = FIELD_ALWAYS),
    FIELD(api_node, 2, name, KIND_STR, .flags = FIELD_ALWAYS),
    FIELD(api_node, 3, version, KIND_STR, .flags = FIELD_ALWAYS),
    FIELD(api_node, 4, num_clients, KIND_U32, .flags = FIELD_ALWAYS),
    FIELD(api_node, 5, num_users, KIND_U32, .flags = FIELD_ALWAYS),
    FIELD(api_node, 6, num_channels, KIND_U32, .flags = FIELD_ALWAYS),
    FIELD(api_node, 7, uptime, KIND_U32),
    FIELD(api_node, 8, metrics, KIND_MSG, .sub = &api_node_metrics_schema),
    FIELD(api_node, 10, num_subs, KIND_U32, .flags = FIELD_ALWAYS),
};
const struct schema api_node_schema = {
    "ApiNode",
    sizeof(struct api_node),
    api_node_fields,
    ARRAY_LEN(api_node_fields),
};

static const struct field api_info_result_fields[] = {
    FIELD(api_info_result, 1, nodes, KIND_MSG, .flags = FIELD_ALWAYS | FIELD_REPEATED,
          .sub = &api_node_schema),
};
const struct schema api_info_result_schema = {
    "ApiInfoResult",
    sizeof(struct api_info_result),
    api_info_result_fields,
    ARRAY_LEN(api_info_result_fields),
};
