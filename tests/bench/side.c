/* SPDX-License-Identifier: Apache-2.0 */
/* One contestant's thread, and the hand-over of tasks to it. */
#include "tests/bench/side.h"

#include "tests/bench/util.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void woken(struct source *source, uint32_t events)
{
    struct side *s = (struct side *)((char *)source - offsetof(struct side, wake));
    uint64_t count;
    (void)events;
    if (read(s->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        die("eventfd: %s", strerror(errno));
}

/* The next task, NULL when it is time to end. */
static task_fn wait_for_task(struct side *s)
{
    for (;;) {
        pthread_mutex_lock(&s->lock);
        task_fn task = s->task;
        bool ends = s->ends;
        pthread_mutex_unlock(&s->lock);
        if (task || ends)
            return ends ? NULL : task;
        poller_run(&s->poller, now_ns() + NS_PER_SEC);
    }
}

static void *side_main(void *arg)
{
    struct side *s = arg;
    /* A table of its own also spares each system call the counting of shared descriptors. */
    if (unshare(CLONE_FILES) < 0)
        die("cannot have a descriptor table per thread: %s", strerror(errno));
    poller_init(&s->poller);
    poller_add(&s->poller, s->wake_fd, &s->wake, EPOLLIN);
    for (task_fn task; (task = wait_for_task(s));) {
        task(s->task_arg);
        pthread_mutex_lock(&s->lock);
        s->task = NULL;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
    }
    if (s->fleet.conns)
        fleet_fini(&s->fleet);
    if (s->pub)
        s->pub->free(s->pub);
    poller_fini(&s->poller);
    return NULL;
}

void side_start(struct side *s, size_t payload_bytes)
{
    s->payload_bytes = payload_bytes;
    s->payload = xcalloc(1, payload_bytes);
    s->wake.ready = woken;
    s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->wake_fd < 0)
        die("eventfd: %s", strerror(errno));
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    int rc = pthread_create(&s->thread, NULL, side_main, s);
    if (rc)
        die("cannot start a thread: %s", strerror(rc));
}

static void wake(struct side *s)
{
    uint64_t one = 1;
    if (write(s->wake_fd, &one, sizeof(one)) < 0)
        die("eventfd: %s", strerror(errno));
}

void side_call(struct side *s, task_fn fn, void *arg)
{
    pthread_mutex_lock(&s->lock);
    s->task = fn;
    s->task_arg = arg;
    wake(s);
    while (s->task)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

void side_stop(struct side *s)
{
    pthread_mutex_lock(&s->lock);
    s->ends = true;
    wake(s);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    close(s->wake_fd);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s->payload);
    memset(s, 0, sizeof(*s));
}
