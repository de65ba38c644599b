/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario: publications at a fixed rate to many subscribers, server and floor in turns. */
#include "tests/bench/floor.h"
#include "tests/bench/report.h"
#include "tests/bench/scenario.h"
#include "tests/bench/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct contest {
    struct bench *bench;
    const struct fanout_spec *spec;
    struct floor floor, second; /* the second one stands in for the server with --self */
    struct side server, yardstick;
    double *server_us, *floor_us, *ratio, *per_segment; /* of each pair */
    struct phase server_sum, floor_sum;
};

static void start_sides(struct contest *c)
{
    struct bench *b = c->bench;
    unsigned n = c->spec->subscribers;
    c->server.name = b->o.self ? "second floor" : "server";
    c->yardstick.name = "floor";
    struct floor_opts floor = {.cpu = bench_server_cpu(b),
                               .is_protobuf = b->o.protobuf,
                               .waits_for_connect = b->o.wait_connect};
    floor_start(&c->floor, &floor);
    if (b->o.self)
        floor_start(&c->second, &floor);
    bench_pin(b, false);
    if (b->o.self)
        bench_start_floor(b, &c->server, &c->second, &c->server.fleet.sample, n);
    else
        bench_start_server(b, &c->server, b->feature, &b->channels, n);
    bench_start_floor(b, &c->yardstick, &c->floor, &c->server.fleet.sample, n);
}

static void stop_sides(struct contest *c)
{
    side_stop(&c->server);
    side_stop(&c->yardstick);
    floor_stop(&c->floor);
    floor_stop(&c->second);
}

/* The server's frame is learned here, and everybody's caches and buffers are filled. */
static void warm_up(struct contest *c, struct phase *p)
{
    struct load load = {.rate = c->spec->rate, .seed = 99};
    load.seconds = load.rate < 10 ? 10 / load.rate : 1;
    side_phase(&c->server, &load, p);
    if (!p->delivered)
        die("no publication arrived at the subscribers: do server, Redis and prefix match?");
    side_phase(&c->yardstick, &load, p);
    if (!p->delivered)
        die("nothing arrived from the floor");
}

static void run_pair(struct contest *c, unsigned i, struct phase *p)
{
    struct load load = {.rate = c->spec->rate,
                        .seconds = c->bench->o.seconds,
                        .lead_seconds = LEAD_SECONDS,
                        .seed = i + 1};
    /* Always in this order, so that both sides have rested as long before their turn. */
    for (unsigned turn = 0; turn < 2; turn++) {
        bool is_server = turn == 0;
        side_phase(is_server ? &c->server : &c->yardstick, &load, p);
        phase_add(is_server ? &c->server_sum : &c->floor_sum, p);
        *(is_server ? &c->server_us[i] : &c->floor_us[i]) = phase_us_per_delivery(p);
        if (is_server)
            c->per_segment[i] = phase_per_segment(p);
    }
    c->ratio[i] = c->floor_us[i] > 0 ? c->server_us[i] / c->floor_us[i] : 0;
    printf("  pair %-2u      server %.2f us, floor %.2f us, ratio %.3f", i + 1, c->server_us[i],
           c->floor_us[i], c->ratio[i]);
    if (c->per_segment[i] > COALESCED)
        printf("  (%.2f messages per segment)", c->per_segment[i]);
    putchar('\n');
    fflush(stdout);
}

static void print_spread(const char *title, const struct spread *s, const char *unit)
{
    printf("  %-12s %.3f (%.3f to %.3f)%s\n", title, s->median, s->min, s->max, unit);
}

static bool is_whole(const struct phase *p)
{
    return p->delivered == p->expected && !p->duplicated && !p->disordered && !p->closed;
}

/* Moves the ratios of paced pairs to the front; returns how many there are. */
static unsigned keep_paced(struct contest *c, unsigned pairs)
{
    unsigned n = 0;
    for (unsigned i = 0; i < pairs; i++)
        if (c->per_segment[i] <= COALESCED)
            c->ratio[n++] = c->ratio[i];
    return n;
}

static void report(struct contest *c, struct fanout_result *r)
{
    const struct opts *o = &c->bench->o;
    struct jline j;
    unsigned paced = keep_paced(c, o->pairs);
    struct spread server = spread_of(c->server_us, o->pairs);
    struct spread floor = spread_of(c->floor_us, o->pairs);
    struct spread ratio = spread_of(c->ratio, paced);
    *r = (struct fanout_result){.ratio = ratio.median,
                                .pooled = phase_us_per_delivery(&c->server_sum) /
                                          phase_us_per_delivery(&c->floor_sum),
                                .server_us = server.median,
                                .floor_us = floor.median};
    c->server_sum.closed = c->server.fleet.count.closed; /* those of the warm-up, too */
    r->is_whole = is_whole(&c->server_sum);
    r->is_paced = paced * 2 > o->pairs;
    if (!is_whole(&c->floor_sum))
        die("the floor itself lost something: these figures mean nothing");
    print_spread(c->server.name, &server, " us per delivery");
    print_spread("bare send()", &floor, " us per delivery");
    print_spread("RATIO", &ratio, "");
    if (paced < o->pairs)
        printf(
            "  VOID PAIRS   %u of %u: the server fell behind and sent several messages at a time; "
            "the ratio is that of the others\n",
            o->pairs - paced, o->pairs);
    printf("  pooled ratio %.3f (all phases of a side as one)\n", r->pooled);
    report_phase(&c->server_sum, o->threads);
    printf("  floor        deliveries %llu  latency us p50 %.0f p99 %.0f\n",
           (unsigned long long)c->floor_sum.delivered,
           hist_percentile_us(&c->floor_sum.latency, 50),
           hist_percentile_us(&c->floor_sum.latency, 99));
    jline_open(&j, o->json, c->spec->name);
    jline_text(&j, "batches", o->batches);
    jline_text(&j, "via", o->self ? "floor" : o->via);
    jline_number(&j, "subscribers", c->spec->subscribers);
    jline_number(&j, "rate", c->spec->rate);
    jline_number(&j, "payload_bytes", o->payload);
    jline_number(&j, "frame_bytes", (double)c->server.fleet.sample.frame_bytes);
    jline_spread(&j, "ratio", &ratio);
    jline_number(&j, "pooled_ratio", r->pooled);
    jline_number(&j, "paced_pairs", paced);
    jline_spread(&j, "server_us", &server);
    jline_spread(&j, "floor_us", &floor);
    report_phase_json(&j, &c->server_sum);
    jline_number(&j, "floor_p50_us", hist_percentile_us(&c->floor_sum.latency, 50));
    jline_number(&j, "floor_p99_us", hist_percentile_us(&c->floor_sum.latency, 99));
    jline_close(&j);
}

void scenario_fanout(struct bench *b, const struct fanout_spec *spec, struct fanout_result *r)
{
    struct contest *c = xcalloc(1, sizeof(*c));
    struct phase *p = xcalloc(1, sizeof(*p));
    c->bench = b;
    c->spec = spec;
    c->server_us = xcalloc(b->o.pairs, sizeof(double));
    c->floor_us = xcalloc(b->o.pairs, sizeof(double));
    c->ratio = xcalloc(b->o.pairs, sizeof(double));
    c->per_segment = xcalloc(b->o.pairs, sizeof(double));
    bench_need_descriptors(spec->subscribers + 64);
    printf(
        "%s: %u subscribers, %g publications/s, %u bytes, via %s, batches %s, %u pairs of %g s\n",
        spec->name, spec->subscribers, spec->rate, b->o.payload, b->o.self ? "floor" : b->o.via,
        b->o.batches, b->o.pairs, b->o.seconds);
    start_sides(c);
    warm_up(c, p);
    for (unsigned i = 0; i < b->o.pairs; i++)
        run_pair(c, i, p);
    report(c, r);
    stop_sides(c);
    free(c->server_us);
    free(c->floor_us);
    free(c->ratio);
    free(c->per_segment);
    free(c);
    free(p);
}
