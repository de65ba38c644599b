/* SPDX-License-Identifier: Apache-2.0 */
/* What a set of foreign processes costs: processor time, memory; and where they may run. Linux
 * /proc. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#define PROCS_MAX   64
#define THREADS_MAX 512
#define GROUPS_MAX  32
#define COMM_SIZE   40

struct procs {
    int count;
    pid_t pid[PROCS_MAX];
    clockid_t clock[PROCS_MAX];
    char comm[PROCS_MAX][COMM_SIZE];
};

/* One reading of the counters; two of them make a difference. */
struct cpu_reading {
    uint64_t total_ns[PROCS_MAX];
    uint64_t user_ticks, sys_ticks;
    int threads;
    pid_t tid[THREADS_MAX];
    uint64_t thread_ns[THREADS_MAX];
    char thread_name[THREADS_MAX][COMM_SIZE]; /* process/thread */
};

/* Processor time of one name: all processes, or all threads, called so. */
struct cpu_group {
    char name[COMM_SIZE];
    uint64_t ns;
};

struct cpu_use {
    uint64_t total_ns, user_ns, sys_ns;
    int processes, threads; /* rows used below */
    struct cpu_group process[GROUPS_MAX];
    struct cpu_group thread[GROUPS_MAX];
};

struct mem_use {
    uint64_t rss_bytes, pss_bytes;
};

/* Adds the process and all its descendants (a web server's workers); ends the program when it does
 * not exist. */
void procs_add(struct procs *ps, pid_t pid);
/* The total is exact (the scheduler's nanoseconds, threads that have ended included); only the
   split into user and system is sampled by the kernel at its clock tick, so it needs seconds to
   mean something. Ends the program when a process is gone. */
void procs_cpu_read(const struct procs *ps, struct cpu_reading *r);
void procs_cpu_diff(const struct procs *ps, const struct cpu_reading *from,
                    const struct cpu_reading *to, struct cpu_use *use);
/* The exact total alone; cheap. */
uint64_t procs_cpu_ns(const struct procs *ps);
/* Sums /proc/PID/smaps_rollup, which is exact, unlike statm. */
void procs_mem_read(const struct procs *ps, struct mem_use *m);
/* Binds every thread of the processes to one core, or to all cores the bench itself was started
 * with when `cpu` is negative. */
void procs_pin(const struct procs *ps, int cpu);
/* The same for the calling thread. */
void self_pin(int cpu);
/* Remembers which cores are "all"; call it before the first self_pin(). */
void cpus_remember(void);
/* Number of cores in that set. */
int cpus_count(void);

/* Busy and possible time of the whole machine since boot, in clock ticks; 0 when unknown. */
struct machine_time {
    uint64_t busy_ticks, all_ticks;
};
void machine_time_read(struct machine_time *t);
/* Slab memory of the kernel in bytes. */
uint64_t machine_slab_bytes(void);
