/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios: what it costs to connect clients, to remember them, and to keep them. */
#include "tests/bench/report.h"
#include "tests/bench/scenario.h"
#include "tests/bench/util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hold {
    struct bench *bench;
    const struct hold_spec *spec;
    struct side side;
    struct channels channels;
    struct mem_use before;
    uint64_t slab_before;
    double *connect_us, *connect_rate;
    double idle_rss[2], idle_pss[2], touched_rss, burst_rss; /* bytes per client */
    double idle_us, idle_redis_us, pings_per_client, base_us;
    uint64_t closed; /* by the server, in all rounds */
};

static void make_fleet(void *arg)
{
    struct hold *h = arg;
    struct fleet_opts o;
    bench_fleet_opts(h->bench, h->spec->feature, &h->channels, &o);
    fleet_init(&h->side.fleet, &h->side.poller, &o, h->spec->clients);
}

static void open_all(void *arg)
{
    struct hold *h = arg;
    fleet_open(&h->side.fleet, h->bench->o.opening, 120);
}

static void close_all(void *arg)
{
    struct hold *h = arg;
    fleet_close(&h->side.fleet);
}

struct wait_task {
    struct hold *hold;
    double seconds;
};

static void read_for(void *arg)
{
    struct wait_task *t = arg;
    uint64_t end = now_ns() + (uint64_t)(t->seconds * 1e9);
    while (now_ns() < end)
        poller_run(&t->hold->side.poller, end);
}

static void hold_for(struct hold *h, double seconds)
{
    struct wait_task t = {.hold = h, .seconds = seconds};
    side_call(&h->side, read_for, &t);
}

static void connect_round(struct hold *h, unsigned round)
{
    const struct procs *ps = &h->bench->server;
    unsigned n = h->spec->clients;
    uint64_t cpu = procs_cpu_ns(ps), start = now_ns();
    side_call(&h->side, open_all, h);
    uint64_t end = h->side.fleet.opened_ns;
    hold_for(h, 0.02); /* what the server does after its last reply belongs to it */
    h->connect_us[round] = (double)(procs_cpu_ns(ps) - cpu) / 1000.0 / n;
    h->connect_rate[round] = n / ((double)(end - start) / 1e9);
    printf("  connect %-2u   %.1f us CPU each, %.0f/s\n", round + 1, h->connect_us[round],
           h->connect_rate[round]);
    fflush(stdout);
}

static double rss_per_client(const struct hold *h, double *pss)
{
    struct mem_use m;
    procs_mem_read(&h->bench->server, &m);
    if (pss)
        *pss = ((double)m.pss_bytes - (double)h->before.pss_bytes) / h->spec->clients;
    return ((double)m.rss_bytes - (double)h->before.rss_bytes) / h->spec->clients;
}

static void measure_idle(struct hold *h)
{
    const struct procs *ps = &h->bench->server;
    double seconds = h->bench->o.idle_seconds;
    const struct procs *redis = &h->bench->redis_procs;
    uint64_t pings = h->side.fleet.count.pings, cpu = procs_cpu_ns(ps), start = now_ns();
    uint64_t redis_cpu = procs_cpu_ns(redis);
    hold_for(h, seconds);
    double took = (double)(now_ns() - start) / 1e9;
    double clients = h->spec->clients;
    h->idle_us = (double)(procs_cpu_ns(ps) - cpu) / 1000.0 / took / clients;
    h->idle_redis_us = (double)(procs_cpu_ns(redis) - redis_cpu) / 1000.0 / took / clients;
    h->pings_per_client = (double)(h->side.fleet.count.pings - pings) / clients;
    printf("  idle         %.3f us/s CPU per client over %.0f s, %.2f pings answered by each, "
           "the empty server %.0f us/s; Redis %.3f us/s per client\n",
           h->idle_us, took, h->pings_per_client, h->base_us, h->idle_redis_us);
    if (h->pings_per_client <= 0)
        note("the server sent no pings in this time");
}

static void publish_some(void *arg)
{
    struct hold *h = arg;
    if (!h->side.pub)
        h->side.pub = bench_publisher(h->bench, h->spec->feature, &h->side);
}

/* One message to everybody, then a burst: buffers that exist only from then on show up. */
static void measure_touched(struct hold *h, struct phase *p)
{
    struct load one = {.rate = 10, .seconds = 0.1, .seed = 1};
    struct load burst = {.window = 64, .burst = 32, .seconds = 0.05};
    side_call(&h->side, publish_some, h);
    side_phase(&h->side, &one, p);
    hold_for(h, 1);
    h->touched_rss = rss_per_client(h, NULL);
    side_phase(&h->side, &burst, p);
    hold_for(h, 1);
    h->burst_rss = rss_per_client(h, NULL);
    printf("  memory       %.0f bytes per client after one message, %.0f after a burst\n",
           h->touched_rss, h->burst_rss);
}

static void measure_held(struct hold *h, struct phase *p)
{
    double slab = (double)machine_slab_bytes() - (double)h->slab_before;
    hold_for(h, 1);
    h->idle_rss[0] = h->idle_rss[1] = rss_per_client(h, &h->idle_pss[0]);
    if (h->spec->memory)
        printf("  memory       %.0f bytes RSS, %.0f PSS per client; the kernel's slab %.0f per "
               "connection and end\n",
               h->idle_rss[0], h->idle_pss[0], slab / 2 / h->spec->clients);
    if (h->spec->idle) {
        measure_idle(h);
        h->idle_rss[1] = rss_per_client(h, &h->idle_pss[1]);
        if (h->spec->memory)
            printf("  memory       %.0f bytes RSS, %.0f PSS per client after the idle time\n",
                   h->idle_rss[1], h->idle_pss[1]);
    }
    if (h->spec->memory && bench_can_publish(h->bench))
        measure_touched(h, p);
    fflush(stdout);
}

static void report(struct hold *h, struct hold_result *r)
{
    struct jline j;
    unsigned rounds = h->spec->rounds;
    struct spread us = spread_of(h->connect_us, rounds);
    struct spread rate = spread_of(h->connect_rate, rounds);
    const struct hist *lat = &h->side.fleet.connect_latency;
    double memory = h->idle_rss[0] > h->idle_rss[1] ? h->idle_rss[0] : h->idle_rss[1];
    *r = (struct hold_result){.connect_us = us.median,
                              .connect_per_sec = rate.median,
                              .memory_bytes = memory,
                              .idle_us_per_sec = h->idle_us,
                              .is_whole = !h->closed};
    printf(
        "  CONNECT      %.1f (%.1f to %.1f) us CPU, %.0f/s; from connect() to subscribed p50 %.0f "
        "p99 %.0f us\n",
        us.median, us.min, us.max, rate.median, hist_percentile_us(lat, 50),
        hist_percentile_us(lat, 99));
    if (h->closed)
        printf("  CLOSED       %" PRIu64 " clients by the server\n", h->closed);
    jline_open(&j, h->bench->o.json, "hold");
    jline_text(&j, "feature", h->spec->feature->name);
    jline_number(&j, "clients", h->spec->clients);
    jline_spread(&j, "connect_us", &us);
    jline_spread(&j, "connect_per_sec", &rate);
    jline_number(&j, "connect_p99_us", hist_percentile_us(lat, 99));
    jline_number(&j, "rss_bytes", h->idle_rss[0]);
    jline_number(&j, "pss_bytes", h->idle_pss[0]);
    jline_number(&j, "rss_bytes_after_idle", h->idle_rss[1]);
    jline_number(&j, "rss_bytes_after_message", h->touched_rss);
    jline_number(&j, "rss_bytes_after_burst", h->burst_rss);
    jline_number(&j, "idle_us_per_sec", h->idle_us);
    jline_number(&j, "idle_redis_us_per_sec", h->idle_redis_us);
    jline_number(&j, "pings_per_client", h->pings_per_client);
    jline_number(&j, "empty_us_per_sec", h->base_us);
    jline_number(&j, "closed", (double)h->closed);
    jline_close(&j);
}

static void prepare(struct hold *h)
{
    struct bench *b = h->bench;
    h->side.name = "server";
    h->side.procs = b->server;
    h->side.channels = &h->channels;
    channels_make(&h->channels, h->spec->feature->space, b->o.channel, b->o.channels);
    bench_pin(b, false);
    side_start(&h->side, b->o.payload);
    side_call(&h->side, make_fleet, h);
    bench_wait_quiet(&b->server);
    uint64_t cpu = procs_cpu_ns(&b->server);
    hold_for(h, 1);
    h->base_us = (double)(procs_cpu_ns(&b->server) - cpu) / 1000.0;
    procs_mem_read(&b->server, &h->before);
    h->slab_before = machine_slab_bytes();
}

void scenario_hold(struct bench *b, const struct hold_spec *spec, struct hold_result *r)
{
    struct hold *h = xcalloc(1, sizeof(*h));
    struct phase *p = xcalloc(1, sizeof(*p));
    h->bench = b;
    h->spec = spec;
    h->connect_us = xcalloc(spec->rounds, sizeof(double));
    h->connect_rate = xcalloc(spec->rounds, sizeof(double));
    bench_need_descriptors(spec->clients + 64);
    printf("hold: %u clients with one subscription each (%s)%s, %u connected at a time\n",
           spec->clients, spec->feature->what, b->o.secret ? " and a token" : "", b->o.opening);
    prepare(h);
    for (unsigned i = 0; i < spec->rounds; i++) {
        connect_round(h, i);
        if (i == 0 && (spec->memory || spec->idle))
            measure_held(h, p);
        h->closed += h->side.fleet.count.closed;
        side_call(&h->side, close_all, h);
        bench_wait_quiet(&b->server);
    }
    report(h, r);
    side_stop(&h->side);
    channels_free(&h->channels);
    free(h->connect_us);
    free(h->connect_rate);
    free(h);
    free(p);
}
