/* SPDX-License-Identifier: Apache-2.0 */
/* What operators read about this node: readiness and the data of the admin page as JSON, gauges for
 * Prometheus. */
#pragma once

#include "pushd/admin/admin.h"

/* Appends {"ready":true,...} or {"ready":false,"reasons":["redis: ..."]} and returns which. Ready
 * means: Redis answers, every worker's loop turned within ADMIN_HEARTBEAT_MAX_MS, and the node is
 * not draining. */
bool admin_status_ready(const struct admin_opts *o, struct buf *out);

/* Appends {"result":{...}}: node, nodes, redis, workers, process, counters and refusals. */
void admin_status_json(const struct admin_opts *o, struct buf *out);

/* Appends the Prometheus text: the counters of pushd/metrics.h, then gauges. */
void admin_status_metrics(const struct admin_opts *o, struct buf *out);

/* Milliseconds since the worker's loop turned last; -1 when it never did. */
int64_t admin_status_heartbeat_age_ms(const struct bus *bus, uint16_t worker);
/* Totals over all workers. */
struct admin_totals {
    uint64_t connections;
    uint64_t clients;
    uint64_t subscriptions;
};
struct admin_totals admin_status_totals(const struct bus *bus);
