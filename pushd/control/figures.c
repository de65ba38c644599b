/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of a node's pings. */
#include "pushd/control/figures.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define NAME_DOTS 2 /* centrifugo_node_num_clients is centrifugo.node.num_clients */

void figures_init(struct figures *f, int64_t interval_ms, int64_t now_ms)
{
    *f = (struct figures){
        .interval_ms = interval_ms,
        .due_ms = now_ms + interval_ms,
        .before = mem_zalloc(metrics_slots() * sizeof(*f->before)),
    };
}

void figures_fini(struct figures *f)
{
    free(f->before);
    arena_fini(&f->arena);
}

static void add(struct figures *f, struct span name, double value)
{
    struct kv_dbl *items = f->metrics.items.items;
    items[f->metrics.items.n++] = (struct kv_dbl){arena_dup(&f->arena, name), value};
}

static void add_dotted(struct buf *b, const char *name)
{
    int dots = 0;
    for (; *name != '\0'; name++) {
        bool is_dot = *name == '_' && dots < NAME_DOTS;
        dots += is_dot;
        buf_add_char(b, is_dot ? '.' : *name);
    }
}

static void add_counter(const struct metrics_series *s, void *arg)
{
    struct figures *f = arg;
    uint64_t *before = &f->before[metric_base[s->id] + s->label];
    uint64_t grown = s->value - *before;
    *before = s->value;
    if (grown == 0) {
        return;
    }
    struct buf name = {0};
    add_dotted(&name, s->name);
    for (size_t i = 0; i < ARRAY_LEN(s->labels) && s->labels[i].name != NULL; i++) {
        buf_addf(&name, ".%s", s->labels[i].value);
    }
    add(f, buf_span(&name), (double)grown);
    buf_free(&name);
}

bool figures_renew(struct figures *f, const struct control_node *self, int64_t now_ms)
{
    const struct kv_dbl gauges[] = {
        {SPAN("centrifugo.node.num_clients"), self->num_clients},
        {SPAN("centrifugo.node.num_users"), self->num_users},
        {SPAN("centrifugo.node.num_subscriptions"), self->num_subs},
        {SPAN("centrifugo.node.num_channels"), self->num_channels},
    };
    if (now_ms < f->due_ms) {
        return false;
    }
    f->due_ms = now_ms + f->interval_ms;
    arena_reset(&f->arena);
    f->metrics = (struct node_metrics){
        .interval = (double)f->interval_ms / 1000.,
        .items.items =
            arena_alloc(&f->arena, (ARRAY_LEN(gauges) + metrics_slots()) * sizeof(struct kv_dbl)),
    };
    for (size_t i = 0; i < ARRAY_LEN(gauges); i++) {
        add(f, gauges[i].key, gauges[i].value);
    }
    metrics_each(add_counter, f);
    return true;
}
