/* SPDX-License-Identifier: Apache-2.0 */
/* All scenarios at their fixed sizes, and the table of limits they are held against. */
#include "tests/bench/report.h"
#include "tests/bench/scenario.h"
#include "tests/bench/util.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum figure {
    FIG_FANOUT_1K = 0,
    FIG_FANOUT_10K,
    FIG_FLAT_CPU,
    FIG_FLAT_LOST,
    FIG_MEMORY,
    FIG_IDLE,
    FIG_CONNECT,
    FIG_PUBLISH_RATE,
    FIG_PUBLISH_CPU,
    FIG_COUNT,
};

struct limit {
    const char *what, *unit;
    double limit;
    double limit_io_uring; /* 0: the same */
    bool is_minimum;
};

#define LIMIT(FIGURE, WHAT, UNIT, ...) [FIGURE] = {.what = WHAT, .unit = UNIT, __VA_ARGS__}

static const struct limit limits[FIG_COUNT] = {
    LIMIT(FIG_FANOUT_1K, "CPU per delivery, 1,000 subscribers, 50/s, 128 bytes", "x bare send()",
          .limit = 1.25, .limit_io_uring = 1.05),
    LIMIT(FIG_FANOUT_10K, "the same, 10,000 subscribers, 5/s", "x bare send()", .limit = 1.25,
          .limit_io_uring = 1.05),
    LIMIT(FIG_FLAT_CPU, "flat out to 1,000 subscribers, coalesced", "us CPU per delivery",
          .limit = 2),
    LIMIT(FIG_FLAT_LOST, "  its publications lost and clients closed", "", .limit = 0),
    LIMIT(FIG_MEMORY, "memory per idle subscribed client, 10,000", "KiB", .limit = 4),
    LIMIT(FIG_IDLE, "CPU per idle client, ping every 25 s", "us/s", .limit = 0.8),
    LIMIT(FIG_CONNECT, "connect with HS256 token and one subscribe", "us CPU", .limit = 60),
    LIMIT(FIG_PUBLISH_RATE, "POST /api/publish through the web server", "requests/s",
          .limit = 25000, .is_minimum = true),
    LIMIT(FIG_PUBLISH_CPU, "  its CPU per request, web server included", "us CPU", .limit = 40),
};

struct outcome {
    double figure;
    bool is_known; /* its scenario was run */
    bool is_void;  /* the run did not meet the conditions of its row */
};

static void set(struct outcome *o, double figure)
{
    *o = (struct outcome){.figure = figure, .is_known = true};
}

/* A figure that was bought with losses misses its limit. */
static void set_whole(struct outcome *o, double figure, bool is_whole)
{
    set(o, is_whole ? figure : INFINITY);
}

static void set_fanout(struct outcome *o, const struct fanout_result *r)
{
    set_whole(o, r->ratio, r->is_whole);
    o->is_void = !r->is_paced;
}

static void run_hold(struct bench *b, struct outcome *out)
{
    struct hold_result r;
    struct hold_spec spec = {
        .clients = b->o.quick ? 1000 : 10000, .rounds = b->o.rounds, .memory = true, .idle = true};
    scenario_hold(b, &spec, &r);
    set_whole(&out[FIG_MEMORY], r.memory_bytes / 1024, r.is_whole);
    set_whole(&out[FIG_IDLE], r.idle_us_per_sec, r.is_whole);
    set_whole(&out[FIG_CONNECT], r.connect_us, r.is_whole);
}

static void run_fanout_1k(struct bench *b, struct outcome *out)
{
    struct fanout_result r;
    struct fanout_spec spec = {
        .name = "fanout-1000", .subscribers = b->o.quick ? 100 : 1000, .rate = 50};
    scenario_fanout(b, &spec, &r);
    set_fanout(&out[FIG_FANOUT_1K], &r);
}

static void run_fanout_10k(struct bench *b, struct outcome *out)
{
    struct fanout_result r;
    struct fanout_spec spec = {
        .name = "fanout-10000", .subscribers = b->o.quick ? 1000 : 10000, .rate = 5};
    scenario_fanout(b, &spec, &r);
    set_fanout(&out[FIG_FANOUT_10K], &r);
}

static void run_flat(struct bench *b, struct outcome *out)
{
    struct flat_result r;
    scenario_flat(b, b->o.quick ? 100 : 1000, &r);
    set(&out[FIG_FLAT_CPU], r.us_per_delivery);
    set(&out[FIG_FLAT_LOST], r.lost + r.closed);
}

static void run_publish(struct bench *b, struct outcome *out)
{
    struct publish_result r;
    scenario_publish(b, &r);
    set(&out[FIG_PUBLISH_RATE], r.is_whole ? r.per_sec : 0);
    set_whole(&out[FIG_PUBLISH_CPU], r.cpu_us, r.is_whole);
}

/* In this order: memory is read on a server that has not served yet. */
static const struct {
    const char *name;
    void (*run)(struct bench *b, struct outcome *out);
} scenarios[] = {
    {"hold", run_hold}, {"fanout-1000", run_fanout_1k}, {"fanout-10000", run_fanout_10k},
    {"flat", run_flat}, {"publish", run_publish},
};

static bool is_chosen(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = list; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (!strncmp(p, name, n) && (!p[n] || p[n] == ','))
            return true;
    }
    return !list;
}

static void print_row(const struct bench *b, enum figure f, const struct outcome *o)
{
    struct jline j;
    const struct limit *l = &limits[f];
    bool io_uring = !strcmp(b->o.batches, "io_uring");
    double limit = io_uring && l->limit_io_uring > 0 ? l->limit_io_uring : l->limit;
    bool is_met = l->is_minimum ? o->figure >= limit : o->figure <= limit;
    const char *verdict = b->o.quick ? "-" : o->is_void ? "void" : is_met ? "ok" : "MISS";
    printf("%-54s %s %8.6g  %10.5g  %-5s %s\n", l->what, l->is_minimum ? ">=" : "<=", limit,
           o->figure, verdict, l->unit);
    jline_open(&j, b->o.json, "limit");
    jline_text(&j, "what", l->what);
    jline_text(&j, "unit", l->unit);
    jline_text(&j, "batches", b->o.batches);
    jline_number(&j, "limit", limit);
    jline_number(&j, "figure", o->figure);
    jline_text(&j, "verdict", verdict);
    jline_close(&j);
}

void scenario_all(struct bench *b)
{
    struct outcome outcomes[FIG_COUNT] = {0};
    if (b->o.quick) {
        b->o.pairs = 1;
        b->o.rounds = 1;
        b->o.seconds = 1;
        b->o.idle_seconds = 1;
    }
    for (unsigned i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        if (is_chosen(b->o.rows, scenarios[i].name))
            scenarios[i].run(b, outcomes);
    }
    printf("\n%-54s    %8s  %10s\n", "what", "limit", "figure");
    for (enum figure f = 0; f < FIG_COUNT; f++)
        if (outcomes[f].is_known)
            print_row(b, f, &outcomes[f]);
}
