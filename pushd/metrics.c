/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of pushd: the table of rows, the threads' slots and their rendering. */
#include "pushd/metrics.h"

#include "common/base/mem.h"
#include "common/policy/jwks.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define CACHE_LINE 64
#define MAX_CODES  80
#define MAX_LABELS 2

enum label_set {
    SET_NONE,
    SET_TYPE,
    SET_ACTION,
    SET_METHOD,
    SET_CODE,
    SET_YES_NO,
    SET_REFUSAL,
    SET_CHANNEL_TYPE,
    SET_KEY_FETCH,
    SET_SLOW,
    SET_COUNT,
};

/* Names of the codes are made by metrics_setup from the table of codes, ascending, "other" last. */
static struct {
    uint32_t number;
    char text[12];
} codes[MAX_CODES];
static const char *code_names[MAX_CODES];

static const char *const types[METRIC_TYPE_COUNT] = {
    [METRIC_TYPE_PUBLICATION] = "publication",
    [METRIC_TYPE_JOIN] = "join",
    [METRIC_TYPE_LEAVE] = "leave",
    [METRIC_TYPE_CONTROL] = "control",
};
static const char *const actions[METRIC_ACTION_COUNT] = {
    [METRIC_ACTION_ADD_CLIENT] = "add_client",
    [METRIC_ACTION_REMOVE_CLIENT] = "remove_client",
    [METRIC_ACTION_ADD_SUBSCRIPTION] = "add_subscription",
    [METRIC_ACTION_REMOVE_SUBSCRIPTION] = "remove_subscription",
    [METRIC_ACTION_BROKER_SUBSCRIBE] = "broker_subscribe",
    [METRIC_ACTION_BROKER_UNSUBSCRIBE] = "broker_unsubscribe",
    [METRIC_ACTION_ADD_PRESENCE] = "add_presence",
    [METRIC_ACTION_REMOVE_PRESENCE] = "remove_presence",
    [METRIC_ACTION_PRESENCE] = "presence",
    [METRIC_ACTION_PRESENCE_STATS] = "presence_stats",
    [METRIC_ACTION_HISTORY] = "history",
    [METRIC_ACTION_HISTORY_RECOVER] = "history_recover",
    [METRIC_ACTION_SURVEY] = "survey",
};
static const char *const methods[METRIC_METHOD_COUNT] = {
    [METRIC_METHOD_UNKNOWN] = "unknown",
    [METRIC_METHOD_CONNECT] = "connect",
    [METRIC_METHOD_SUBSCRIBE] = "subscribe",
    [METRIC_METHOD_UNSUBSCRIBE] = "unsubscribe",
    [METRIC_METHOD_PUBLISH] = "publish",
    [METRIC_METHOD_PRESENCE] = "presence",
    [METRIC_METHOD_PRESENCE_STATS] = "presence_stats",
    [METRIC_METHOD_HISTORY] = "history",
    [METRIC_METHOD_RPC] = "rpc",
    [METRIC_METHOD_SEND] = "send",
    [METRIC_METHOD_REFRESH] = "refresh",
    [METRIC_METHOD_SUB_REFRESH] = "sub_refresh",
};
static const char *const yes_no[] = {"no", "yes"};
static const char *const refusals[METRIC_REFUSAL_COUNT] = {
    [METRIC_REFUSAL_400] = "400", [METRIC_REFUSAL_403] = "403", [METRIC_REFUSAL_404] = "404",
    [METRIC_REFUSAL_405] = "405", [METRIC_REFUSAL_431] = "431", [METRIC_REFUSAL_503] = "503",
};
static const char *const slow_causes[METRIC_SLOW_COUNT] = {
    [METRIC_SLOW_QUEUE_SIZE] = "queue_size",
    [METRIC_SLOW_QUEUE_AGE] = "queue_age",
    [METRIC_SLOW_WRITE_TIMEOUT] = "write_timeout",
    [METRIC_SLOW_SUBSCRIBE] = "subscribe",
};
static const char *const channel_types[] = {"client", "control"};
static const char *key_fetches[JWKS_OUTCOME_COUNT]; /* named by metrics_setup */

static struct {
    const char *const *values;
    unsigned count; /* of SET_CODE: metrics_setup */
} sets[SET_COUNT] = {
    [SET_NONE] = {NULL, 1},
    [SET_TYPE] = {types, METRIC_TYPE_COUNT},
    [SET_ACTION] = {actions, METRIC_ACTION_COUNT},
    [SET_METHOD] = {methods, METRIC_METHOD_COUNT},
    [SET_CODE] = {code_names, 0},
    [SET_YES_NO] = {yes_no, ARRAY_LEN(yes_no)},
    [SET_REFUSAL] = {refusals, METRIC_REFUSAL_COUNT},
    [SET_CHANNEL_TYPE] = {channel_types, ARRAY_LEN(channel_types)},
    [SET_KEY_FETCH] = {key_fetches, JWKS_OUTCOME_COUNT},
    [SET_SLOW] = {slow_causes, METRIC_SLOW_COUNT},
};

/* Labels that have one value here, but stand in the reference, so that its dashboards find them.
 * The namespace is empty there, too; names of clients are registered in no list, which the
 * reference calls unregistered. */
#define NAMESPACE      "channel_namespace=\"\""
#define TRANSPORT      "transport=\"websocket\""
#define CLIENT_NAME    "client_name=\"unregistered\""
#define CLIENT_VERSION "client_version=\"unregistered\""
#define CLIENTS        TRANSPORT ",accept_protocol=\"\"," CLIENT_NAME "," CLIENT_VERSION
#define FRAMES         TRANSPORT ",frame_type=\"\"," NAMESPACE
#define BROKER         "broker_name=\"\""

/* A counter's index is that of its first label, times the size of the second set, plus that of the
 * second label. */
struct row {
    const char *name;
    const char *help;
    const char *fixed; /* further labels as text, or NULL */
    struct {
        const char *name;
        enum label_set set;
    } labels[MAX_LABELS];
};

/* clang-format off */
static const struct row rows[METRIC_COUNT] = {
    [METRIC_MESSAGES_SENT] = {
        "centrifugo_node_messages_sent_count", "Messages sent to the broker.",
        NAMESPACE, {{"type", SET_TYPE}}},
    [METRIC_MESSAGES_RECEIVED] = {
        "centrifugo_node_messages_received_count", "Messages received from the broker.",
        NAMESPACE, {{"type", SET_TYPE}}},
    [METRIC_ACTIONS] = {
        "centrifugo_node_action_count", "Actions of the node.",
        NAMESPACE, {{"action", SET_ACTION}}},
    [METRIC_CONNECTION_LIMIT] = {
        "centrifugo_node_client_connection_limit",
        "Connections refused because of client.connection_limit.",
        NULL, {{NULL, SET_NONE}}},
    [METRIC_REPLY_ERRORS] = {
        "centrifugo_client_num_reply_errors", "Error replies to commands of clients.",
        NAMESPACE, {{"method", SET_METHOD}, {"code", SET_CODE}}},
    [METRIC_SERVER_UNSUBSCRIBES] = {
        "centrifugo_client_num_server_unsubscribes", "Subscriptions that the server ended.",
        NAMESPACE, {{"code", SET_CODE}}},
    [METRIC_SERVER_DISCONNECTS] = {
        "centrifugo_client_num_server_disconnects", "Connections that the server ended.",
        NULL, {{"code", SET_CODE}}},
    [METRIC_COMMANDS] = {
        "pushd_client_commands_total", "Commands of clients.",
        NULL, {{"method", SET_METHOD}}},
    [METRIC_CONNECTIONS_ACCEPTED] = {
        "centrifugo_client_connections_accepted", "Clients that connected.",
        CLIENTS, {{NULL, SET_NONE}}},
    [METRIC_SUBSCRIPTIONS_ACCEPTED] = {
        "centrifugo_client_subscriptions_accepted", "Subscriptions that clients got.",
        CLIENT_NAME "," NAMESPACE, {{NULL, SET_NONE}}},
    [METRIC_TRANSPORT_SENT] = {
        "centrifugo_transport_messages_sent", "Messages sent to clients.",
        FRAMES, {{NULL, SET_NONE}}},
    [METRIC_TRANSPORT_SENT_BYTES] = {
        "centrifugo_transport_messages_sent_size", "Bytes of the messages sent to clients.",
        FRAMES, {{NULL, SET_NONE}}},
    [METRIC_TRANSPORT_RECEIVED] = {
        "centrifugo_transport_messages_received", "Messages received from clients.",
        FRAMES, {{NULL, SET_NONE}}},
    [METRIC_TRANSPORT_RECEIVED_BYTES] = {
        "centrifugo_transport_messages_received_size",
        "Bytes of the messages received from clients.",
        FRAMES, {{NULL, SET_NONE}}},
    [METRIC_OUTGOING_CLOSE] = {
        "centrifugo_transport_outgoing_close_count", "Close frames sent.",
        TRANSPORT, {{"code", SET_CODE}}},
    [METRIC_RECOVER] = {
        "centrifugo_client_recover", "Attempts to recover missed publications.",
        NAMESPACE, {{"recovered", SET_YES_NO}}},
    [METRIC_REDIS_PUBSUB_ERRORS] = {
        "centrifugo_broker_redis_pub_sub_errors", "Failures of the Redis PUB/SUB connection.",
        BROKER, {{NULL, SET_NONE}}},
    [METRIC_REDIS_PUBSUB_DROPPED] = {
        "centrifugo_broker_redis_pub_sub_dropped_messages",
        "Messages from Redis that nobody could use.",
        BROKER, {{"channel_type", SET_CHANNEL_TYPE}}},
    [METRIC_REDIS_RECONNECTS] = {
        "pushd_redis_reconnects_total", "Connections to Redis that were made again.",
        NULL, {{NULL, SET_NONE}}},
    [METRIC_REDIS_REFUSALS] = {
        "pushd_redis_refusals_total", "Commands for channels that Redis answered with an error.",
        NULL, {{NULL, SET_NONE}}},
    [METRIC_REFUSALS] = {
        "pushd_handshake_refusals_total", "WebSocket handshakes answered with an HTTP status.",
        NULL, {{"status", SET_REFUSAL}}},
    [METRIC_SEND_BATCHES] = {
        "pushd_send_batches_total", "Calls that flushed a slice of connections.",
        NULL, {{NULL, SET_NONE}}},
    [METRIC_FILTERED] = {
        "centrifugo_node_tags_filter_dropped_publications", "Publications that a tags filter kept from a subscription.",
        NULL, {{NULL, SET_NONE}}},
    [METRIC_SEND_PARTIAL] = {
        "pushd_send_partial_total", "Sends of which the kernel took less than offered.",
        NULL, {{NULL, SET_NONE}}},
    [METRIC_SLOW] = {
        "pushd_slow_clients_total", "Clients that were closed because they did not keep up.",
        NULL, {{"cause", SET_SLOW}}},
    [METRIC_KEY_FETCHES] = {
        "pushd_jwks_fetches_total", "Requests for documents of keys (jwks_public_endpoint).",
        NULL, {{"result", SET_KEY_FETCH}}},
};
/* clang-format on */

/* The list only grows while threads run, so readers need no lock. */
struct owner {
    struct metrics metrics;
    struct owner *next;
    void *memory;
    struct metric_reason reasons[METRIC_REASONS];
};

size_t metric_base[METRIC_COUNT];
static size_t slot_count;
static _Atomic(struct owner *) owners;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static unsigned row_size(const struct row *r)
{
    return sets[r->labels[0].set].count * sets[r->labels[1].set].count;
}

static bool is_websocket_code(uint32_t code)
{
    return code >= 1000 && code <= 1011 && code != 1004 && code != 1005 && code != 1006;
}

static void setup(void)
{
    unsigned n = 0;
    for (uint32_t code = 1; code < 5000 && n < MAX_CODES - 1; code++) {
        if (perr_row(code) != NULL || is_websocket_code(code)) {
            codes[n].number = code;
            snprintf(codes[n].text, sizeof(codes[n].text), "%u", code);
            code_names[n] = codes[n].text;
            n++;
        }
    }
    code_names[n++] = "other";
    sets[SET_CODE].count = n;
    for (size_t i = 0; i < JWKS_OUTCOME_COUNT; i++) {
        key_fetches[i] = jwks_outcome_name((enum jwks_outcome)i);
    }
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        metric_base[i] = slot_count;
        slot_count += row_size(&rows[i]);
    }
}

void metrics_setup(void)
{
    pthread_once(&once, setup);
}

struct metrics *metrics_new(void)
{
    /* Whole cache lines, so that two threads never write to the same one. */
    size_t size = (slot_count * sizeof(uint64_t) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct owner *o = mem_zalloc(sizeof(*o));
    o->memory = mem_zalloc(size + CACHE_LINE);
    uintptr_t at = ((uintptr_t)o->memory + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    o->metrics.slots = (_Atomic uint64_t *)at;
    o->metrics.reasons = o->reasons;
    o->next = atomic_load(&owners);
    while (!atomic_compare_exchange_weak(&owners, &o->next, o)) {
    }
    return &o->metrics;
}

void metrics_teardown(void)
{
    struct owner *o = atomic_exchange(&owners, NULL);
    while (o != NULL) {
        struct owner *next = o->next;
        free(o->memory);
        free(o);
        o = next;
    }
}

unsigned metrics_code_index(uint32_t code)
{
    unsigned low = 0;
    unsigned other = sets[SET_CODE].count - 1;
    unsigned high = other;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (codes[middle].number < code) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < other && codes[low].number == code ? low : other;
}

unsigned metrics_code_count(void)
{
    return sets[SET_CODE].count;
}

size_t metrics_slots(void)
{
    return slot_count;
}

uint64_t metrics_sum(enum metric id, unsigned label)
{
    uint64_t sum = 0;
    for (struct owner *o = atomic_load(&owners); o != NULL; o = o->next) {
        sum +=
            atomic_load_explicit(&o->metrics.slots[metric_base[id] + label], memory_order_relaxed);
    }
    return sum;
}

void metrics_each_thread(void (*fn)(const struct metrics *m, void *arg), void *arg)
{
    for (struct owner *o = atomic_load(&owners); o != NULL; o = o->next) {
        fn(&o->metrics, arg);
    }
}

static struct metrics_series series_of(enum metric id, unsigned label)
{
    const struct row *r = &rows[id];
    unsigned second = sets[r->labels[1].set].count;
    unsigned at[MAX_LABELS] = {label / second, label % second};
    struct metrics_series s = {
        .id = id, .name = r->name, .label = label, .value = metrics_sum(id, label)};
    for (size_t i = 0; i < MAX_LABELS && r->labels[i].set != SET_NONE; i++) {
        s.labels[i].name = r->labels[i].name;
        s.labels[i].value = sets[r->labels[i].set].values[at[i]];
    }
    return s;
}

void metrics_each(metrics_each_fn fn, void *arg)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct row *r = &rows[i];
        bool is_sparse = r->labels[0].set == SET_CODE || r->labels[1].set == SET_CODE;
        for (unsigned label = 0; label < row_size(r); label++) {
            struct metrics_series s = series_of((enum metric)i, label);
            if (s.value != 0 || !is_sparse) {
                fn(&s, arg);
            }
        }
    }
}

struct rendering {
    struct buf *out;
    const char *family; /* the last one whose HELP and TYPE were written */
};

static void render_series(const struct metrics_series *s, void *arg)
{
    struct rendering *r = arg;
    const struct row *row = &rows[s->id];
    if (r->family != s->name) {
        metrics_family(r->out, s->name, "counter", row->help);
        r->family = s->name;
    }
    buf_add_str(r->out, s->name);
    const char *separator = "{";
    for (size_t i = 0; i < MAX_LABELS && s->labels[i].name != NULL; i++) {
        buf_add_str(r->out, separator);
        metrics_label(r->out, s->labels[i].name, span_str(s->labels[i].value));
        separator = ",";
    }
    if (row->fixed != NULL) {
        buf_add_str(r->out, separator);
        buf_add_str(r->out, row->fixed);
        separator = ",";
    }
    buf_add_str(r->out, *separator == ',' ? "} " : " ");
    buf_add_u64(r->out, s->value);
    buf_add_char(r->out, '\n');
}

void metrics_render(struct buf *out)
{
    struct rendering r = {.out = out};
    metrics_each(render_series, &r);
    metrics_render_reasons(out);
}

void metrics_family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_sample(struct buf *out, const char *name, const char *labels, double value)
{
    if (isnan(value)) {
        buf_addf(out, "%s%s NaN\n", name, labels);
    } else if (isinf(value)) {
        buf_addf(out, "%s%s %s\n", name, labels, value > 0 ? "+Inf" : "-Inf");
    } else {
        buf_addf(out, "%s%s %.15g\n", name, labels, value);
    }
}

void metrics_gauge(struct buf *out, const char *name, const char *help, const char *labels,
                   double value)
{
    metrics_family(out, name, "gauge", help);
    metrics_sample(out, name, labels, value);
}

void metrics_label(struct buf *out, const char *name, struct span value)
{
    buf_addf(out, "%s=\"", name);
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\n') {
            buf_add_str(out, "\\n");
        } else {
            if (c == '"' || c == '\\') {
                buf_add_char(out, '\\');
            }
            buf_add_char(out, c);
        }
    }
    buf_add_char(out, '"');
}
