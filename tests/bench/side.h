/* SPDX-License-Identifier: Apache-2.0 */
/* One contestant: a server, the connections to it, the way to publish through it; and timed phases.

   Each side lives in a thread with a descriptor table of its own, because two times 10,000
   connections are more than many systems allow a process. The threads never work at the same time:
   the main thread hands a task to one of them and waits. */
#pragma once

#include "tests/bench/fleet.h"
#include "tests/bench/procs.h"
#include "tests/bench/publisher.h"

#include <pthread.h>

typedef void (*task_fn)(void *arg);

struct side {
    const char *name;
    struct procs procs; /* what is charged to this side */
    /* Below: used by the side's thread only. */
    struct poller poller;
    struct fleet fleet;
    struct publisher *pub;
    const struct channels *channels;
    unsigned next_channel;
    char *payload;
    size_t payload_bytes;
    /* The hand-over. While there is no task, the thread goes on reading, so that pings are
     * answered. */
    struct source wake;
    int wake_fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    task_fn task;
    void *task_arg;
    bool ends;
};

/* Starts the thread; the caller fills name, procs and channels before. */
void side_start(struct side *s, size_t payload_bytes);
/* Runs fn(arg) in the side's thread and waits until it has returned. */
void side_call(struct side *s, task_fn fn, void *arg);
/* Ends the thread. Connections and publisher are closed. */
void side_stop(struct side *s);

/* TCP acknowledges the first 16 segments after a pause at once, in the sender's time; and caches
   are cold. A phase is measured after that. */
#define LEAD_SECONDS 0.6
/* More messages per segment than this, and the server was not paced: it fell behind and caught up
   with several at a time, which is cheaper than what is to be measured. */
#define COALESCED 1.03

/* How the publications of a phase are made. */
struct load {
    double seconds;
    double lead_seconds; /* at a fixed schedule: as much of the same before, not measured */
    double rate;         /* per second at a fixed schedule; 0: flat out */
    unsigned window;     /* flat out: publications under way */
    unsigned burst;      /* flat out: publications handed over at a time */
    uint64_t seed;       /* of the schedule's jitter; the same seed is the same schedule */
};

struct phase {
    struct cpu_use cpu;
    double seconds, client_cpu_sec, other_cpu_sec; /* other: neither server nor client */
    uint64_t published, expected, delivered, duplicated, disordered, closed, frames, reads, pings;
    uint64_t segments;   /* TCP segments with data that the clients received; 0: not known */
    struct hist latency; /* from the scheduled time, so a late publisher or server cannot hide */
    struct hist late;    /* how late the publisher itself was */
};

/* Runs one phase to its end: until everything has arrived, or nothing more does for 3 s. Call it
   from any thread but the side's. */
void side_phase(struct side *s, const struct load *load, struct phase *out);
/* Adds the figures of one phase to another. */
void phase_add(struct phase *into, const struct phase *from);
double phase_us_per_delivery(const struct phase *p);
/* How many publications the server sent at a time, whatever the client read at a time; 1 when it is
   not known. Pings count as segments, so a little less than 1 is normal. */
double phase_per_segment(const struct phase *p);
