/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario: requests to the publish API on kept connections, web server included. */
#include "tests/bench/http.h"
#include "tests/bench/payload.h"
#include "tests/bench/report.h"
#include "tests/bench/scenario.h"
#include "tests/bench/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct press {
    struct bench *bench;
    struct http_pool pool;
    struct poller poller;
    char body[PAYLOAD_MAX + 512];
    size_t payload_at, body_bytes;
    uint64_t seq, end_ns;
    unsigned busy;
};

static void ask(struct press *pr, struct http_conn *c)
{
    payload_patch(pr->body + pr->payload_at, ++pr->seq, now_ns());
    http_post(c, "publish", pr->body, pr->body_bytes);
}

static void answered(struct http_conn *c, void *arg)
{
    struct press *pr = arg;
    if (now_ns() < pr->end_ns)
        ask(pr, c);
    else
        pr->busy--;
}

static void press_for(struct press *pr, double seconds)
{
    pr->end_ns = now_ns() + (uint64_t)(seconds * 1e9);
    pr->busy = pr->pool.count;
    for (unsigned i = 0; i < pr->pool.count; i++)
        ask(pr, &pr->pool.conns[i]);
    while (pr->busy) {
        if (now_ns() > pr->end_ns + 10 * NS_PER_SEC)
            die("%u requests to the API were not answered within 10 s", pr->busy);
        poller_run(&pr->poller, now_ns() + 100 * NS_PER_MS);
    }
}

static void press_init(struct press *pr, struct bench *b)
{
    /* Nobody listens to this channel: what is measured is the way into Redis. */
    pr->bench = b;
    int n = snprintf(pr->body, sizeof(pr->body), "{\"channel\":\"bench-publish\",\"data\":");
    pr->payload_at = (size_t)n;
    payload_put(pr->body + n, b->o.payload, 0, 0);
    pr->body_bytes = pr->payload_at + b->o.payload;
    pr->body[pr->body_bytes++] = '}';
    poller_init(&pr->poller);
    pr->pool.poller = &pr->poller;
    pr->pool.target = &b->api;
    pr->pool.key = b->o.api_key;
    pr->pool.done = answered;
    pr->pool.arg = pr;
    http_pool_init(&pr->pool, b->o.clients);
}

struct press_sums {
    double *rate, *cpu_us;
    struct cpu_use cpu;
    double redis_us, client_us;
};

static void run_round(struct press *pr, struct press_sums *s, unsigned i)
{
    struct bench *b = pr->bench;
    struct cpu_reading *r = xcalloc(2, sizeof(*r));
    uint64_t before = pr->pool.answered, redis = procs_cpu_ns(&b->redis_procs), start = now_ns();
    procs_cpu_read(&b->server, &r[0]);
    press_for(pr, b->o.seconds);
    procs_cpu_read(&b->server, &r[1]);
    double requests = (double)(pr->pool.answered - before);
    double took = (double)(now_ns() - start) / 1e9;
    procs_cpu_diff(&b->server, &r[0], &r[1], &s->cpu);
    requests = requests > 0 ? requests : 1;
    s->rate[i] = requests / took;
    s->cpu_us[i] = (double)s->cpu.total_ns / 1000 / requests;
    s->redis_us = (double)(procs_cpu_ns(&b->redis_procs) - redis) / 1000 / requests;
    printf("  round %-2u     %.0f requests/s, %.2f us CPU each (user %.2f, system %.2f):", i + 1,
           s->rate[i], s->cpu_us[i], (double)s->cpu.user_ns / 1000 / requests,
           (double)s->cpu.sys_ns / 1000 / requests);
    for (int k = 0; k < s->cpu.processes; k++)
        printf(" %s %.2f", s->cpu.process[k].name, (double)s->cpu.process[k].ns / 1000 / requests);
    printf("; Redis besides %.2f\n", s->redis_us);
    fflush(stdout);
    free(r);
}

static void report(struct press *pr, struct press_sums *s, struct publish_result *r)
{
    struct jline j;
    const struct opts *o = &pr->bench->o;
    struct spread rate = spread_of(s->rate, o->rounds), cpu = spread_of(s->cpu_us, o->rounds);
    const struct http_pool *p = &pr->pool;
    *r = (struct publish_result){
        .per_sec = rate.median, .cpu_us = cpu.median, .is_whole = !p->failed};
    printf("  PUBLISH      %.0f (%.0f to %.0f) requests/s, %.2f (%.2f to %.2f) us CPU each\n",
           rate.median, rate.min, rate.max, cpu.median, cpu.min, cpu.max);
    printf("  answers      %llu, refused %llu, connections made again %llu; closed loop latency us "
           "p50 %.0f p99 %.0f max %.0f\n",
           (unsigned long long)p->answered, (unsigned long long)p->failed,
           (unsigned long long)p->reconnects, hist_percentile_us(&p->latency, 50),
           hist_percentile_us(&p->latency, 99), hist_max_us(&p->latency));
    jline_open(&j, o->json, "publish");
    jline_number(&j, "clients", o->clients);
    jline_number(&j, "payload_bytes", o->payload);
    jline_spread(&j, "per_sec", &rate);
    jline_spread(&j, "cpu_us", &cpu);
    jline_number(&j, "redis_us", s->redis_us);
    jline_number(&j, "refused", (double)p->failed);
    jline_number(&j, "p50_us", hist_percentile_us(&p->latency, 50));
    jline_number(&j, "p99_us", hist_percentile_us(&p->latency, 99));
    jline_close(&j);
}

void scenario_publish(struct bench *b, struct publish_result *r)
{
    struct press *pr = xcalloc(1, sizeof(*pr));
    struct press_sums s = {.rate = xcalloc(b->o.rounds, sizeof(double)),
                           .cpu_us = xcalloc(b->o.rounds, sizeof(double))};
    if (!b->o.api)
        die("publish needs --api");
    printf(
        "publish: POST %s/publish, %u kept connections, %u bytes, %u rounds of %g s, all cores\n",
        b->api.path, b->o.clients, b->o.payload, b->o.rounds, b->o.seconds);
    bench_pin(b, true);
    press_init(pr, b);
    press_for(pr, 1); /* warm-up */
    for (unsigned i = 0; i < b->o.rounds; i++)
        run_round(pr, &s, i);
    report(pr, &s, r);
    http_pool_fini(&pr->pool);
    poller_fini(&pr->poller);
    free(s.rate);
    free(s.cpu_us);
    free(pr);
}
