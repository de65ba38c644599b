/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario: the fan-out with one feature after the other, beside plain subscriptions and the floor.
 */
#include "tests/bench/report.h"
#include "tests/bench/scenario.h"
#include "tests/bench/util.h"

#include <stdio.h>
#include <stdlib.h>

#define RATE 50

/* Subscribers with one feature, all in one channel of their own. */
struct lane {
    const struct feature *feature;
    struct channels channels;
    struct side side;
    double memory_bytes;
    double *us, *over_floor, *over_plain; /* of each round; the ratios of paced rounds only */
    unsigned paced;
    struct phase sum;
};

/* Lane 0 is the floor, lane 1 plain. */
enum {
    FLOOR,
    PLAIN,
};

struct parade {
    struct bench *bench;
    struct floor floor;
    struct lane *lanes;
    unsigned count, subscribers;
};

static void init_lane(struct parade *q, struct lane *l, const struct feature *f)
{
    unsigned rounds = q->bench->o.pairs;
    l->feature = f;
    l->us = xcalloc(rounds, sizeof(double));
    l->over_floor = xcalloc(rounds, sizeof(double));
    l->over_plain = xcalloc(rounds, sizeof(double));
    channels_make(&l->channels, f->space, q->bench->o.channel, q->bench->o.channels);
}

/* Connects the lane's clients; what the server grows by meanwhile is theirs. */
static void open_lane(struct parade *q, struct lane *l)
{
    struct bench *b = q->bench;
    struct mem_use before, after;
    l->side.name = l->feature->name;
    bench_wait_quiet(&b->server);
    procs_mem_read(&b->server, &before);
    bench_start_server(b, &l->side, l->feature, &l->channels, q->subscribers);
    bench_wait_quiet(&b->server);
    procs_mem_read(&b->server, &after);
    l->memory_bytes = ((double)after.rss_bytes - (double)before.rss_bytes) / q->subscribers;
}

static void open_lanes(struct parade *q)
{
    struct bench *b = q->bench;
    struct floor_opts floor = {.cpu = bench_server_cpu(b), .waits_for_connect = b->o.wait_connect};
    floor_start(&q->floor, &floor);
    bench_pin(b, false);
    for (unsigned i = PLAIN; i < q->count; i++)
        open_lane(q, &q->lanes[i]);
    struct side *plain = &q->lanes[PLAIN].side, *yard = &q->lanes[FLOOR].side;
    yard->name = "floor";
    bench_start_floor(b, yard, &q->floor, &plain->fleet.sample, q->subscribers);
}

/* The plain frame is learned before the floor has to send it. */
static void warm_up(struct parade *q, struct phase *p)
{
    struct load load = {.rate = RATE, .seconds = 1, .seed = 99};
    for (unsigned i = 0; i < q->count; i++) {
        struct lane *l = &q->lanes[(i + PLAIN) % q->count];
        side_phase(&l->side, &load, p);
        if (!p->delivered)
            die("nothing arrived from %s: do Redis, prefix and namespaces match?", l->side.name);
    }
}

static void run_round(struct parade *q, unsigned round, struct phase *p)
{
    struct load load = {.rate = RATE,
                        .seconds = q->bench->o.seconds / 2,
                        .lead_seconds = LEAD_SECONDS,
                        .seed = round + 1};
    struct lane *floor = &q->lanes[FLOOR], *plain = &q->lanes[PLAIN];
    printf("  round %-2u    us", round + 1);
    for (unsigned i = 0; i < q->count; i++) {
        struct lane *l = &q->lanes[i];
        side_phase(&l->side, &load, p);
        phase_add(&l->sum, p);
        double us = l->us[round] = phase_us_per_delivery(p);
        printf("  %s %.2f", l->side.name, us);
        fflush(stdout);
        if (i == FLOOR || phase_per_segment(p) > COALESCED)
            continue;
        l->over_floor[l->paced] = us / floor->us[round];
        l->over_plain[l->paced++] = us / plain->us[round];
    }
    putchar('\n');
}

static bool is_whole(const struct lane *l)
{
    const struct phase *p = &l->sum;
    return p->delivered == p->expected && !p->duplicated && !p->disordered &&
           !l->side.fleet.count.closed;
}

static void report_lane(const struct parade *q, struct lane *l, struct feature_result *r)
{
    const struct opts *o = &q->bench->o;
    struct jline j;
    struct spread floor = spread_of(l->over_floor, l->paced);
    struct spread plain = spread_of(l->over_plain, l->paced);
    struct spread us = spread_of(l->us, o->pairs);
    *r = (struct feature_result){
        .feature = l->feature,
        .ratio = floor.median,
        .over_plain = plain.median,
        .memory_bytes = l->memory_bytes,
        .is_whole = is_whole(l),
        .is_paced = l->paced * 2 > o->pairs,
    };
    printf("  %s\n", l->feature->what);
    printf("  CPU          %.3f (%.3f to %.3f) us per delivery, %.3f x floor (%.3f to %.3f), "
           "%.3f x plain (%.3f to %.3f)\n",
           us.median, us.min, us.max, floor.median, floor.min, floor.max, plain.median, plain.min,
           plain.max);
    printf("  memory       %.0f bytes RSS per client\n", l->memory_bytes);
    if (l->feature->form == PUBLISH_DELTA)
        printf("  patches      %.0f %% of all messages\n",
               100.0 * (double)l->side.fleet.patches / (double)l->side.fleet.count.unique);
    report_phase(&l->sum, o->threads);
    jline_open(&j, o->json, "feature");
    jline_text(&j, "feature", l->feature->name);
    jline_text(&j, "batches", o->batches);
    jline_number(&j, "subscribers", q->subscribers);
    jline_spread(&j, "server_us", &us);
    jline_spread(&j, "ratio", &floor);
    jline_spread(&j, "over_plain", &plain);
    jline_number(&j, "rss_bytes", l->memory_bytes);
    report_phase_json(&j, &l->sum);
    jline_close(&j);
}

static void close_lanes(struct parade *q)
{
    for (unsigned i = 0; i < q->count; i++) {
        struct lane *l = &q->lanes[i];
        side_stop(&l->side);
        channels_free(&l->channels);
        free(l->us);
        free(l->over_floor);
        free(l->over_plain);
    }
    floor_stop(&q->floor);
    free(q->lanes);
}

void scenario_features(struct bench *b, unsigned subscribers, struct feature_result *r,
                       unsigned count)
{
    struct parade q = {.bench = b, .count = count + PLAIN, .subscribers = subscribers};
    struct phase *p = xcalloc(1, sizeof(*p));
    q.lanes = xcalloc(q.count, sizeof(*q.lanes));
    init_lane(&q, &q.lanes[FLOOR], features);
    for (unsigned i = 0; i < count; i++)
        init_lane(&q, &q.lanes[PLAIN + i], r[i].feature);
    bench_need_descriptors(subscribers + 64);
    printf("features: %u subscribers each, %d publications/s, %u bytes, via %s, batches %s, %u "
           "rounds of %g s each\n",
           subscribers, RATE, b->o.payload, b->o.via, b->o.batches, b->o.pairs, b->o.seconds / 2);
    open_lanes(&q);
    warm_up(&q, p);
    for (unsigned i = 0; i < b->o.pairs; i++)
        run_round(&q, i, p);
    for (unsigned i = 0; i < count; i++)
        report_lane(&q, &q.lanes[PLAIN + i], &r[i]);
    close_lanes(&q);
    free(p);
}
