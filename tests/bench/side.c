/* SPDX-License-Identifier: Apache-2.0 */
/* One contestant's thread, and the hand-over of tasks to it. */
#include "tests/bench/side.h"

#include "tests/bench/util.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static void *side_main(void *arg)
{
    struct side *s = arg;
    /* A table of its own also spares each system call the counting of shared descriptors. */
    if (unshare(CLONE_FILES) < 0)
        die("cannot have a descriptor table per thread: %s", strerror(errno));
    poller_init(&s->poller);
    pthread_mutex_lock(&s->lock);
    while (!s->ends) {
        if (!s->task) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        pthread_mutex_unlock(&s->lock);
        s->task(s->task_arg);
        pthread_mutex_lock(&s->lock);
        s->task = NULL;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
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
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    int rc = pthread_create(&s->thread, NULL, side_main, s);
    if (rc)
        die("cannot start a thread: %s", strerror(rc));
}

void side_call(struct side *s, task_fn fn, void *arg)
{
    pthread_mutex_lock(&s->lock);
    s->task = fn;
    s->task_arg = arg;
    pthread_cond_broadcast(&s->changed);
    while (s->task)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

void side_stop(struct side *s)
{
    pthread_mutex_lock(&s->lock);
    s->ends = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s->payload);
    memset(s, 0, sizeof(*s));
}
