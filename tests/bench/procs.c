/* SPDX-License-Identifier: Apache-2.0 */
/* Processor time of a set of processes, and where they may run. */
#include "tests/bench/procs.h"

#include "tests/bench/util.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static cpu_set_t all_cpus;

/* Returns the number of bytes read, 0 when there is no such file. The text is terminated. */
static size_t slurp(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(out, 1, size - 1, f) : 0;
    if (f)
        fclose(f);
    out[n] = 0;
    return n;
}

static void read_comm(const char *path, char *out, size_t size)
{
    size_t n = slurp(path, out, size);
    if (n && out[n - 1] == '\n')
        out[n - 1] = 0;
}

/* The fields of /proc/PID/stat after the name, which may itself hold blanks and parentheses. */
static bool read_stat(pid_t pid, pid_t *parent, uint64_t *user_ticks, uint64_t *sys_ticks)
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (!slurp(path, text, sizeof(text)))
        return false;
    const char *end = strrchr(text, ')');
    int ppid = 0;
    return end &&
           sscanf(end + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &ppid,
                  user_ticks, sys_ticks) == 3 &&
           (*parent = ppid, true);
}

static bool has_pid(const struct procs *ps, pid_t pid)
{
    for (int i = 0; i < ps->count; i++)
        if (ps->pid[i] == pid)
            return true;
    return false;
}

static void add_one(struct procs *ps, pid_t pid)
{
    char path[64];
    if (ps->count == PROCS_MAX)
        die("more than %d processes to watch", PROCS_MAX);
    if (clock_getcpuclockid(pid, &ps->clock[ps->count]))
        die("there is no process %d", (int)pid);
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    read_comm(path, ps->comm[ps->count], COMM_SIZE);
    ps->pid[ps->count++] = pid;
}

void procs_add(struct procs *ps, pid_t pid)
{
    if (has_pid(ps, pid))
        return;
    add_one(ps, pid);
    /* Repeat until no child of a known process is new: /proc is not ordered by age. */
    for (bool grew = true; grew;) {
        grew = false;
        DIR *d = opendir("/proc");
        for (struct dirent *e; d && (e = readdir(d));) {
            pid_t child = atoi(e->d_name), parent = 0;
            uint64_t user, sys;
            if (child > 0 && !has_pid(ps, child) && read_stat(child, &parent, &user, &sys) &&
                has_pid(ps, parent)) {
                add_one(ps, child);
                grew = true;
            }
        }
        if (d)
            closedir(d);
    }
}

static uint64_t process_ns(const struct procs *ps, int i)
{
    struct timespec ts;
    if (clock_gettime(ps->clock[i], &ts) < 0)
        die("process %d (%s) has ended", (int)ps->pid[i], ps->comm[i]);
    return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t procs_cpu_ns(const struct procs *ps)
{
    uint64_t sum = 0;
    for (int i = 0; i < ps->count; i++)
        sum += process_ns(ps, i);
    return sum;
}

typedef void (*each_thread_fn)(pid_t pid, pid_t tid, void *arg);

static void each_thread(pid_t pid, each_thread_fn fn, void *arg)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (atoi(e->d_name) > 0)
            fn(pid, atoi(e->d_name), arg);
    if (d)
        closedir(d);
}

struct thread_walk {
    struct cpu_reading *reading;
    const char *process;
};

static void read_thread(pid_t pid, pid_t tid, void *arg)
{
    struct thread_walk *w = arg;
    struct cpu_reading *r = w->reading;
    char path[96], text[128], name[17];
    if (r->threads == THREADS_MAX)
        return;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)pid, (int)tid);
    if (!slurp(path, text, sizeof(text)))
        return;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)pid, (int)tid);
    read_comm(path, name, sizeof(name));
    r->tid[r->threads] = tid;
    r->thread_ns[r->threads] = strtoull(text, NULL, 10);
    snprintf(r->thread_name[r->threads], COMM_SIZE, "%.15s/%.15s", w->process, name);
    r->threads++;
}

void procs_cpu_read(const struct procs *ps, struct cpu_reading *r)
{
    memset(r, 0, sizeof(*r));
    for (int i = 0; i < ps->count; i++) {
        pid_t parent;
        uint64_t user = 0, sys = 0;
        struct thread_walk walk = {.reading = r, .process = ps->comm[i]};
        r->total_ns[i] = process_ns(ps, i);
        read_stat(ps->pid[i], &parent, &user, &sys);
        r->user_ticks += user;
        r->sys_ticks += sys;
        each_thread(ps->pid[i], read_thread, &walk);
    }
}

static void group_add(struct cpu_group *groups, int *count, const char *name, uint64_t ns)
{
    int i = 0;
    while (i < *count && strcmp(groups[i].name, name))
        i++;
    if (i == GROUPS_MAX)
        return;
    if (i == *count) {
        memset(&groups[i], 0, sizeof(groups[i]));
        snprintf(groups[i].name, COMM_SIZE, "%s", name);
        (*count)++;
    }
    groups[i].ns += ns;
}

static uint64_t thread_before(const struct cpu_reading *r, pid_t tid)
{
    for (int i = 0; i < r->threads; i++)
        if (r->tid[i] == tid)
            return r->thread_ns[i];
    return 0;
}

void procs_cpu_diff(const struct procs *ps, const struct cpu_reading *from,
                    const struct cpu_reading *to, struct cpu_use *use)
{
    memset(use, 0, sizeof(*use));
    for (int i = 0; i < ps->count; i++) {
        uint64_t ns = to->total_ns[i] - from->total_ns[i];
        use->total_ns += ns;
        group_add(use->process, &use->processes, ps->comm[i], ns);
    }
    for (int i = 0; i < to->threads; i++) {
        uint64_t before = thread_before(from, to->tid[i]);
        group_add(use->thread, &use->threads, to->thread_name[i], to->thread_ns[i] - before);
    }
    uint64_t user = to->user_ticks - from->user_ticks, sys = to->sys_ticks - from->sys_ticks;
    if (user + sys)
        use->user_ns = (uint64_t)((double)use->total_ns * (double)user / (double)(user + sys));
    use->sys_ns = use->total_ns - use->user_ns;
}

static uint64_t field_kib(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

void procs_mem_read(const struct procs *ps, struct mem_use *m)
{
    char path[64], text[4096];
    memset(m, 0, sizeof(*m));
    for (int i = 0; i < ps->count; i++) {
        snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)ps->pid[i]);
        if (!slurp(path, text, sizeof(text)))
            die("cannot read %s: %s (run as the same user or as root)", path, strerror(errno));
        m->rss_bytes += field_kib(text, "\nRss:");
        m->pss_bytes += field_kib(text, "\nPss:");
    }
}

void cpus_remember(void)
{
    if (sched_getaffinity(0, sizeof(all_cpus), &all_cpus) < 0)
        die("sched_getaffinity: %s", strerror(errno));
}

int cpus_count(void)
{
    return CPU_COUNT(&all_cpus);
}

static void pin_thread(pid_t pid, pid_t tid, void *arg)
{
    int cpu = *(const int *)arg;
    cpu_set_t set = all_cpus;
    if (cpu >= 0) {
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
    }
    /* A thread may end between the listing and the call. */
    if (sched_setaffinity(tid, sizeof(set), &set) < 0 && errno != ESRCH)
        die("cannot bind process %d to core %d: %s", (int)pid, cpu, strerror(errno));
}

void procs_pin(const struct procs *ps, int cpu)
{
    for (int i = 0; i < ps->count; i++)
        each_thread(ps->pid[i], pin_thread, &cpu);
}

void self_pin(int cpu)
{
    pin_thread(0, 0, &cpu);
}

void machine_time_read(struct machine_time *t)
{
    char text[512];
    uint64_t user = 0, nice = 0, sys = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0;
    memset(t, 0, sizeof(*t));
    slurp("/proc/stat", text, sizeof(text));
    sscanf(text,
           "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
           " %" SCNu64,
           &user, &nice, &sys, &idle, &wait, &irq, &soft, &steal);
    t->busy_ticks = user + nice + sys + irq + soft + steal;
    t->all_ticks = t->busy_ticks + idle + wait;
}

uint64_t machine_slab_bytes(void)
{
    char text[8192];
    slurp("/proc/meminfo", text, sizeof(text));
    return field_kib(text, "\nSlab:");
}
