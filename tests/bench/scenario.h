/* SPDX-License-Identifier: Apache-2.0 */
/* The scenarios of the bench: one function each, one table of commands over them. */
#pragma once

#include "tests/bench/feature.h"
#include "tests/bench/floor.h"
#include "tests/bench/opts.h"
#include "tests/bench/procs.h"
#include "tests/bench/publisher.h"
#include "tests/bench/side.h"
#include "tests/bench/target.h"

#include <stdbool.h>

/* What all scenarios share. */
struct bench {
    struct opts o;
    struct target ws, api, redis;
    const struct feature *feature; /* of the channels; commands with one kind of subscription */
    struct channels channels;
    struct procs server, redis_procs;
};

struct fanout_spec {
    const char *name;
    unsigned subscribers;
    double rate;
};

struct fanout_result {
    double ratio, server_us, floor_us; /* medians */
    double pooled;                     /* ratio of the sums */
    bool is_whole;                     /* nothing was lost or repeated, nobody was closed */
    bool is_paced; /* enough pairs in which the server did not send several at a time */
};

/* Server and floor in turns, the same load for both. */
void scenario_fanout(struct bench *b, const struct fanout_spec *spec, struct fanout_result *r);

struct flat_result {
    double us_per_delivery, per_sec, lost, closed; /* medians; lost and closed are sums */
};

/* As many publications as the server takes. */
void scenario_flat(struct bench *b, unsigned subscribers, struct flat_result *r);

/* One feature beside plain subscriptions and the floor. */
struct feature_result {
    const struct feature *feature;
    double ratio, over_plain; /* CPU per delivery: medians over floor and over plain */
    double memory_bytes;      /* per client */
    double p50_us, p99_us;
    bool is_whole, is_paced; /* as above */
};

/* Plain subscriptions, the floor and each of the features in turns; `r` has the features of
   interest and is filled in, plain first. */
void scenario_features(struct bench *b, unsigned subscribers, struct feature_result *r,
                       unsigned count);

struct storm_result {
    double cpu_us;  /* per recovered client, median */
    double seconds; /* until all were recovered, median */
    bool is_whole;  /* every client recovered everything */
};

/* Clients of a channel with history are gone while `missed` publications pass, and all come back.
 */
void scenario_storm(struct bench *b, unsigned clients, struct storm_result *r);

struct hold_spec {
    const struct feature *feature;
    unsigned clients, rounds;
    bool memory, idle; /* what to do while the connections of the first round are held */
};

struct hold_result {
    double connect_us, connect_per_sec; /* medians of the rounds */
    double memory_bytes;                /* per client: resident memory, the highest idle reading */
    double idle_us_per_sec;             /* per client */
    bool is_whole;                      /* nobody was closed */
};

/* Connects, holds the connections, closes them. Memory only means something on a fresh server. */
void scenario_hold(struct bench *b, const struct hold_spec *spec, struct hold_result *r);

struct publish_result {
    double per_sec, cpu_us; /* medians */
    bool is_whole;          /* no request was refused */
};

/* POST publish on kept connections, as fast as the answers come. */
void scenario_publish(struct bench *b, struct publish_result *r);

/* All of them at their fixed sizes, and the table of limits. */
void scenario_all(struct bench *b);

struct command {
    const char *name, *help;
    void (*run)(struct bench *b);
    bool needs_server;
};

/* Ends with a row without a name. */
extern const struct command commands[];

/* setup.c: what several scenarios do first. Core numbers are -1 with --no-pin. */
int bench_server_cpu(const struct bench *b);
int bench_client_cpu(const struct bench *b);
/* Binds server, Redis and the calling thread to their cores, or all of them to all cores. */
void bench_pin(struct bench *b, bool is_free);
void bench_fleet_opts(const struct bench *b, const struct feature *f, const struct channels *ch,
                      struct fleet_opts *o);
/* Whether there is a way to publish at all. */
bool bench_can_publish(const struct bench *b);
/* A publisher for the server, in the thread that will use it. */
struct publisher *bench_publisher(struct bench *b, const struct feature *f, struct side *s);
/* Starts the server's side and connects it: fleet and publisher. */
void bench_start_server(struct bench *b, struct side *s, const struct feature *f,
                        const struct channels *ch, unsigned connections);
/* The same for a floor that sends frames like `sample`. */
void bench_start_floor(struct bench *b, struct side *s, const struct floor *f,
                       const struct sample *sample, unsigned connections);
/* Waits until the processes have come to rest, at most 15 s. */
void bench_wait_quiet(const struct procs *ps);
/* Raises the limit of descriptors; ends the program when it stays below `needed`. */
void bench_need_descriptors(unsigned needed);
