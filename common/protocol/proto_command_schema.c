/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and replies of the client protocol: the rows. */
#include "common/protocol/proto.h"

static const struct field subscribe_request_fields[] = {
    FIELD(subscribe_request, 1, channel, KIND_STR),
    FIELD(subscribe_request, 2, token, KIND_STR),
    FIELD(subscribe_request, 3, recover, KIND_BOOL),
    FIELD(subscribe_request, 6, epoch, KIND_STR),
    FIELD(subscribe_request, 7, offset, KIND_U64),
    FIELD(subscribe_request, 8, data, KIND_BYTES),
    FIELD(subscribe_request, 9, positioned, KIND_BOOL),
    FIELD(subscribe_request, 10, recoverable, KIND_BOOL),
    FIELD(subscribe_request, 11, join_leave, KIND_BOOL),
    FIELD(subscribe_request, 12, delta, KIND_STR),
    FIELD(subscribe_request, 13, tf, KIND_MSG, .sub = &filter_node_schema),
    FIELD(subscribe_request, 14, flag, KIND_I64),
    FIELD(subscribe_request, 15, type, KIND_I32),
    FIELD(subscribe_request, 16, phase, KIND_I32),
    FIELD(subscribe_request, 17, cursor, KIND_STR),
    FIELD(subscribe_request, 18, limit, KIND_I32),
    FIELD(subscribe_request, 19, asc, KIND_BOOL),
};
const struct schema subscribe_request_schema = {
    "SubscribeRequest",
    sizeof(struct subscribe_request),
    subscribe_request_fields,
    ARRAY_LEN(subscribe_request_fields),
};

static const struct field subscribe_result_fields[] = {
    FIELD(subscribe_result, 1, expires, KIND_BOOL),
    FIELD(subscribe_result, 2, ttl, KIND_U32),
    FIELD(subscribe_result, 3, recoverable, KIND_BOOL),
    FIELD(subscribe_result, 6, epoch, KIND_STR),
    FIELD(subscribe_result, 7, publications, KIND_MSG, .flags = FIELD_REPEATED,
          .sub = &publication_schema),
    FIELD(subscribe_result, 8, recovered, KIND_BOOL),
    FIELD(subscribe_result, 9, offset, KIND_U64),
    FIELD(subscribe_result, 10, positioned, KIND_BOOL),
    FIELD(subscribe_result, 11, data, KIND_BYTES),
    FIELD(subscribe_result, 12, was_recovering, KIND_BOOL),
    FIELD(subscribe_result, 13, delta, KIND_BOOL),
    FIELD(subscribe_result, 14, id, KIND_I64),
    FIELD(subscribe_result, 15, type, KIND_I32),
    FIELD(subscribe_result, 16, phase, KIND_I32),
    FIELD(subscribe_result, 17, cursor, KIND_STR),
    FIELD(subscribe_result, 18, state, KIND_MSG, .flags = FIELD_REPEATED,
          .sub = &publication_schema),
    FIELD(subscribe_result, 19, publish_debounce, KIND_U32),
};
const struct schema subscribe_result_schema = {
    "SubscribeResult",
    sizeof(struct subscribe_result),
    subscribe_result_fields,
    ARRAY_LEN(subscribe_result_fields),
};

static const struct field connect_request_fields[] = {
    FIELD(connect_request, 1, token, KIND_STR),
    FIELD(connect_request, 2, data, KIND_BYTES),
    FIELD(connect_request, 3, subs, KIND_MAP_MSG, .sub = &subscribe_request_schema),
    FIELD(connect_request, 4, name, KIND_STR),
    FIELD(connect_request, 5, version, KIND_STR),
    FIELD(connect_request, 6, headers, KIND_MAP_STR),
    FIELD(connect_request, 7, flag, KIND_I64),
    FIELD(connect_request, 8, dict, KIND_STR),
    FIELD(connect_request, 9, profile, KIND_STR),
};
const struct schema connect_request_schema = {
    "ConnectRequest",
    sizeof(struct connect_request),
    connect_request_fields,
    ARRAY_LEN(connect_request_fields),
};

static const struct field connect_result_fields[] = {
    FIELD(connect_result, 1, client, KIND_STR),
    FIELD(connect_result, 2, version, KIND_STR),
    FIELD(connect_result, 3, expires, KIND_BOOL),
    FIELD(connect_result, 4, ttl, KIND_U32),
    FIELD(connect_result, 5, data, KIND_BYTES),
    FIELD(connect_result, 6, subs, KIND_MAP_MSG, .sub = &subscribe_result_schema),
    FIELD(connect_result, 7, ping, KIND_U32),
    FIELD(connect_result, 8, pong, KIND_BOOL),
    FIELD(connect_result, 9, session, KIND_STR),
    FIELD(connect_result, 10, node, KIND_STR),
    FIELD(connect_result, 11, time, KIND_I64),
    FIELD(connect_result, 12, flag, KIND_I64),
};
const struct schema connect_result_schema = {
    "ConnectResult",
    sizeof(struct connect_result),
    connect_result_fields,
    ARRAY_LEN(connect_result_fields),
};

static const struct field unsubscribe_request_fields[] = {
    FIELD(unsubscribe_request, 1, channel, KIND_STR),
};
const struct schema unsubscribe_request_schema = {
    "UnsubscribeRequest",
    sizeof(struct unsubscribe_request),
    unsubscribe_request_fields,
    ARRAY_LEN(unsubscribe_request_fields),
};

static const struct field publish_request_fields[] = {
    FIELD(publish_request, 1, channel, KIND_STR),  FIELD(publish_request, 2, data, KIND_BYTES),
    FIELD(publish_request, 3, type, KIND_I32),     FIELD(publish_request, 4, key, KIND_STR),
    FIELD(publish_request, 5, removed, KIND_BOOL),
};
const struct schema publish_request_schema = {
    "PublishRequest",
    sizeof(struct publish_request),
    publish_request_fields,
    ARRAY_LEN(publish_request_fields),
};

static const struct field presence_request_fields[] = {
    FIELD(presence_request, 1, channel, KIND_STR),
};
const struct schema presence_request_schema = {
    "PresenceRequest",
    sizeof(struct presence_request),
    presence_request_fields,
    ARRAY_LEN(presence_request_fields),
};

static const struct field presence_result_fields[] = {
    FIELD(presence_result, 1, presence, KIND_MAP_MSG, .flags = FIELD_ALWAYS,
          .sub = &client_info_schema),
};
const struct schema presence_result_schema = {
    "PresenceResult",
    sizeof(struct presence_result),
    presence_result_fields,
    ARRAY_LEN(presence_result_fields),
};

static const struct field presence_stats_request_fields[] = {
    FIELD(presence_stats_request, 1, channel, KIND_STR),
};
const struct schema presence_stats_request_schema = {
    "PresenceStatsRequest",
    sizeof(struct presence_stats_request),
    presence_stats_request_fields,
    ARRAY_LEN(presence_stats_request_fields),
};

static const struct field presence_stats_result_fields[] = {
    FIELD(presence_stats_result, 1, num_clients, KIND_U32, .flags = FIELD_ALWAYS),
    FIELD(presence_stats_result, 2, num_users, KIND_U32, .flags = FIELD_ALWAYS),
};
const struct schema presence_stats_result_schema = {
    "PresenceStatsResult",
    sizeof(struct presence_stats_result),
    presence_stats_result_fields,
    ARRAY_LEN(presence_stats_result_fields),
};

static const struct field history_request_fields[] = {
    FIELD(history_request, 1, channel, KIND_STR),
    FIELD(history_request, 7, limit, KIND_I32),
    FIELD(history_request, 8, since, KIND_MSG, .sub = &stream_position_schema),
    FIELD(history_request, 9, reverse, KIND_BOOL),
};
const struct schema history_request_schema = {
    "HistoryRequest",
    sizeof(struct history_request),
    history_request_fields,
    ARRAY_LEN(history_request_fields),
};

static const struct field history_result_fields[] = {
    FIELD(history_result, 1, publications, KIND_MSG, .flags = FIELD_ALWAYS | FIELD_REPEATED,
          .sub = &publication_schema),
    FIELD(history_result, 2, epoch, KIND_STR, .flags = FIELD_ALWAYS),
    FIELD(history_result, 3, offset, KIND_U64, .flags = FIELD_ALWAYS),
};
const struct schema history_result_schema = {
    "HistoryResult",
    sizeof(struct history_result),
    history_result_fields,
    ARRAY_LEN(history_result_fields),
};

static const struct field rpc_request_fields[] = {
    FIELD(rpc_request, 1, data, KIND_BYTES),
    FIELD(rpc_request, 2, method, KIND_STR),
};
const struct schema rpc_request_schema = {
    "RPCRequest",
    sizeof(struct rpc_request),
    rpc_request_fields,
    ARRAY_LEN(rpc_request_fields),
};

static const struct field rpc_result_fields[] = {
    FIELD(rpc_result, 1, data, KIND_BYTES),
};
const struct schema rpc_result_schema = {
    "RPCResult",
    sizeof(struct rpc_result),
    rpc_result_fields,
    ARRAY_LEN(rpc_result_fields),
};

static const struct field send_request_fields[] = {
    FIELD(send_request, 1, data, KIND_BYTES),
};
const struct schema send_request_schema = {
    "SendRequest",
    sizeof(struct send_request),
    send_request_fields,
    ARRAY_LEN(send_request_fields),
};

static const struct field refresh_request_fields[] = {
    FIELD(refresh_request, 1, token, KIND_STR),
};
const struct schema refresh_request_schema = {
    "RefreshRequest",
    sizeof(struct refresh_request),
    refresh_request_fields,
    ARRAY_LEN(refresh_request_fields),
};

static const struct field refresh_result_fields[] = {
    FIELD(refresh_result, 1, client, KIND_STR),
    FIELD(refresh_result, 2, version, KIND_STR),
    FIELD(refresh_result, 3, expires, KIND_BOOL),
    FIELD(refresh_result, 4, ttl, KIND_U32),
};
const struct schema refresh_result_schema = {
    "RefreshResult",
    sizeof(struct refresh_result),
    refresh_result_fields,
    ARRAY_LEN(refresh_result_fields),
};

static const struct field keyed_item_fields[] = {
    FIELD(keyed_item, 1, key, KIND_STR),
    FIELD(keyed_item, 2, version, KIND_U64),
};
const struct schema keyed_item_schema = {
    "KeyedItem",
    sizeof(struct keyed_item),
    keyed_item_fields,
    ARRAY_LEN(keyed_item_fields),
};

static const struct field track_batch_fields[] = {
    FIELD(track_batch, 1, signature, KIND_STR),
    FIELD(track_batch, 2, items, KIND_MSG, .flags = FIELD_REPEATED, .sub = &keyed_item_schema),
};
const struct schema track_batch_schema = {
    "TrackBatch",
    sizeof(struct track_batch),
    track_batch_fields,
    ARRAY_LEN(track_batch_fields),
};

static const struct field sub_refresh_request_fields[] = {
    FIELD(sub_refresh_request, 1, channel, KIND_STR),
    FIELD(sub_refresh_request, 2, token, KIND_STR),
    FIELD(sub_refresh_request, 3, type, KIND_I32),
    FIELD(sub_refresh_request, 4, track, KIND_MSG, .flags = FIELD_REPEATED,
          .sub = &track_batch_schema),
    FIELD(sub_refresh_request, 5, untrack, KIND_STR, .flags = FIELD_REPEATED),
};
const struct schema sub_refresh_request_schema = {
    "SubRefreshRequest",
    sizeof(struct sub_refresh_request),
    sub_refresh_request_fields,
    ARRAY_LEN(sub_refresh_request_fields),
};

static const struct field sub_refresh_result_fields[] = {
    FIELD(sub_refresh_result, 1, expires, KIND_BOOL),
    FIELD(sub_refresh_result, 2, ttl, KIND_U32),
    FIELD(sub_refresh_result, 3, items, KIND_MSG, .flags = FIELD_REPEATED,
          .sub = &publication_schema),
};
const struct schema sub_refresh_result_schema = {
    "SubRefreshResult",
    sizeof(struct sub_refresh_result),
    sub_refresh_result_fields,
    ARRAY_LEN(sub_refresh_result_fields),
};

const struct schema empty_schema = {
    "Empty",
    sizeof(struct empty),
    NULL,
    0,
};

static const struct field command_fields[] = {
    FIELD(command, 1, id, KIND_U32),
    FIELD(command, 4, connect, KIND_MSG, .sub = &connect_request_schema),
    FIELD(command, 5, subscribe, KIND_MSG, .sub = &subscribe_request_schema),
    FIELD(command, 6, unsubscribe, KIND_MSG, .sub = &unsubscribe_request_schema),
    FIELD(command, 7, publish, KIND_MSG, .sub = &publish_request_schema),
    FIELD(command, 8, presence, KIND_MSG, .sub = &presence_request_schema),
    FIELD(command, 9, presence_stats, KIND_MSG, .sub = &presence_stats_request_schema),
    FIELD(command, 10, history, KIND_MSG, .sub = &history_request_schema),
    FIELD(command, 11, ping, KIND_MSG, .sub = &empty_schema),
    FIELD(command, 12, send, KIND_MSG, .sub = &send_request_schema),
    FIELD(command, 13, rpc, KIND_MSG, .sub = &rpc_request_schema),
    FIELD(command, 14, refresh, KIND_MSG, .sub = &refresh_request_schema),
    FIELD(command, 15, sub_refresh, KIND_MSG, .sub = &sub_refresh_request_schema),
};
const struct schema command_schema = {
    "Command",
    sizeof(struct command),
    command_fields,
    ARRAY_LEN(command_fields),
};

static const struct field reply_fields[] = {
    FIELD(reply, 1, id, KIND_U32),
    FIELD(reply, 2, error, KIND_MSG, .sub = &error_schema),
    FIELD(reply, 4, push, KIND_MSG, .sub = &push_schema),
    FIELD(reply, 5, connect, KIND_MSG, .sub = &connect_result_schema),
    FIELD(reply, 6, subscribe, KIND_MSG, .sub = &subscribe_result_schema),
    FIELD(reply, 7, unsubscribe, KIND_MSG, .sub = &empty_schema),
    FIELD(reply, 8, publish, KIND_MSG, .sub = &empty_schema),
    FIELD(reply, 9, presence, KIND_MSG, .sub = &presence_result_schema),
    FIELD(reply, 10, presence_stats, KIND_MSG, .sub = &presence_stats_result_schema),
    FIELD(reply, 11, history, KIND_MSG, .sub = &history_result_schema),
    FIELD(reply, 12, ping, KIND_MSG, .sub = &empty_schema),
    FIELD(reply, 13, rpc, KIND_MSG, .sub = &rpc_result_schema),
    FIELD(reply, 14, refresh, KIND_MSG, .sub = &refresh_result_schema),
    FIELD(reply, 15, sub_refresh, KIND_MSG, .sub = &sub_refresh_result_schema),
};
const struct schema reply_schema = {
    "Reply",
    sizeof(struct reply),
    reply_fields,
    ARRAY_LEN(reply_fields),
};
