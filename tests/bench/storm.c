/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario: all clients of a channel are gone while publications pass, come back at once and
 * recover them. */
#include "tests/bench/payload.h"
#include "tests/bench/report.h"
#include "tests/bench/scenario.h"
#include "tests/bench/util.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_SEC 120

struct storm {
    struct bench *bench;
    const struct feature *feature;
    struct channels channels;
    struct side side;
    unsigned clients;
    char wish[256];
    uint64_t recovered, caught_up; /* in all rounds */
    double *cpu_us, *redis_us, *seconds;
};

static void make_fleet(void *arg)
{
    struct storm *t = arg;
    struct fleet_opts o;
    bench_fleet_opts(t->bench, t->feature, &t->channels, &o);
    fleet_init(&t->side.fleet, &t->side.poller, &o, t->clients);
    t->side.pub = bench_publisher(t->bench, t->feature, &t->side);
}

static void open_all(void *arg)
{
    struct storm *t = arg;
    fleet_open(&t->side.fleet, t->bench->o.opening, TIMEOUT_SEC);
}

static void close_all(void *arg)
{
    struct storm *t = arg;
    fleet_close(&t->side.fleet);
}

/* Into the history; nobody is there. */
static void publish_missed(void *arg)
{
    struct storm *t = arg;
    struct side *s = &t->side;
    for (unsigned i = 0; i < t->bench->o.missed; i++) {
        payload_put(s->payload, s->payload_bytes, i + 1, now_ns());
        s->pub->publish(s->pub, 0, s->payload, s->payload_bytes);
    }
    s->pub->flush(s->pub);
    uint64_t give_up = now_ns() + 10 * NS_PER_SEC;
    while (s->pub->answered < s->pub->sent) {
        if (now_ns() > give_up)
            die("only %" PRIu64 " of %" PRIu64 " publications were answered", s->pub->answered,
                s->pub->sent);
        poller_run(&s->poller, now_ns() + 10 * NS_PER_MS);
    }
}

/* What the clients ask for when they come back. */
static void ask_from(struct storm *t, uint64_t offset)
{
    struct fleet *f = &t->side.fleet;
    snprintf(t->wish, sizeof(t->wish),
             "%s,\"recover\":true,\"offset\":%" PRIu64 ",\"epoch\":\"%s\"", t->feature->wish,
             offset, f->stream.epoch);
    f->opts.wish = t->wish;
}

static void run_round(struct storm *t, unsigned round)
{
    struct bench *b = t->bench;
    struct fleet *f = &t->side.fleet;
    side_call(&t->side, close_all, t);
    ask_from(t, f->stream.offset + round * b->o.missed);
    side_call(&t->side, publish_missed, t);
    bench_wait_quiet(&b->server);
    uint64_t cpu = procs_cpu_ns(&b->server), redis = procs_cpu_ns(&b->redis_procs);
    uint64_t start = now_ns();
    side_call(&t->side, open_all, t);
    t->seconds[round] = (double)(f->opened_ns - start) / 1e9;
    sleep_until_ns(now_ns() + 20 * NS_PER_MS);
    t->cpu_us[round] = (double)(procs_cpu_ns(&b->server) - cpu) / 1000.0 / t->clients;
    t->redis_us[round] = (double)(procs_cpu_ns(&b->redis_procs) - redis) / 1000.0 / t->clients;
    t->recovered += f->stream.recovered;
    t->caught_up += f->stream.caught_up;
    printf("  storm %-2u     %.1f us CPU per client, Redis %.1f; all back after %.2f s\n",
           round + 1, t->cpu_us[round], t->redis_us[round], t->seconds[round]);
    fflush(stdout);
}

static void report(struct storm *t, struct storm_result *r)
{
    const struct opts *o = &t->bench->o;
    struct jline j;
    struct spread us = spread_of(t->cpu_us, o->rounds);
    struct spread redis = spread_of(t->redis_us, o->rounds);
    struct spread seconds = spread_of(t->seconds, o->rounds);
    const struct hist *lat = &t->side.fleet.connect_latency;
    uint64_t all = (uint64_t)t->clients * o->rounds;
    *r = (struct storm_result){
        .cpu_us = us.median,
        .seconds = seconds.median,
        .is_whole = t->recovered == all && t->caught_up == all * o->missed,
    };
    printf(
        "  STORM        %.1f (%.1f to %.1f) us CPU per client, Redis %.1f; all back after %.2f s, "
        "%.0f/s; from connect() to recovered p50 %.0f p99 %.0f us\n",
        us.median, us.min, us.max, redis.median, seconds.median, t->clients / seconds.median,
        hist_percentile_us(lat, 50), hist_percentile_us(lat, 99));
    if (!r->is_whole)
        printf("  NOT WHOLE    %" PRIu64 " of %" PRIu64 " clients recovered, with %" PRIu64
               " publications\n",
               t->recovered, all, t->caught_up);
    jline_open(&j, o->json, "storm");
    jline_number(&j, "clients", t->clients);
    jline_number(&j, "missed", o->missed);
    jline_spread(&j, "cpu_us", &us);
    jline_spread(&j, "redis_us", &redis);
    jline_spread(&j, "seconds", &seconds);
    jline_number(&j, "p99_us", hist_percentile_us(lat, 99));
    jline_number(&j, "recovered", (double)t->recovered);
    jline_number(&j, "publications", (double)t->caught_up);
    jline_close(&j);
}

static void prepare(struct storm *t)
{
    struct bench *b = t->bench;
    t->side.name = "storm";
    t->side.procs = b->server;
    t->side.channels = &t->channels;
    channels_make(&t->channels, t->feature->space, b->o.channel, 1);
    bench_pin(b, false);
    side_start(&t->side, b->o.payload);
    side_call(&t->side, make_fleet, t);
    bench_wait_quiet(&b->server);
    side_call(&t->side, open_all, t); /* everybody learns the position */
    if (!*t->side.fleet.stream.epoch)
        die("the subscriptions have no position: is the namespace %s as run.sh has it?",
            t->feature->space);
}

void scenario_storm(struct bench *b, unsigned clients, struct storm_result *r)
{
    struct storm *t = xcalloc(1, sizeof(*t));
    t->bench = b;
    t->clients = clients;
    t->feature = feature_find("recovery");
    t->cpu_us = xcalloc(b->o.rounds, sizeof(double));
    t->redis_us = xcalloc(b->o.rounds, sizeof(double));
    t->seconds = xcalloc(b->o.rounds, sizeof(double));
    bench_need_descriptors(clients + 64);
    printf("storm: %u clients come back, %u at a time, and recover %u publications of %u bytes "
           "each\n",
           clients, b->o.opening, b->o.missed, b->o.payload);
    prepare(t);
    for (unsigned i = 0; i < b->o.rounds; i++)
        run_round(t, i);
    report(t, r);
    side_stop(&t->side);
    channels_free(&t->channels);
    free(t->cpu_us);
    free(t->redis_us);
    free(t->seconds);
    free(t);
}
