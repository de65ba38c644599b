/* SPDX-License-Identifier: Apache-2.0 */
/* One epoll set with one precise alarm; used by one thread. */
#pragma once

#include <stdint.h>

/* First member of everything that waits for a descriptor. */
struct source {
    void (*ready)(struct source *s, uint32_t events);
};

struct poller {
    int epoll_fd;
    int timer_fd;
    uint64_t armed_ns; /* what the timer is set to */
    struct source timer;
};

void poller_init(struct poller *p);
void poller_fini(struct poller *p);
/* Closing the descriptor removes it. */
void poller_add(struct poller *p, int fd, struct source *s, uint32_t events);
void poller_change(struct poller *p, int fd, struct source *s, uint32_t events);
/* Waits for events or the absolute time, whichever is first, and calls one batch of sources. A
   timerfd is the clock, because the timeout of epoll_wait has whole milliseconds and a slack that
   would be charged to the server as latency. */
void poller_run(struct poller *p, uint64_t until_ns);
