/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows about this process. */
#include "pushd/admin/process.h"

#include "common/base/clk.h"
#include "common/base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Listing more entries than this would hold up Redis and the workers' requests, which share our
 * thread. */
#define MAX_LISTED_FDS 20000

/* Reads a small file of /proc as text; false when it is not there. */
static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    return true;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static int64_t count_fds(uint64_t connections)
{
    struct stat st;
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) {
        return st.st_size;
    }
    DIR *d = connections <= MAX_LISTED_FDS ? opendir("/proc/self/fd") : NULL;
    if (d == NULL) {
        return -1;
    }
    int64_t n = -3; /* ".", ".." and the one of this listing */
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n;
}

/* Start of the process: ticks since boot, field 22 of /proc/self/stat (proc(5)), against the clock
 * that counts from boot. */
static double start_time(void)
{
    char text[1024];
    struct timespec boot;
    if (!read_text("/proc/self/stat", text, sizeof(text)) ||
        clock_gettime(CLOCK_BOOTTIME, &boot) != 0) {
        return -1;
    }
    char *p = strrchr(text, ')'); /* the name before it may hold anything */
    for (int field = 2; p != NULL && field < 22; field++) {
        p = strchr(p + 1, ' ');
    }
    unsigned long long ticks;
    if (p == NULL || sscanf(p, "%llu", &ticks) != 1) {
        return -1;
    }
    double age_s = (double)boot.tv_sec + (double)boot.tv_nsec / 1e9 -
                   (double)ticks / (double)sysconf(_SC_CLK_TCK);
    return (double)clk_wall_ms() / 1000.0 - age_s;
}

void admin_process_read(struct admin_process *p, uint64_t connections)
{
    *p = (struct admin_process){-1, -1, -1, -1, -1, -1};
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        p->cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }
    char text[256];
    long long pages;
    long long resident;
    if (read_text("/proc/self/statm", text, sizeof(text)) &&
        sscanf(text, "%lld %lld", &pages, &resident) == 2) {
        p->virtual_bytes = pages * sysconf(_SC_PAGESIZE);
        p->resident_bytes = resident * sysconf(_SC_PAGESIZE);
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        p->max_fds = (int64_t)limit.rlim_cur;
    }
    p->open_fds = count_fds(connections);
    p->start_s = start_time();
}
