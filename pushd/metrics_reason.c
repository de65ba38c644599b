/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals counted by their reason: the reasons are constants all over the code, so their set is
 * known when they were met. */
#include "pushd/metrics.h"

#include <stdlib.h>
#include <string.h>

#define FAMILY "pushd_refusals_total"
/* Takes what does not find a place any more; there are less than half as many reasons. */
#define LAST (METRIC_REASONS - 1)

static const char *name_at(const struct metric_reason *table, size_t i)
{
    return i == LAST ? "other" : atomic_load_explicit(&table[i].name, memory_order_acquire);
}

void metrics_refused(struct metrics *m, const char *reason)
{
    size_t i = 0;
    for (const char *name; i < LAST && (name = name_at(m->reasons, i)) != NULL; i++) {
        if (name == reason || strcmp(name, reason) == 0) {
            break;
        }
    }
    struct metric_reason *r = &m->reasons[i];
    uint64_t count = atomic_load_explicit(&r->count, memory_order_relaxed);
    atomic_store_explicit(&r->count, count + 1, memory_order_relaxed);
    if (i < LAST && count == 0) {
        atomic_store_explicit(&r->name, reason, memory_order_release);
    }
}

struct sums {
    size_t n;
    struct {
        const char *name;
        uint64_t count;
    } items[2 * METRIC_REASONS];
};

static void add_thread(const struct metrics *m, void *arg)
{
    struct sums *s = arg;
    const char *name;
    for (size_t i = 0; i < METRIC_REASONS && (name = name_at(m->reasons, i)) != NULL; i++) {
        size_t k = 0;
        while (k < s->n && strcmp(s->items[k].name, name) != 0) {
            k++;
        }
        if (k == ARRAY_LEN(s->items)) {
            continue; /* each thread met others: beyond all that is real */
        }
        s->n += k == s->n;
        s->items[k].name = name;
        s->items[k].count += atomic_load_explicit(&m->reasons[i].count, memory_order_relaxed);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void metrics_render_reasons(struct buf *out)
{
    struct sums s = {0};
    metrics_each_thread(add_thread, &s);
    qsort(s.items, s.n, sizeof(s.items[0]), by_name);
    metrics_family(out, FAMILY, "counter",
                   "Commands refused and connections refused or closed, by the reason in the log.");
    for (size_t i = 0; i < s.n; i++) {
        buf_add_str(out, FAMILY "{");
        metrics_label(out, "reason", span_str(s.items[i].name));
        buf_add_str(out, "} ");
        buf_add_u64(out, s.items[i].count);
        buf_add_char(out, '\n');
    }
}
