/* SPDX-License-Identifier: Apache-2.0 */
/* The messages that nodes exchange over Redis: the rows. */
#include "common/protocol/control.h"

static const struct field node_metrics_fields[] = {
    FIELD(node_metrics, 1, interval, KIND_DOUBLE),
    FIELD(node_metrics, 2, items, KIND_MAP_DBL),
};
const struct schema node_metrics_schema = {
    "NodeMetrics",
    sizeof(struct node_metrics),
    node_metrics_fields,
    ARRAY_LEN(node_metrics_fields),
};

static const struct field node_ping_fields[] = {
    FIELD(node_ping, 1, uid, KIND_STR),
    FIELD(node_ping, 2, name, KIND_STR),
    FIELD(node_ping, 3, version, KIND_STR),
    FIELD(node_ping, 4, num_clients, KIND_U32),
    FIELD(node_ping, 5, num_users, KIND_U32),
    FIELD(node_ping, 6, num_channels, KIND_U32),
    FIELD(node_ping, 7, uptime, KIND_U32),
    FIELD(node_ping, 8, metrics, KIND_MSG, .sub = &node_metrics_schema),
    FIELD(node_ping, 9, data, KIND_BYTES),
    FIELD(node_ping, 10, num_subs, KIND_U32),
};
const struct schema node_ping_schema = {
    "Node",
    sizeof(struct node_ping),
    node_ping_fields,
    ARRAY_LEN(node_ping_fields),
};

static const struct field control_unsubscribe_fields[] = {
    FIELD(control_unsubscribe, 1, channel, KIND_STR),
    FIELD(control_unsubscribe, 2, user, KIND_STR),
    FIELD(control_unsubscribe, 3, client, KIND_STR),
    FIELD(control_unsubscribe, 4, session, KIND_STR),
    FIELD(control_unsubscribe, 5, code, KIND_U32),
    FIELD(control_unsubscribe, 6, reason, KIND_STR),
    FIELD(control_unsubscribe, 7, label_filter, KIND_MSG, .sub = &filter_node_schema),
    FIELD(control_unsubscribe, 8, all_users, KIND_BOOL),
};
const struct schema control_unsubscribe_schema = {
    "CtlUnsubscribe",
    sizeof(struct control_unsubscribe),
    control_unsubscribe_fields,
    ARRAY_LEN(control_unsubscribe_fields),
};

static const struct field control_disconnect_fields[] = {
    FIELD(control_disconnect, 1, user, KIND_STR),
    FIELD(control_disconnect, 2, whitelist, KIND_STR, .flags = FIELD_REPEATED),
    FIELD(control_disconnect, 3, code, KIND_U32),
    FIELD(control_disconnect, 4, reason, KIND_STR),
    FIELD(control_disconnect, 5, reconnect, KIND_BOOL),
    FIELD(control_disconnect, 6, client, KIND_STR),
    FIELD(control_disconnect, 7, session, KIND_STR),
    FIELD(control_disconnect, 8, label_filter, KIND_MSG, .sub = &filter_node_schema),
    FIELD(control_disconnect, 9, all_users, KIND_BOOL),
};
const struct schema control_disconnect_schema = {
    "CtlDisconnect",
    sizeof(struct control_disconnect),
    control_disconnect_fields,
    ARRAY_LEN(control_disconnect_fields),
};

static const struct field survey_request_fields[] = {
    FIELD(survey_request, 1, id, KIND_U64),
    FIELD(survey_request, 2, op, KIND_STR),
    FIELD(survey_request, 3, data, KIND_BYTES),
};
const struct schema survey_request_schema = {
    "SurveyRequest",
    sizeof(struct survey_request),
    survey_request_fields,
    ARRAY_LEN(survey_request_fields),
};

static const struct field survey_response_fields[] = {
    FIELD(survey_response, 1, id, KIND_U64),
    FIELD(survey_response, 2, code, KIND_U32),
    FIELD(survey_response, 3, data, KIND_BYTES),
};
const struct schema survey_response_schema = {
    "SurveyResponse",
    sizeof(struct survey_response),
    survey_response_fields,
    ARRAY_LEN(survey_response_fields),
};

static const struct field control_subscribe_fields[] = {
    FIELD(control_subscribe, 1, user, KIND_STR),
    FIELD(control_subscribe, 2, channel, KIND_STR),
    FIELD(control_subscribe, 3, emit_presence, KIND_BOOL),
    FIELD(control_subscribe, 4, emit_join_leave, KIND_BOOL),
    FIELD(control_subscribe, 5, expire_at, KIND_I64),
    FIELD(control_subscribe, 6, position, KIND_BOOL),
    FIELD(control_subscribe, 7, recover, KIND_BOOL),
    FIELD(control_subscribe, 8, channel_info, KIND_BYTES),
    FIELD(control_subscribe, 9, client, KIND_STR),
    FIELD(control_subscribe, 10, data, KIND_BYTES),
    FIELD(control_subscribe, 11, recover_since, KIND_MSG, .sub = &stream_position_schema),
    FIELD(control_subscribe, 12, session, KIND_STR),
    FIELD(control_subscribe, 13, push_join_leave, KIND_BOOL),
    FIELD(control_subscribe, 14, source, KIND_U32),
    FIELD(control_subscribe, 15, label_filter, KIND_MSG, .sub = &filter_node_schema),
    FIELD(control_subscribe, 16, all_users, KIND_BOOL),
};
const struct schema control_subscribe_schema = {
    "CtlSubscribe",
    sizeof(struct control_subscribe),
    control_subscribe_fields,
    ARRAY_LEN(control_subscribe_fields),
};

static const struct field notification_fields[] = {
    FIELD(notification, 1, op, KIND_STR),
    FIELD(notification, 2, data, KIND_BYTES),
};
const struct schema notification_schema = {
    "Notification",
    sizeof(struct notification),
    notification_fields,
    ARRAY_LEN(notification_fields),
};

static const struct field control_refresh_fields[] = {
    FIELD(control_refresh, 1, user, KIND_STR),
    FIELD(control_refresh, 2, client, KIND_STR),
    FIELD(control_refresh, 3, expired, KIND_BOOL),
    FIELD(control_refresh, 4, expire_at, KIND_I64),
    FIELD(control_refresh, 5, info, KIND_BYTES),
    FIELD(control_refresh, 6, session, KIND_STR),
    FIELD(control_refresh, 7, label_filter, KIND_MSG, .sub = &filter_node_schema),
    FIELD(control_refresh, 8, all_users, KIND_BOOL),
};
const struct schema control_refresh_schema = {
    "CtlRefresh",
    sizeof(struct control_refresh),
    control_refresh_fields,
    ARRAY_LEN(control_refresh_fields),
};

static const struct field control_command_fields[] = {
    FIELD(control_command, 1, uid, KIND_STR),
    FIELD(control_command, 4, node, KIND_MSG, .sub = &node_ping_schema),
    FIELD(control_command, 5, unsubscribe, KIND_MSG, .sub = &control_unsubscribe_schema),
    FIELD(control_command, 6, disconnect, KIND_MSG, .sub = &control_disconnect_schema),
    FIELD(control_command, 7, shutdown, KIND_MSG, .sub = &empty_schema),
    FIELD(control_command, 8, survey_request, KIND_MSG, .sub = &survey_request_schema),
    FIELD(control_command, 9, survey_response, KIND_MSG, .sub = &survey_response_schema),
    FIELD(control_command, 10, subscribe, KIND_MSG, .sub = &control_subscribe_schema),
    FIELD(control_command, 11, notification, KIND_MSG, .sub = &notification_schema),
    FIELD(control_command, 12, refresh, KIND_MSG, .sub = &control_refresh_schema),
};
const struct schema control_command_schema = {
    "ControlCommand",
    sizeof(struct control_command),
    control_command_fields,
    ARRAY_LEN(control_command_fields),
};

static const struct field channels_survey_fields[] = {
    FIELD(channels_survey, 1, pattern, KIND_STR),
};
const struct schema channels_survey_schema = {
    "ChannelsSurvey",
    sizeof(struct channels_survey),
    channels_survey_fields,
    ARRAY_LEN(channels_survey_fields),
};

static const struct field channel_info_fields[] = {
    FIELD(channel_info, 1, num_clients, KIND_U32),
};
const struct schema channel_info_schema = {
    "ChannelInfo",
    sizeof(struct channel_info),
    channel_info_fields,
    ARRAY_LEN(channel_info_fields),
};

static const struct field channels_answer_fields[] = {
    FIELD(channels_answer, 1, channels, KIND_MAP_MSG, .sub = &channel_info_schema),
};
const struct schema channels_answer_schema = {
    "ChannelsAnswer",
    sizeof(struct channels_answer),
    channels_answer_fields,
    ARRAY_LEN(channels_answer_fields),
};
