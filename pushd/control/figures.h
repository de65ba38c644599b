/* SPDX-License-Identifier: Apache-2.0 */
/* What a node says about itself in `info` beside its numbers of clients: the metrics of its pings.
 */
#pragma once

#include "common/protocol/control.h"
#include "pushd/control/control.h"

/* Gauges, and by how much each counter grew in the last interval; those that stood still are left
 * out. Keys are the names of /metrics with dots and the values of their labels, such as
 * centrifugo.node.messages_sent_count.publication. Source: redis-layout section 9. */
struct figures {
    int64_t interval_ms;
    int64_t due_ms;
    uint64_t *before; /* the counters at the last renewal, by slot */
    struct arena arena;
    struct node_metrics metrics; /* in the arena; empty before the first renewal */
};

/* Counts from now on. Times are clk_mono_ms. */
void figures_init(struct figures *f, int64_t interval_ms, int64_t now_ms);
void figures_fini(struct figures *f);

/* Renews them once an interval; true when it did. */
bool figures_renew(struct figures *f, const struct control_node *self, int64_t now_ms);

/* NULL before the first renewal; valid until the next. */
static inline struct node_metrics *figures_last(struct figures *f)
{
    return f->metrics.items.n != 0 ? &f->metrics : NULL;
}
