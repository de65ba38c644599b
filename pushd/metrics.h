/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of pushd: one table of rows, one set of slots a thread, summed when somebody asks. */
#pragma once

#include "common/base/str.h"
#include "common/protocol/perr.h"

#include <stdatomic.h>

/* Labels are small fixed sets; a row names its set and a counter is addressed by the index in it.
 * Names are Centrifugo's (HTTP surface, section 10); what it has not begins with pushd_. */
enum metric {
    METRIC_MESSAGES_SENT,       /* centrifugo_node_messages_sent_count{type}: METRIC_TYPE_* */
    METRIC_MESSAGES_RECEIVED,   /* centrifugo_node_messages_received_count{type} */
    METRIC_ACTIONS,             /* centrifugo_node_action_count{action}: METRIC_ACTION_* */
    METRIC_CONNECTION_LIMIT,    /* centrifugo_node_client_connection_limit */
    METRIC_REPLY_ERRORS,        /* centrifugo_client_num_reply_errors{method,code}: method *
                                   metrics_code_count() + code index */
    METRIC_SERVER_UNSUBSCRIBES, /* centrifugo_client_num_server_unsubscribes{code} */
    METRIC_SERVER_DISCONNECTS, /* centrifugo_client_num_server_disconnects{code}: metrics_code_index
                                */
    METRIC_COMMANDS,           /* pushd_client_commands_total{method} */
    METRIC_CONNECTIONS_ACCEPTED, /* centrifugo_client_connections_accepted{transport="websocket",...}
                                  */
    METRIC_SUBSCRIPTIONS_ACCEPTED,   /* centrifugo_client_subscriptions_accepted */
    METRIC_TRANSPORT_SENT,           /* centrifugo_transport_messages_sent{transport="websocket"} */
    METRIC_TRANSPORT_SENT_BYTES,     /* centrifugo_transport_messages_sent_size */
    METRIC_TRANSPORT_RECEIVED,       /* centrifugo_transport_messages_received */
    METRIC_TRANSPORT_RECEIVED_BYTES, /* centrifugo_transport_messages_received_size */
    METRIC_OUTGOING_CLOSE,           /* centrifugo_transport_outgoing_close_count{transport,code} */
    METRIC_RECOVER,                  /* centrifugo_client_recover{recovered}: 0 no, 1 yes */
    METRIC_REDIS_PUBSUB_ERRORS,      /* centrifugo_broker_redis_pub_sub_errors */
    METRIC_REDIS_PUBSUB_DROPPED, /* centrifugo_broker_redis_pub_sub_dropped_messages{channel_type}:
                                    0 client, 1 control */
    METRIC_REDIS_RECONNECTS,     /* pushd_redis_reconnects_total */
    METRIC_REDIS_REFUSALS,       /* pushd_redis_refusals_total */
    METRIC_REFUSALS,             /* pushd_handshake_refusals_total{status}: METRIC_REFUSAL_* */
    METRIC_SEND_BATCHES,         /* pushd_send_batches_total */
    METRIC_KEY_FETCHES,          /* pushd_jwks_fetches_total{result}: enum jwks_outcome */
    METRIC_FILTERED,             /* centrifugo_node_tags_filter_dropped_publications */
    METRIC_SLOW,                 /* pushd_slow_clients_total{cause}: METRIC_SLOW_* */
    METRIC_SEND_PARTIAL,         /* pushd_send_partial_total: the kernel took less than offered */
    METRIC_COUNT,
};

enum {
    METRIC_TYPE_PUBLICATION,
    METRIC_TYPE_JOIN,
    METRIC_TYPE_LEAVE,
    METRIC_TYPE_CONTROL,
    METRIC_TYPE_COUNT
};
enum {
    METRIC_ACTION_ADD_CLIENT,
    METRIC_ACTION_REMOVE_CLIENT,
    METRIC_ACTION_ADD_SUBSCRIPTION,
    METRIC_ACTION_REMOVE_SUBSCRIPTION,
    METRIC_ACTION_BROKER_SUBSCRIBE,
    METRIC_ACTION_BROKER_UNSUBSCRIBE,
    METRIC_ACTION_ADD_PRESENCE,
    METRIC_ACTION_REMOVE_PRESENCE,
    METRIC_ACTION_PRESENCE,
    METRIC_ACTION_PRESENCE_STATS,
    METRIC_ACTION_HISTORY,
    METRIC_ACTION_HISTORY_RECOVER,
    METRIC_ACTION_SURVEY,
    METRIC_ACTION_COUNT,
};
enum {
    METRIC_REFUSAL_400,
    METRIC_REFUSAL_403,
    METRIC_REFUSAL_404,
    METRIC_REFUSAL_405,
    METRIC_REFUSAL_431,
    METRIC_REFUSAL_503,
    METRIC_REFUSAL_COUNT
};
/* Why a client was given up as slow. */
enum {
    METRIC_SLOW_QUEUE_SIZE,    /* client.queue_max_size */
    METRIC_SLOW_QUEUE_AGE,     /* pushd.queue_max_age */
    METRIC_SLOW_WRITE_TIMEOUT, /* websocket.write_timeout */
    METRIC_SLOW_SUBSCRIBE,     /* too much came in before a subscription was ready */
    METRIC_SLOW_COUNT,
};
/* Methods of the client protocol, for {method}. */
enum {
    METRIC_METHOD_UNKNOWN,
    METRIC_METHOD_CONNECT,
    METRIC_METHOD_SUBSCRIBE,
    METRIC_METHOD_UNSUBSCRIBE,
    METRIC_METHOD_PUBLISH,
    METRIC_METHOD_PRESENCE,
    METRIC_METHOD_PRESENCE_STATS,
    METRIC_METHOD_HISTORY,
    METRIC_METHOD_RPC,
    METRIC_METHOD_SEND,
    METRIC_METHOD_REFRESH,
    METRIC_METHOD_SUB_REFRESH,
    METRIC_METHOD_COUNT,
};

/* Refusals by their reason, in the order in which a thread meets them. */
#define METRIC_REASONS 256
struct metric_reason {
    _Atomic(const char *) name;
    _Atomic uint64_t count;
};

/* One thread's counters. Made before the thread starts, never freed before all threads ended. */
struct metrics {
    _Atomic uint64_t *slots;
    struct metric_reason *reasons; /* METRIC_REASONS of them; name NULL: from here on unused */
};

/* Offsets of the rows in the slots; filled by metrics_setup. */
extern size_t metric_base[METRIC_COUNT];

/* Once, before the first metrics_new; a second call changes nothing. */
void metrics_setup(void);
/* Lives until metrics_teardown. Several threads may call it at a time. */
struct metrics *metrics_new(void);
/* Frees all of them; no thread may count any more. */
void metrics_teardown(void);

/* Index of a code among the labels {code}: those of perr.h and the close codes of RFC 6455, 7.4.1.
 * Codes that are neither share the last index ("other"). */
unsigned metrics_code_index(uint32_t code);
unsigned metrics_code_count(void);

/* Adds to a counter of the calling thread's own set: no lock, no read-modify-write on a shared
 * line. */
static inline void metrics_add(struct metrics *m, enum metric id, unsigned label, uint64_t n)
{
    _Atomic uint64_t *slot = &m->slots[metric_base[id] + label];
    atomic_store_explicit(slot, atomic_load_explicit(slot, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* pushd_refusals_total{reason}: adds one for a reason of perr_result, a constant string. Rare, so
 * it may search. */
void metrics_refused(struct metrics *m, const char *reason);

/* How many counters there are, all labels taken: metric_base[id] + label is below it. */
size_t metrics_slots(void);

/* Sum over all threads. */
uint64_t metrics_sum(enum metric id, unsigned label);

/* One counter with its labels in words. Borrowed. */
struct metrics_series {
    enum metric id;
    const char *name;
    unsigned label; /* index, for metrics_sum */
    struct {
        const char *name; /* NULL: the row has fewer labels */
        const char *value;
    } labels[2];
    uint64_t value;
};

/* Visits the counters in the order of enum metric. Rows with a label {code} have hundreds: of them
 * only those that ever counted. */
typedef void (*metrics_each_fn)(const struct metrics_series *series, void *arg);
void metrics_each(metrics_each_fn fn, void *arg);

/* Calls fn for each thread's counters. */
void metrics_each_thread(void (*fn)(const struct metrics *m, void *arg), void *arg);

/* Prometheus text (version 0.0.4) of pushd_refusals_total, ordered by reason. */
void metrics_render_reasons(struct buf *out);

/* Prometheus text (version 0.0.4) of all counters, HELP and TYPE lines
 * included. Gauges are added by the caller with metrics_gauge. */
void metrics_render(struct buf *out);
/* One gauge with HELP and TYPE; labels is "" or `{version="..."}`. */
void metrics_gauge(struct buf *out, const char *name, const char *help, const char *labels,
                   double value);

/* For several values under one name: the HELP and TYPE lines (type is "gauge" or "counter"), then
 * one line a value. */
void metrics_family(struct buf *out, const char *name, const char *type, const char *help);
void metrics_sample(struct buf *out, const char *name, const char *labels, double value);
/* Appends `name="value"` with the escapes of the format, for values that come from outside. */
void metrics_label(struct buf *out, const char *name, struct span value);
