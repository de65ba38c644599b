/* SPDX-License-Identifier: Apache-2.0 */
/* The Prometheus text: counters, then gauges of node, workers and process. */
#include "pushd/admin/process.h"
#include "pushd/admin/status.h"

struct sum {
    unsigned nodes;
};

static bool count_node(const struct control_node *node, void *arg)
{
    (void)node;
    struct sum *sum = arg;
    sum->nodes++;
    return true;
}

static void one_label(struct buf *labels, const char *name, struct span value)
{
    buf_clear(labels);
    buf_add_char(labels, '{');
    metrics_label(labels, name, value);
    buf_add_char(labels, '}');
}

/* Labelled where there are several. */
static void add_redis(const struct admin_opts *o, struct buf *out)
{
    struct buf labels = {0};
    uint32_t n = control_redis_count(o->control);
    metrics_family(out, "pushd_redis_up", "gauge", "1 while Redis answers.");
    for (uint32_t i = 0; i < n; i++) {
        struct control_redis r = control_redis_at(o->control, i);
        if (n > 1) {
            one_label(&labels, "address", span_str(r.address));
        }
        metrics_sample(out, "pushd_redis_up", buf_cstr(&labels), r.state == CONTROL_REDIS_READY);
    }
    buf_free(&labels);
}

static void add_node(const struct admin_opts *o, struct buf *out)
{
    struct sum sum = {0};
    struct control_node self = {0};
    struct buf labels = {0};
    struct admin_totals totals = admin_status_totals(o->bus);
    control_self(o->control, &self);
    control_each_node(o->control, count_node, &sum);
    metrics_gauge(out, "centrifugo_node_num_clients", "Clients connected to this node.", "",
                  (double)totals.clients);
    metrics_gauge(out, "centrifugo_node_num_users", "Different users connected to this node.", "",
                  control_user_count(o->control));
    metrics_gauge(out, "centrifugo_node_num_subscriptions", "Subscriptions of this node's clients.",
                  "", (double)totals.subscriptions);
    metrics_gauge(out, "centrifugo_node_num_channels", "Channels with subscribers on this node.",
                  "", control_channel_count(o->control));
    metrics_gauge(out, "centrifugo_node_num_nodes", "Nodes of the cluster that this node knows.",
                  "", sum.nodes);
    one_label(&labels, "version", self.version);
    metrics_gauge(out, "centrifugo_node_build", "Always 1; the version is in the label.",
                  buf_cstr(&labels), 1);
    metrics_gauge(out, "centrifugo_client_connections_inflight", "Clients connected to this node.",
                  "{transport=\"websocket\",accept_protocol=\"\",client_name=\"unregistered\","
                  "client_version=\"unregistered\"}",
                  (double)totals.clients);
    metrics_gauge(
        out, "centrifugo_client_subscriptions_inflight", "Subscriptions of this node's clients.",
        "{client_name=\"unregistered\",channel_namespace=\"\"}", (double)totals.subscriptions);
    add_redis(o, out);
    metrics_gauge(out, "pushd_draining", "1 while clients are sent away before the end.", "",
                  *o->is_draining);
    one_label(&labels, "method", span_str(o->batch_send));
    metrics_gauge(out, "pushd_batch_send_info",
                  "Always 1; how slices of messages are sent is in the label.", buf_cstr(&labels),
                  1);
    buf_free(&labels);
}

static double connections_of(const struct bus *bus, uint16_t worker)
{
    return atomic_load_explicit(&bus->ports[worker].gauges.connections, memory_order_relaxed);
}

static double clients_of(const struct bus *bus, uint16_t worker)
{
    return atomic_load_explicit(&bus->ports[worker].gauges.clients, memory_order_relaxed);
}

static double subscriptions_of(const struct bus *bus, uint16_t worker)
{
    return atomic_load_explicit(&bus->ports[worker].gauges.subscriptions, memory_order_relaxed);
}

static double queue_peak_of(const struct bus *bus, uint16_t worker)
{
    return (double)atomic_load_explicit(&bus->ports[worker].gauges.queue_peak,
                                        memory_order_relaxed);
}

static double channels_of(const struct bus *bus, uint16_t worker)
{
    return atomic_load_explicit(&bus->ports[worker].gauges.channels, memory_order_relaxed);
}

static double late_s(const struct bus *bus, uint16_t worker)
{
    return (double)atomic_load_explicit(&bus->ports[worker].gauges.late_ms, memory_order_relaxed) /
           1000.0;
}

static double heartbeat_age_s(const struct bus *bus, uint16_t worker)
{
    int64_t age_ms = admin_status_heartbeat_age_ms(bus, worker);
    return age_ms >= 0 ? (double)age_ms / 1000.0 : -1;
}

static void add_workers(const struct bus *bus, struct buf *out)
{
    static const struct {
        const char *name;
        const char *help;
        double (*value)(const struct bus *bus, uint16_t worker);
    } rows[] = {
        {"pushd_worker_connections", "Open sockets, connected clients or not.", connections_of},
        {"pushd_worker_clients", "Connected clients.", clients_of},
        {"pushd_worker_subscriptions", "Subscriptions.", subscriptions_of},
        {"pushd_worker_channels", "Channels with subscribers.", channels_of},
        {"pushd_worker_queue_peak_bytes",
         "Most bytes that waited for one client behind a frame that was being sent, since the "
         "start.",
         queue_peak_of},
        {"pushd_worker_late_seconds",
         "How long the message that was taken last waited for the worker, 0 when none waits.",
         late_s},
        {"pushd_worker_heartbeat_age_seconds",
         "Time since the loop turned last, -1 before it started.", heartbeat_age_s},
    };
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        metrics_family(out, rows[row].name, "gauge", rows[row].help);
        for (uint16_t i = 0; i < bus->workers; i++) {
            struct buf labels = {0};
            buf_addf(&labels, "{worker=\"%u\"}", i);
            metrics_sample(out, rows[row].name, buf_cstr(&labels), rows[row].value(bus, i));
            buf_free(&labels);
        }
    }
}

/* The names that Prometheus' own libraries use; what could not be read is left out. */
static void add_process(const struct bus *bus, struct buf *out)
{
    struct admin_process p;
    admin_process_read(&p, admin_status_totals(bus).connections);
    const struct {
        const char *name;
        const char *type;
        const char *help;
        double value;
    } rows[] = {
        {"process_cpu_seconds_total", "counter", "User and system CPU time.", p.cpu_s},
        {"process_resident_memory_bytes", "gauge", "Resident memory.", (double)p.resident_bytes},
        {"process_virtual_memory_bytes", "gauge", "Virtual memory.", (double)p.virtual_bytes},
        {"process_open_fds", "gauge", "Open file descriptors.", (double)p.open_fds},
        {"process_max_fds", "gauge", "Limit of open file descriptors.", (double)p.max_fds},
        {"process_start_time_seconds", "gauge", "Start of the process, Unix time.", p.start_s},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].value >= 0) {
            metrics_family(out, rows[i].name, rows[i].type, rows[i].help);
            metrics_sample(out, rows[i].name, "", rows[i].value);
        }
    }
}

void admin_status_metrics(const struct admin_opts *o, struct buf *out)
{
    metrics_render(out);
    add_node(o, out);
    add_workers(o->bus, out);
    add_process(o->bus, out);
}
