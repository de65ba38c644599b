/* SPDX-License-Identifier: Apache-2.0 */
/* What several scenarios do first: cores, limits, connections, publishers. */
#include "tests/bench/scenario.h"
#include "tests/bench/util.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define OPEN_TIMEOUT_SEC 120

int bench_server_cpu(const struct bench *b)
{
    return b->o.no_pin || cpus_count() < 2 ? -1 : b->o.server_cpu;
}

int bench_client_cpu(const struct bench *b)
{
    return b->o.no_pin || cpus_count() < 2 ? -1 : b->o.client_cpu;
}

void bench_pin(struct bench *b, bool is_free)
{
    bool pinned = !is_free && !b->o.no_pin && cpus_count() > 1;
    procs_pin(&b->server, pinned ? b->o.server_cpu : -1);
    procs_pin(&b->redis_procs, pinned ? b->o.redis_cpu : -1);
    self_pin(pinned ? b->o.client_cpu : -1);
}

void bench_fleet_opts(const struct bench *b, const struct feature *f, const struct channels *ch,
                      struct fleet_opts *o)
{
    *o = (struct fleet_opts){
        .target = &b->ws,
        .channels = ch,
        .token_secret = b->o.secret,
        .user_template = b->o.user,
        .wish = f->wish,
        .payload_bytes = b->o.payload,
        .is_protobuf = b->o.protobuf || f->is_protobuf,
        .is_delta = f->form == PUBLISH_DELTA,
        .waits_for_connect = b->o.wait_connect,
    };
}

bool bench_can_publish(const struct bench *b)
{
    return strcmp(b->o.via, "redis") ? b->o.api != NULL : b->o.redis != NULL;
}

struct publisher *bench_publisher(struct bench *b, const struct feature *f, struct side *s)
{
    bool redis = !strcmp(b->o.via, "redis");
    if (!bench_can_publish(b))
        die("this scenario publishes: it needs --redis or --api");
    struct publisher_opts o = {.poller = &s->poller,
                               .target = redis ? &b->redis : &b->api,
                               .channels = s->channels,
                               .feature = f,
                               .prefix = b->o.prefix,
                               .key = b->o.api_key};
    return redis ? publisher_redis_new(&o) : publisher_http_new(&o);
}

/* Done in the side's thread. */
struct open_task {
    struct bench *bench;
    struct side *side;
    const struct feature *feature;
    const struct floor *floor; /* NULL: the server */
    const struct sample *sample;
    unsigned connections;
};

static void open_side(void *arg)
{
    struct open_task *t = arg;
    struct side *s = t->side;
    struct fleet_opts o;
    bench_fleet_opts(t->bench, t->feature, s->channels, &o);
    if (t->floor)
        o.target = &t->floor->target;
    fleet_init(&s->fleet, &s->poller, &o, t->connections);
    fleet_open(&s->fleet, t->bench->o.opening, OPEN_TIMEOUT_SEC);
    s->pub = t->floor ? publisher_floor_new(t->floor, t->sample, s->channels)
                      : bench_publisher(t->bench, t->feature, s);
}

void bench_start_server(struct bench *b, struct side *s, const struct feature *f,
                        const struct channels *ch, unsigned connections)
{
    struct open_task task = {.bench = b, .side = s, .feature = f, .connections = connections};
    s->procs = b->server;
    s->channels = ch;
    side_start(s, b->o.payload);
    side_call(s, open_side, &task);
}

void bench_start_floor(struct bench *b, struct side *s, const struct floor *f,
                       const struct sample *sample, unsigned connections)
{
    struct open_task task = {.bench = b,
                             .side = s,
                             .feature = features,
                             .floor = f,
                             .sample = sample,
                             .connections = connections};
    procs_add(&s->procs, f->pid);
    s->channels = &b->channels;
    side_start(s, b->o.payload);
    side_call(s, open_side, &task);
}

void bench_wait_quiet(const struct procs *ps)
{
    unsigned calm = 0;
    for (unsigned i = 0; i < 75 && calm < 3; i++) {
        uint64_t before = procs_cpu_ns(ps);
        sleep_until_ns(now_ns() + 200 * NS_PER_MS);
        calm = procs_cpu_ns(ps) - before < 6 * NS_PER_MS ? calm + 1 : 0;
    }
}

void bench_need_descriptors(unsigned needed)
{
    struct rlimit lim;
    getrlimit(RLIMIT_NOFILE, &lim);
    if (lim.rlim_cur < lim.rlim_max) {
        lim.rlim_cur = lim.rlim_max;
        setrlimit(RLIMIT_NOFILE, &lim);
        getrlimit(RLIMIT_NOFILE, &lim);
    }
    if (lim.rlim_cur < needed)
        die("%u descriptors are needed, the limit is %llu: raise it with ulimit -n", needed,
            (unsigned long long)lim.rlim_cur);
}
