/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario: as many publications as the server takes; it may put several into one frame. */
#include "tests/bench/report.h"
#include "tests/bench/scenario.h"
#include "tests/bench/util.h"

#include <stdio.h>
#include <stdlib.h>

static void report(struct bench *b, const struct phase *sum, struct spread *us, struct spread *rate)
{
    struct jline j;
    printf("  CPU          %.3f (%.3f to %.3f) us per delivery\n", us->median, us->min, us->max);
    printf("  rate         %.0f (%.0f to %.0f) deliveries/s\n", rate->median, rate->min, rate->max);
    report_phase(sum, b->o.threads);
    jline_open(&j, b->o.json, "flat");
    jline_text(&j, "batches", b->o.batches);
    jline_text(&j, "via", b->o.via);
    jline_number(&j, "window", b->o.window);
    jline_number(&j, "burst", b->o.burst);
    jline_spread(&j, "server_us", us);
    jline_spread(&j, "per_sec", rate);
    report_phase_json(&j, sum);
    jline_close(&j);
}

void scenario_flat(struct bench *b, unsigned subscribers, struct flat_result *r)
{
    unsigned rounds = b->o.rounds;
    struct side *s = xcalloc(1, sizeof(*s));
    struct phase *p = xcalloc(2, sizeof(*p)), *sum = p + 1;
    double *us = xcalloc(rounds, sizeof(double)), *rate = xcalloc(rounds, sizeof(double));
    struct load load = {.window = b->o.window, .burst = b->o.burst, .seconds = 1};
    bench_need_descriptors(subscribers + 64);
    printf("flat: %u subscribers, bursts of %u in a window of %u, %u bytes, via %s, %u rounds of "
           "%g s\n",
           subscribers, load.burst, load.window, b->o.payload, b->o.via, rounds, b->o.seconds);
    s->name = "server";
    bench_pin(b, false);
    bench_start_server(b, s, b->feature, &b->channels, subscribers);
    side_phase(s, &load, p); /* warm-up */
    load.seconds = b->o.seconds;
    for (unsigned i = 0; i < rounds; i++) {
        side_phase(s, &load, p);
        us[i] = phase_us_per_delivery(p);
        rate[i] = (double)p->delivered / p->seconds;
        phase_add(sum, p);
    }
    sum->closed = s->fleet.count.closed; /* those of the warm-up, too */
    struct spread us_spread = spread_of(us, rounds), rate_spread = spread_of(rate, rounds);
    report(b, sum, &us_spread, &rate_spread);
    *r = (struct flat_result){
        .us_per_delivery = us_spread.median,
        .per_sec = rate_spread.median,
        .lost = sum->expected > sum->delivered ? (double)(sum->expected - sum->delivered) : 0,
        .closed = (double)s->fleet.count.closed,
    };
    side_stop(s);
    free(s);
    free(p);
    free(us);
    free(rate);
}
