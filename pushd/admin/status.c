/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness and the data of the admin page. */
#include "pushd/admin/status.h"

#include "common/base/clk.h"
#include "common/format/jwrite.h"
#include "pushd/admin/process.h"

#include <unistd.h>

int64_t admin_status_heartbeat_age_ms(const struct bus *bus, uint16_t worker)
{
    int64_t at =
        atomic_load_explicit(&bus->ports[worker].gauges.heartbeat_ms, memory_order_relaxed);
    if (at == 0) {
        return -1;
    }
    int64_t age = clk_mono_ms() - at;
    return age > 0 ? age : 0;
}

static uint32_t load(const _Atomic uint32_t *gauge)
{
    return atomic_load_explicit(gauge, memory_order_relaxed);
}

struct admin_totals admin_status_totals(const struct bus *bus)
{
    struct admin_totals t = {0};
    for (uint16_t i = 0; i < bus->workers; i++) {
        const struct bus_gauges *g = &bus->ports[i].gauges;
        t.connections += load(&g->connections);
        t.clients += load(&g->clients);
        t.subscriptions += load(&g->subscriptions);
    }
    return t;
}

/* ---- readiness ---- */

static const char *redis_word(enum control_redis_state state)
{
    static const char *const words[] = {
        [CONTROL_REDIS_CONNECTING] = "connecting",
        [CONTROL_REDIS_READY] = "ready",
        [CONTROL_REDIS_DOWN] = "down",
        [CONTROL_REDIS_PARTLY_DOWN] = "partly down",
    };
    return words[state];
}

/* "redis: ERROR", or "redis ADDRESS: ERROR" where there are several. */
static void describe_redis(const struct admin_opts *o, uint32_t i, struct buf *out)
{
    struct control_redis r = control_redis_at(o->control, i);
    buf_add_str(out, "redis");
    if (control_redis_count(o->control) > 1) {
        buf_addf(out, " %s", r.address);
    }
    buf_addf(out, ": %s", *r.error != '\0' ? r.error : redis_word(r.state));
}

static void add_reason(struct buf *out, unsigned *n, struct buf *reason)
{
    if ((*n)++ != 0) {
        buf_add_char(out, ',');
    }
    jwrite_string(out, buf_span(reason));
    buf_clear(reason);
}

/* What is wrong with Redis, as elements of an array; returns how many. */
static unsigned add_redis_reasons(const struct admin_opts *o, struct buf *out)
{
    unsigned n = 0;
    struct buf reason = {0};
    for (uint32_t i = 0; i < control_redis_count(o->control); i++) {
        if (control_redis_at(o->control, i).state != CONTROL_REDIS_READY) {
            describe_redis(o, i, &reason);
            add_reason(out, &n, &reason);
        }
    }
    buf_free(&reason);
    return n;
}

/* What goes wrong although the node is ready, as elements of an array that has n; returns how
 * many it has then. A Redis that refuses commands, as a replica or one without memory does, still
 * delivers, and no other node would do better. */
static unsigned add_refusals(const struct admin_opts *o, unsigned n, struct buf *out)
{
    struct buf warning = {0};
    for (uint32_t i = 0; i < control_redis_count(o->control); i++) {
        struct control_redis r = control_redis_at(o->control, i);
        if (*r.refusal != '\0') {
            buf_addf(&warning, "redis %s: %s", r.address, r.refusal);
            add_reason(out, &n, &warning);
        }
    }
    buf_free(&warning);
    return n;
}

static bool is_partly_down(const struct admin_opts *o)
{
    return control_redis_state(o->control) == CONTROL_REDIS_PARTLY_DOWN;
}

/* Appends the reasons for not being ready as elements of an array; returns how many. A Redis of
 * several is no reason: the node serves the channels of the others, and no other node would do
 * better. */
static unsigned add_reasons(const struct admin_opts *o, struct buf *out)
{
    unsigned n = is_partly_down(o) ? 0 : add_redis_reasons(o, out);
    struct buf reason = {0};
    for (uint16_t i = 0; i < o->bus->workers; i++) {
        int64_t age_ms = admin_status_heartbeat_age_ms(o->bus, i);
        if (age_ms < 0) {
            buf_addf(&reason, "worker %u: not started", i);
        } else if (age_ms >= ADMIN_HEARTBEAT_MAX_MS) {
            buf_addf(&reason, "worker %u: no heartbeat for %lld s", i, (long long)(age_ms / 1000));
        } else {
            continue;
        }
        add_reason(out, &n, &reason);
    }
    if (*o->is_draining) {
        buf_add_str(&reason, "draining");
        add_reason(out, &n, &reason);
    }
    buf_free(&reason);
    return n;
}

bool admin_status_ready(const struct admin_opts *o, struct buf *out)
{
    struct buf reasons = {0};
    bool is_ready = add_reasons(o, &reasons) == 0;
    if (is_ready) {
        buf_addf(out, "{\"ready\":true,\"redis\":\"%s\",",
                 redis_word(control_redis_state(o->control)));
        struct buf warnings = {0};
        unsigned n = is_partly_down(o) ? add_redis_reasons(o, &warnings) : 0;
        if (add_refusals(o, n, &warnings) != 0) {
            buf_add_str(out, "\"warnings\":[");
            buf_add_span(out, buf_span(&warnings));
            buf_add_str(out, "],");
        }
        buf_free(&warnings);
        buf_addf(out, "\"workers\":%u}\n", o->bus->workers);
    } else {
        buf_add_str(out, "{\"ready\":false,\"reasons\":[");
        buf_add_span(out, buf_span(&reasons));
        buf_add_str(out, "]}\n");
    }
    buf_free(&reasons);
    return is_ready;
}

/* ---- the data of the page ---- */

/* One member; the name is a constant of ours. */
static void add_text(struct buf *out, const char *name, struct span value)
{
    buf_addf(out, "\"%s\":", name);
    jwrite_string(out, value);
}

static void add_node_members(struct buf *out, const struct control_node *node)
{
    add_text(out, "uid", node->uid);
    buf_add_char(out, ',');
    add_text(out, "name", node->name);
    buf_add_char(out, ',');
    add_text(out, "version", node->version);
    buf_addf(
        out,
        ",\"num_clients\":%u,\"num_users\":%u,\"num_subs\":%u,\"num_channels\":%u,\"uptime\":%u",
        node->num_clients, node->num_users, node->num_subs, node->num_channels, node->uptime_s);
}

static bool add_cluster_node(const struct control_node *node, void *arg)
{
    struct buf *out = arg;
    buf_add_str(out, out->p[out->n - 1] == '[' ? "{" : ",{");
    add_node_members(out, node);
    buf_addf(out, ",\"self\":%s}", node->is_self ? "true" : "false");
    return true;
}

static void add_node(const struct admin_opts *o, struct buf *out)
{
    struct control_node self = {0};
    struct buf reasons = {0};
    control_self(o->control, &self);
    unsigned n = add_reasons(o, &reasons);
    buf_add_str(out, "\"node\":{");
    add_node_members(out, &self);
    buf_addf(out, ",\"ready\":%s,\"draining\":%s,\"reasons\":[", n == 0 ? "true" : "false",
             *o->is_draining ? "true" : "false");
    buf_add_span(out, buf_span(&reasons));
    buf_add_str(out, "]}");
    buf_free(&reasons);
}

/* Of all addresses together; where there is one, it needs no name. */
static void add_redis_error(const struct admin_opts *o, struct buf *out)
{
    struct buf text = {0};
    uint32_t n = control_redis_count(o->control);
    for (uint32_t i = 0; i < n; i++) {
        struct control_redis r = control_redis_at(o->control, i);
        if (*r.error != '\0' && n > 1) {
            buf_addf(&text, "%s%s: ", text.n != 0 ? "; " : "", r.address);
        }
        buf_add_str(&text, r.error);
    }
    add_text(out, "error", buf_span(&text));
    buf_free(&text);
}

static void add_redis(const struct admin_opts *o, struct buf *out)
{
    buf_add_str(out, ",\"redis\":{");
    add_text(out, "state", span_str(redis_word(control_redis_state(o->control))));
    buf_add_char(out, ',');
    add_redis_error(o, out);
    buf_addf(out, ",\"reconnects\":%llu,\"shards\":[",
             (unsigned long long)metrics_sum(METRIC_REDIS_RECONNECTS, 0));
    for (uint32_t i = 0; i < control_redis_count(o->control); i++) {
        struct control_redis r = control_redis_at(o->control, i);
        buf_add_str(out, i != 0 ? ",{" : "{");
        add_text(out, "address", span_str(r.address));
        buf_add_char(out, ',');
        add_text(out, "state", span_str(redis_word(r.state)));
        buf_add_char(out, ',');
        add_text(out, "error", span_str(r.error));
        buf_add_char(out, '}');
    }
    buf_add_str(out, "]}");
}

static void add_workers(const struct bus *bus, struct buf *out)
{
    buf_add_str(out, ",\"workers\":[");
    for (uint16_t i = 0; i < bus->workers; i++) {
        const struct bus_gauges *g = &bus->ports[i].gauges;
        buf_addf(out,
                 "%s{\"worker\":%u,\"connections\":%u,\"clients\":%u,\"subscriptions\":%u,"
                 "\"channels\":%u,"
                 "\"heartbeat_age_ms\":%lld}",
                 i != 0 ? "," : "", i, load(&g->connections), load(&g->clients),
                 load(&g->subscriptions), load(&g->channels),
                 (long long)admin_status_heartbeat_age_ms(bus, i));
    }
    buf_add_char(out, ']');
}

static void add_process(const struct bus *bus, struct buf *out)
{
    struct admin_process p;
    admin_process_read(&p, admin_status_totals(bus).connections);
    buf_addf(
        out,
        ",\"process\":{\"pid\":%ld,\"cpu_seconds\":%.2f,\"resident_bytes\":%lld,\"open_fds\":%lld,"
        "\"max_fds\":%lld,\"start_time\":%.0f}",
        (long)getpid(), p.cpu_s, (long long)p.resident_bytes, (long long)p.open_fds,
        (long long)p.max_fds, p.start_s);
}

struct counters {
    struct buf *out;
    const char *family; /* the one whose object is open, or NULL */
    bool has_members;
};

/* "name":5 for a row without labels, "name":{"publication":5} or "name":{"subscribe,103":5} for
 * others. */
static void add_counter(const struct metrics_series *s, void *arg)
{
    struct counters *c = arg;
    bool is_same = c->family == s->name;
    if (!is_same) {
        buf_addf(c->out, "%s%s\"%s\":", c->family != NULL ? "}" : "", c->has_members ? "," : "",
                 s->name);
        c->family = NULL;
        c->has_members = true;
    }
    if (s->labels[0].name != NULL) {
        buf_addf(c->out, "%s\"%s%s%s\":", is_same ? "," : "{", s->labels[0].value,
                 s->labels[1].name != NULL ? "," : "",
                 s->labels[1].name != NULL ? s->labels[1].value : "");
        c->family = s->name;
    }
    buf_add_u64(c->out, s->value);
}

static void add_counters(struct buf *out)
{
    struct counters c = {.out = out};
    buf_add_str(out, ",\"counters\":{");
    metrics_each(add_counter, &c);
    buf_add_str(out, c.family != NULL ? "}}" : "}");
}

static const char *refusal_text(unsigned refusal)
{
    static const char *const texts[METRIC_REFUSAL_COUNT] = {
        [METRIC_REFUSAL_400] = "not a proper WebSocket handshake",
        [METRIC_REFUSAL_403] = "origin not allowed (client.allowed_origins)",
        [METRIC_REFUSAL_404] = "unknown path",
        [METRIC_REFUSAL_405] = "method not allowed",
        [METRIC_REFUSAL_431] = "headers too long",
        [METRIC_REFUSAL_503] = "limit reached or shutting down",
    };
    return texts[refusal];
}

struct refusal {
    const char *kind;
    const char *method;
    const char *code;
    const char *reason;
};

static bool describe(const struct metrics_series *s, struct refusal *r)
{
    uint64_t code = 0;
    *r = (struct refusal){.method = "", .code = s->labels[0].value};
    if (s->id == METRIC_REFUSALS) {
        r->kind = "handshake";
        r->reason = refusal_text(s->label);
        return true;
    }
    if (s->id == METRIC_REPLY_ERRORS) {
        r->kind = "reply";
        r->method = s->labels[0].value;
        r->code = s->labels[1].value;
    } else if (s->id == METRIC_SERVER_DISCONNECTS) {
        r->kind = "disconnect";
    } else if (s->id == METRIC_SERVER_UNSUBSCRIBES) {
        r->kind = "unsubscribe";
    } else {
        return false;
    }
    const struct perr_row *row =
        span_to_u64(span_str(r->code), &code) == 0 ? perr_row((uint32_t)code) : NULL;
    r->reason = row != NULL ? row->text : "chosen by the application";
    return true;
}

/* All that was refused or ended by us, in words. */
static void add_refusal(const struct metrics_series *s, void *arg)
{
    struct buf *out = arg;
    struct refusal r;
    if (s->value == 0 || !describe(s, &r)) {
        return;
    }
    buf_addf(
        out,
        "%s{\"kind\":\"%s\",\"method\":\"%s\",\"code\":\"%s\",\"reason\":\"%s\",\"count\":%llu}",
        out->p[out->n - 1] == '[' ? "" : ",", r.kind, r.method, r.code, r.reason,
        (unsigned long long)s->value);
}

void admin_status_json(const struct admin_opts *o, struct buf *out)
{
    buf_add_str(out, "{\"result\":{");
    add_node(o, out);
    buf_add_str(out, ",\"nodes\":[");
    control_each_node(o->control, add_cluster_node, out);
    buf_add_char(out, ']');
    add_redis(o, out);
    add_workers(o->bus, out);
    add_process(o->bus, out);
    buf_addf(out, ",\"batch_send\":\"%s\",\"version\":\"%s\",\"time_ms\":%lld", o->batch_send,
             PACKAGE_VERSION, (long long)clk_mono_ms());
    add_counters(out);
    buf_add_str(out, ",\"refusals\":[");
    metrics_each(add_refusal, out);
    buf_add_str(out, "]}}\n");
}
