/* SPDX-License-Identifier: Apache-2.0 */
/* A timed phase: publish by the clock or flat out, read everything, and take the counters around
 * it. */
#include "tests/bench/payload.h"
#include "tests/bench/side.h"
#include "tests/bench/util.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* After this long without a delivery the rest counts as lost. */
#define GIVE_UP_NS (3 * NS_PER_SEC)
/* The server's work after its last send (closing the batch, going back to sleep) belongs to the
 * phase. */
#define TAIL_NS (20 * NS_PER_MS)

static double own_cpu_sec(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void publish_one(struct side *s, uint64_t at_ns)
{
    struct fleet *f = &s->fleet;
    unsigned channel = s->next_channel;
    s->next_channel = (channel + 1) % s->channels->count;
    payload_put(s->payload, s->payload_bytes, ++f->seq[channel], at_ns);
    f->at_ns[f->seq[channel] % FLEET_TIMES] = at_ns;
    f->expected += f->subscribers[channel];
    s->pub->publish(s->pub, channel, s->payload, s->payload_bytes);
}

static uint64_t outstanding(const struct fleet *f)
{
    return f->expected > f->count.unique ? f->expected - f->count.unique : 0;
}

/* Reads until everything has arrived, or nothing more comes; returns when the last one came. */
static uint64_t drain(struct side *s)
{
    uint64_t seen = s->fleet.count.unique, since = now_ns();
    while (outstanding(&s->fleet)) {
        poller_run(&s->poller, now_ns() + 100 * NS_PER_MS);
        uint64_t now = now_ns();
        if (s->fleet.count.unique != seen) {
            seen = s->fleet.count.unique;
            since = now;
        } else if (now - since > GIVE_UP_NS) {
            break;
        }
    }
    return since;
}

static void linger(struct side *s)
{
    uint64_t until = now_ns() + TAIL_NS;
    while (now_ns() < until)
        poller_run(&s->poller, until);
}

/* Open loop: publication k leaves at k intervals, give or take a tenth, whatever happened to the
   ones before. The jitter keeps the load from running in step with the kernel's tick. */
static void run_paced(struct side *s, const struct load *load, struct phase *out)
{
    uint64_t rng = load->seed * 2 + 1;
    uint64_t interval = (uint64_t)((double)NS_PER_SEC / load->rate);
    uint64_t start = now_ns() + 5 * NS_PER_MS;
    uint64_t total = (uint64_t)(load->rate * load->seconds + 0.5);
    for (uint64_t k = 0; k < total; k++) {
        uint64_t jitter = rng_next(&rng) % (interval / 5 + 1);
        uint64_t due = start + k * interval + jitter;
        while (now_ns() < due)
            poller_run(&s->poller, due);
        hist_add(&out->late, now_ns() - due);
        publish_one(s, due);
        s->pub->flush(s->pub);
    }
    out->published = total;
}

/* Closed by a window that is much larger than what is read at a time, so the server always has the
   next burst waiting. */
static void run_flat_out(struct side *s, const struct load *load, struct phase *out)
{
    uint64_t end = now_ns() + (uint64_t)(load->seconds * 1e9), progress = now_ns(), seen = 0;
    unsigned fan = s->fleet.open / s->channels->count;
    uint64_t low = (uint64_t)(load->window - load->burst) * fan;
    for (uint64_t now; (now = now_ns()) < end;) {
        if (outstanding(&s->fleet) <= low) {
            for (unsigned i = 0; i < load->burst; i++)
                publish_one(s, now);
            s->pub->flush(s->pub);
            out->published += load->burst;
        }
        poller_run(&s->poller, now + 10 * NS_PER_MS);
        if (s->fleet.count.unique != seen) {
            seen = s->fleet.count.unique;
            progress = now;
        } else if (now - progress > GIVE_UP_NS) {
            note("%s: nothing has arrived for 3 s, the phase ends early", s->name);
            return;
        }
    }
}

struct phase_task {
    struct side *side;
    const struct load *load;
    struct phase *out;
};

static uint64_t segments_received(const struct fleet *f)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < f->started; i++) {
        struct tcp_info info = {0};
        socklen_t len = sizeof(info);
        if (f->conns[i].state == CONN_OPEN &&
            !getsockopt(f->conns[i].fd, IPPROTO_TCP, TCP_INFO, &info, &len))
            sum += info.tcpi_data_segs_in;
    }
    return sum;
}

static void count_segments(void *arg)
{
    struct phase_task *t = arg;
    uint64_t now = segments_received(&t->side->fleet), before = t->out->segments;
    /* A connection that was closed took its count along. */
    t->out->segments = now > before && !t->out->closed ? now - before : 0;
}

static void count_difference(struct phase *out, const struct fleet_count *a, const struct fleet *f)
{
    const struct fleet_count *b = &f->count;
    out->delivered = b->unique - a->unique;
    out->duplicated = b->duplicated - a->duplicated;
    out->disordered = b->disordered - a->disordered;
    out->closed = b->closed - a->closed;
    out->frames = b->frames - a->frames;
    out->reads = b->reads - a->reads;
    out->pings = b->pings - a->pings;
    out->latency = f->latency;
}

static void run_phase(void *arg)
{
    struct phase_task *t = arg;
    struct side *s = t->side;
    struct fleet_count before = s->fleet.count;
    uint64_t expected = s->fleet.expected;
    memset(&s->fleet.latency, 0, sizeof(s->fleet.latency));
    if (t->load->rate > 0)
        run_paced(s, t->load, t->out);
    else
        run_flat_out(s, t->load, t->out);
    /* Without the tail: it would dilute the rate of short phases. */
    t->out->seconds = (double)drain(s) / 1e9 - t->out->seconds;
    linger(s);
    count_difference(t->out, &before, &s->fleet);
    t->out->expected = s->fleet.expected - expected;
    /* What is lost stays lost; the next phase begins at zero. */
    s->fleet.expected = s->fleet.count.unique;
}

static double machine_busy_sec(const struct machine_time *from)
{
    struct machine_time now;
    machine_time_read(&now);
    return (double)(now.busy_ticks - from->busy_ticks) / (double)sysconf(_SC_CLK_TCK);
}

static void run_lead(struct side *s, const struct load *load, struct phase *out)
{
    struct load lead = *load;
    struct phase_task task = {.side = s, .load = &lead, .out = out};
    lead.seconds = load->lead_seconds;
    side_call(s, run_phase, &task);
    memset(out, 0, sizeof(*out));
}

void side_phase(struct side *s, const struct load *load, struct phase *out)
{
    struct cpu_reading *r = xcalloc(2, sizeof(*r));
    struct phase_task task = {.side = s, .load = load, .out = out};
    struct machine_time machine;
    memset(out, 0, sizeof(*out));
    if (load->lead_seconds > 0)
        run_lead(s, load, out);
    side_call(s, count_segments, &task);
    machine_time_read(&machine);
    double own = own_cpu_sec();
    procs_cpu_read(&s->procs, &r[0]);
    out->seconds = (double)now_ns() / 1e9;
    side_call(s, run_phase, &task);
    procs_cpu_read(&s->procs, &r[1]);
    out->client_cpu_sec = own_cpu_sec() - own;
    procs_cpu_diff(&s->procs, &r[0], &r[1], &out->cpu);
    side_call(s, count_segments, &task);
    double others =
        machine_busy_sec(&machine) - out->client_cpu_sec - (double)out->cpu.total_ns / 1e9;
    out->other_cpu_sec = others > 0 ? others : 0;
    free(r);
}

static void groups_add(struct cpu_group *into, int *count, const struct cpu_group *from, int n)
{
    for (int i = 0; i < n; i++) {
        int at = 0;
        while (at < *count && strcmp(into[at].name, from[i].name))
            at++;
        if (at == GROUPS_MAX)
            continue;
        if (at == *count) {
            into[at] = from[i];
            (*count)++;
        } else {
            into[at].ns += from[i].ns;
        }
    }
}

void phase_add(struct phase *into, const struct phase *from)
{
    into->cpu.total_ns += from->cpu.total_ns;
    into->cpu.user_ns += from->cpu.user_ns;
    into->cpu.sys_ns += from->cpu.sys_ns;
    groups_add(into->cpu.process, &into->cpu.processes, from->cpu.process, from->cpu.processes);
    groups_add(into->cpu.thread, &into->cpu.threads, from->cpu.thread, from->cpu.threads);
    into->seconds += from->seconds;
    into->client_cpu_sec += from->client_cpu_sec;
    into->other_cpu_sec += from->other_cpu_sec;
    into->published += from->published;
    into->expected += from->expected;
    into->delivered += from->delivered;
    into->duplicated += from->duplicated;
    into->disordered += from->disordered;
    into->closed += from->closed;
    into->frames += from->frames;
    into->reads += from->reads;
    into->pings += from->pings;
    into->segments += from->segments;
    hist_merge(&into->latency, &from->latency);
    hist_merge(&into->late, &from->late);
}

double phase_us_per_delivery(const struct phase *p)
{
    return p->delivered ? (double)p->cpu.total_ns / 1000.0 / (double)p->delivered : 0;
}

double phase_per_segment(const struct phase *p)
{
    return p->segments && p->delivered ? (double)p->delivered / (double)p->segments : 1;
}
