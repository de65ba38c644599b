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
    FIG_PRESENCE_IDLE,
    FIG_STORM_CPU,
    FIG_COUNT,
};

/* Of each feature. */
enum feature_figure {
    FEATURE_OVER_FLOOR = 0,
    FEATURE_OVER_PLAIN,
    FEATURE_MEMORY,
    FEATURE_FIGURES,
};

#define FEATURES_MAX 16

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
    LIMIT(FIG_PRESENCE_IDLE, "CPU per idle client with presence", "us/s", .limit = 1.5),
    LIMIT(FIG_STORM_CPU, "reconnect and recover 10 missed publications", "us CPU", .limit = 150),
};

static const struct limit feature_limits[FEATURE_FIGURES] = {
    LIMIT(FEATURE_OVER_FLOOR, "CPU per delivery", "x bare send()", .limit = 1.25,
          .limit_io_uring = 1.05),
    LIMIT(FEATURE_OVER_PLAIN, "CPU per delivery", "x plain", .limit = 1.10),
    LIMIT(FEATURE_MEMORY, "memory per client, 1,000", "KiB", .limit = 4),
};

struct outcome {
    double figure;
    bool is_known; /* its scenario was run */
    bool is_void;  /* the run did not meet the conditions of its row */
};

struct outcomes {
    struct outcome of[FIG_COUNT];
    struct outcome of_feature[FEATURES_MAX][FEATURE_FIGURES]; /* in the order of features[] */
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

static void run_hold(struct bench *b, struct outcomes *out)
{
    struct hold_result r;
    struct hold_spec spec = {.feature = b->feature,
                             .clients = b->o.quick ? 1000 : 10000,
                             .rounds = b->o.rounds,
                             .memory = true,
                             .idle = true};
    scenario_hold(b, &spec, &r);
    set_whole(&out->of[FIG_MEMORY], r.memory_bytes / 1024, r.is_whole);
    set_whole(&out->of[FIG_IDLE], r.idle_us_per_sec, r.is_whole);
    set_whole(&out->of[FIG_CONNECT], r.connect_us, r.is_whole);
}

static void run_fanout_1k(struct bench *b, struct outcomes *out)
{
    struct fanout_result r;
    struct fanout_spec spec = {
        .name = "fanout-1000", .subscribers = b->o.quick ? 100 : 1000, .rate = 50};
    scenario_fanout(b, &spec, &r);
    set_fanout(&out->of[FIG_FANOUT_1K], &r);
}

static void run_fanout_10k(struct bench *b, struct outcomes *out)
{
    struct fanout_result r;
    struct fanout_spec spec = {
        .name = "fanout-10000", .subscribers = b->o.quick ? 1000 : 10000, .rate = 5};
    scenario_fanout(b, &spec, &r);
    set_fanout(&out->of[FIG_FANOUT_10K], &r);
}

static void run_flat(struct bench *b, struct outcomes *out)
{
    struct flat_result r;
    scenario_flat(b, b->o.quick ? 100 : 1000, &r);
    set(&out->of[FIG_FLAT_CPU], r.us_per_delivery);
    set(&out->of[FIG_FLAT_LOST], r.lost + r.closed);
}

static void run_publish(struct bench *b, struct outcomes *out)
{
    struct publish_result r;
    scenario_publish(b, &r);
    set(&out->of[FIG_PUBLISH_RATE], r.is_whole ? r.per_sec : 0);
    set_whole(&out->of[FIG_PUBLISH_CPU], r.cpu_us, r.is_whole);
}

static void run_presence(struct bench *b, struct outcomes *out)
{
    struct hold_result r;
    struct hold_spec spec = {.feature = feature_find("presence"),
                             .clients = b->o.quick ? 1000 : 10000,
                             .rounds = 1,
                             .idle = true};
    scenario_hold(b, &spec, &r);
    set_whole(&out->of[FIG_PRESENCE_IDLE], r.idle_us_per_sec, r.is_whole);
}

static void run_storm(struct bench *b, struct outcomes *out)
{
    struct storm_result r;
    scenario_storm(b, b->o.quick ? 1000 : 10000, &r);
    set_whole(&out->of[FIG_STORM_CPU], r.cpu_us, r.is_whole);
}

/* In this order: memory is read on a server that has not served yet. */
static const struct {
    const char *name;
    void (*run)(struct bench *b, struct outcomes *out);
} scenarios[] = {
    {"hold", run_hold},   {"fanout-1000", run_fanout_1k}, {"fanout-10000", run_fanout_10k},
    {"flat", run_flat},   {"publish", run_publish},       {"hold-presence", run_presence},
    {"storm", run_storm},
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

/* All chosen ones share their rounds, so that they compare. */
static void run_features(struct bench *b, struct outcomes *out)
{
    struct feature_result r[FEATURES_MAX] = {{.feature = features}};
    unsigned count = 1;
    for (const struct feature *f = features + 1; f->name; f++)
        if (is_chosen(b->o.rows, f->name) || is_chosen(b->o.rows, "features"))
            r[count++].feature = f;
    if (count == 1)
        return;
    scenario_features(b, b->o.quick ? 100 : 1000, r, count);
    for (unsigned i = 0; i < count; i++) {
        struct outcome *o = out->of_feature[r[i].feature - features];
        set_whole(&o[FEATURE_OVER_FLOOR], r[i].ratio, r[i].is_whole);
        set_whole(&o[FEATURE_MEMORY], r[i].memory_bytes / 1024, r[i].is_whole);
        if (i)
            set_whole(&o[FEATURE_OVER_PLAIN], r[i].over_plain, r[i].is_whole);
        o[FEATURE_OVER_FLOOR].is_void = o[FEATURE_OVER_PLAIN].is_void = !r[i].is_paced;
    }
}

static void print_row(const struct bench *b, const char *what, const struct limit *l,
                      const struct outcome *o)
{
    struct jline j;
    bool io_uring = !strcmp(b->o.batches, "io_uring");
    double limit = io_uring && l->limit_io_uring > 0 ? l->limit_io_uring : l->limit;
    bool is_met = l->is_minimum ? o->figure >= limit : o->figure <= limit;
    const char *verdict = b->o.quick ? "-" : o->is_void ? "void" : is_met ? "ok" : "MISS";
    if (!o->is_known)
        return;
    printf("%-54s %s %8.6g  %10.5g  %-5s %s\n", what, l->is_minimum ? ">=" : "<=", limit, o->figure,
           verdict, l->unit);
    jline_open(&j, b->o.json, "limit");
    jline_text(&j, "what", what);
    jline_text(&j, "unit", l->unit);
    jline_text(&j, "batches", b->o.batches);
    jline_number(&j, "limit", limit);
    jline_number(&j, "figure", o->figure);
    jline_text(&j, "verdict", verdict);
    jline_close(&j);
}

static void print_feature_rows(const struct bench *b, const struct outcomes *out)
{
    char what[128];
    for (unsigned i = 0; features[i].name; i++)
        for (unsigned f = 0; f < FEATURE_FIGURES; f++) {
            snprintf(what, sizeof(what), "%s: %s", features[i].what, feature_limits[f].what);
            print_row(b, what, &feature_limits[f], &out->of_feature[i][f]);
        }
}

void scenario_all(struct bench *b)
{
    struct outcomes out = {0};
    if (b->o.quick) {
        b->o.pairs = 1;
        b->o.rounds = 1;
        b->o.seconds = 1;
        b->o.idle_seconds = 1;
    }
    for (unsigned i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        if (is_chosen(b->o.rows, scenarios[i].name))
            scenarios[i].run(b, &out);
    }
    run_features(b, &out);
    printf("\n%-54s    %8s  %10s\n", "what", "limit", "figure");
    for (enum figure f = 0; f < FIG_COUNT; f++)
        print_row(b, limits[f].what, &limits[f], &out.of[f]);
    print_feature_rows(b, &out);
}
