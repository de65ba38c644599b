/* SPDX-License-Identifier: Apache-2.0 */
/* One epoll set with one precise alarm. */
#include "tests/bench/poller.h"

#include "tests/bench/util.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Small enough that a publication which falls due in the middle of a fan-out is not kept waiting
 * for long. */
#define BATCH 64

static void timer_ready(struct source *s, uint32_t events)
{
    /* The caller compares the clock; setting the timer again clears the expiry. */
    (void)s;
    (void)events;
}

void poller_init(struct poller *p)
{
    memset(p, 0, sizeof(*p));
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    p->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (p->epoll_fd < 0 || p->timer_fd < 0)
        die("cannot create an epoll set: %s", strerror(errno));
    p->timer.ready = timer_ready;
    poller_add(p, p->timer_fd, &p->timer, EPOLLIN);
}

void poller_fini(struct poller *p)
{
    close(p->epoll_fd);
    close(p->timer_fd);
}

void poller_add(struct poller *p, int fd, struct source *s, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = s};
    if (epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

void poller_change(struct poller *p, int fd, struct source *s, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = s};
    if (epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, fd, &ev) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

static void arm(struct poller *p, uint64_t until_ns)
{
    if (p->armed_ns == until_ns)
        return;
    p->armed_ns = until_ns;
    struct itimerspec its = {.it_value = {.tv_sec = (time_t)(until_ns / NS_PER_SEC),
                                          .tv_nsec = (long)(until_ns % NS_PER_SEC)}};
    if (timerfd_settime(p->timer_fd, TFD_TIMER_ABSTIME, &its, NULL) < 0)
        die("timerfd_settime: %s", strerror(errno));
}

void poller_run(struct poller *p, uint64_t until_ns)
{
    struct epoll_event ev[BATCH];
    arm(p, until_ns);
    int n = epoll_wait(p->epoll_fd, ev, BATCH, -1);
    if (n < 0 && errno != EINTR)
        die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct source *s = ev[i].data.ptr;
        s->ready(s, ev[i].events);
    }
}
