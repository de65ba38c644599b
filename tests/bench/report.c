/* SPDX-License-Identifier: Apache-2.0 */
/* What the bench prints. */
#include "tests/bench/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct spread spread_of(double *values, unsigned n)
{
    if (!n)
        return (struct spread){0};
    qsort(values, n, sizeof(*values), by_value);
    double middle = (values[(n - 1) / 2] + values[n / 2]) / 2;
    return (struct spread){.min = values[0], .median = middle, .max = values[n - 1]};
}

static void member(struct jline *j, const char *name)
{
    printf("%s\"%s\":", j->has_member ? "," : "", name);
    j->has_member = true;
}

void jline_open(struct jline *j, bool is_on, const char *scenario)
{
    *j = (struct jline){.is_on = is_on};
    if (!is_on)
        return;
    printf("{");
    jline_text(j, "scenario", scenario);
}

void jline_number(struct jline *j, const char *name, double value)
{
    if (!j->is_on)
        return;
    member(j, name);
    if (isfinite(value))
        printf("%.10g", value);
    else
        printf("null");
}

void jline_text(struct jline *j, const char *name, const char *value)
{
    if (!j->is_on)
        return;
    member(j, name);
    putchar('"');
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < ' ')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

void jline_spread(struct jline *j, const char *name, const struct spread *s)
{
    if (!j->is_on)
        return;
    member(j, name);
    printf("{\"min\":%.6g,\"median\":%.6g,\"max\":%.6g}", s->min, s->median, s->max);
}

void jline_close(struct jline *j)
{
    if (j->is_on)
        printf("}\n");
    fflush(stdout);
}

static double lost(const struct phase *p)
{
    return p->expected > p->delivered ? (double)(p->expected - p->delivered) : 0;
}

static void print_groups(const char *title, const struct cpu_group *g, int n, double deliveries)
{
    int printed = 0;
    for (int i = 0; i < n; i++) {
        double us = (double)g[i].ns / 1000.0 / deliveries;
        if (us >= 0.005)
            printf("%s%s %.2f", printed++ ? ", " : title, g[i].name, us);
    }
    if (printed)
        printf(" us per delivery\n");
}

void report_phase(const struct phase *p, bool with_threads)
{
    double n = p->delivered ? (double)p->delivered : 1;
    printf("  deliveries   %" PRIu64 " (%.0f/s)  lost %.0f  duplicated %" PRIu64
           "  out of order %" PRIu64 "  closed %" PRIu64
           "  messages per frame %.2f, per segment %.2f\n",
           p->delivered, n / p->seconds, lost(p), p->duplicated, p->disordered, p->closed,
           n / (double)(p->frames ? p->frames : 1), phase_per_segment(p));
    printf("  server       user %.2f, system %.2f us per delivery, busy %.0f %% of a core\n",
           (double)p->cpu.user_ns / 1000 / n, (double)p->cpu.sys_ns / 1000 / n,
           (double)p->cpu.total_ns / 1e7 / p->seconds);
    print_groups("  by process   ", p->cpu.process, p->cpu.processes, n);
    if (with_threads)
        print_groups("  by thread    ", p->cpu.thread, p->cpu.threads, n);
    printf("  latency us   p50 %.0f  p90 %.0f  p99 %.0f  p99.9 %.0f  max %.0f\n",
           hist_percentile_us(&p->latency, 50), hist_percentile_us(&p->latency, 90),
           hist_percentile_us(&p->latency, 99), hist_percentile_us(&p->latency, 99.9),
           hist_max_us(&p->latency));
    printf("  client       %.2f us per delivery, busy %.0f %% of a core",
           p->client_cpu_sec * 1e6 / n, p->client_cpu_sec * 100 / p->seconds);
    if (p->late.count)
        printf(", publishes late by p50 %.0f p99 %.0f us", hist_percentile_us(&p->late, 50),
               hist_percentile_us(&p->late, 99));
    printf("; all else took %.0f %% of a core\n", p->other_cpu_sec * 100 / p->seconds);
}

void report_phase_json(struct jline *j, const struct phase *p)
{
    static const struct {
        const char *name;
        double percent;
    } points[] = {{"p50_us", 50}, {"p90_us", 90}, {"p99_us", 99}, {"p999_us", 99.9}};
    double n = p->delivered ? (double)p->delivered : 1;
    jline_number(j, "published", (double)p->published);
    jline_number(j, "deliveries", (double)p->delivered);
    jline_number(j, "deliveries_per_sec", (double)p->delivered / p->seconds);
    jline_number(j, "lost", lost(p));
    jline_number(j, "duplicated", (double)p->duplicated);
    jline_number(j, "out_of_order", (double)p->disordered);
    jline_number(j, "closed", (double)p->closed);
    jline_number(j, "messages_per_frame", n / (double)(p->frames ? p->frames : 1));
    jline_number(j, "messages_per_segment", phase_per_segment(p));
    jline_number(j, "server_user_us", (double)p->cpu.user_ns / 1000 / n);
    jline_number(j, "server_system_us", (double)p->cpu.sys_ns / 1000 / n);
    jline_number(j, "client_us", p->client_cpu_sec * 1e6 / n);
    jline_number(j, "others_cpu_sec", p->other_cpu_sec);
    for (unsigned i = 0; i < sizeof(points) / sizeof(points[0]); i++)
        jline_number(j, points[i].name, hist_percentile_us(&p->latency, points[i].percent));
    jline_number(j, "max_us", hist_max_us(&p->latency));
}
