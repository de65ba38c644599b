/* SPDX-License-Identifier: Apache-2.0 */
/* Host names to addresses, asked by a thread. */
#include "pushd/control/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/mem.h"

/* Two owners: the loop and the thread. The last one frees. */
struct resolve {
    _Atomic int owners;
    struct ev_loop *loop;
    ev_async done;
    ev_timer failed; /* when no thread could be started */
    resolve_fn fn;
    void *arg;
    char *host;
    /* Of the thread, read by the loop after `done`. */
    char addresses[RESOLVE_ADDRESS_MAX][RESOLVE_TEXT_MAX];
    size_t n;
    const char *error;
    /* Guards the loop's watcher against a thread that ends after resolve_cancel. */
    pthread_mutex_t lock;
    bool is_canceled;
};

bool resolve_is_numeric(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static void release(struct resolve *r)
{
    if (atomic_fetch_sub(&r->owners, 1) == 1) {
        pthread_mutex_destroy(&r->lock);
        free(r->host);
        free(r);
    }
}

static void look_up(struct resolve *r)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(r->host, NULL, &hints, &list);
    if (rc != 0) {
        r->error = rc == EAI_NONAME ? "no such host" : gai_strerror(rc);
        return;
    }
    for (const struct addrinfo *a = list; a != NULL && r->n < RESOLVE_ADDRESS_MAX; a = a->ai_next) {
        if (getnameinfo(a->ai_addr, a->ai_addrlen, r->addresses[r->n], RESOLVE_TEXT_MAX, NULL, 0,
                        NI_NUMERICHOST) == 0) {
            r->n++;
        }
    }
    r->error = r->n == 0 ? "no such host" : NULL;
    freeaddrinfo(list);
}

static void *thread_main(void *arg)
{
    struct resolve *r = arg;
    look_up(r);
    pthread_mutex_lock(&r->lock);
    if (!r->is_canceled) {
        ev_async_send(r->loop, &r->done);
    }
    pthread_mutex_unlock(&r->lock);
    release(r);
    return NULL;
}

/* Takes the watchers off the loop, which the thread must not touch from then on. */
static void leave_loop(struct resolve *r)
{
    pthread_mutex_lock(&r->lock);
    r->is_canceled = true;
    pthread_mutex_unlock(&r->lock);
    ev_async_stop(r->loop, &r->done);
    ev_timer_stop(r->loop, &r->failed);
}

static void finish(struct resolve *r)
{
    leave_loop(r);
    r->fn(r->arg, r->addresses, r->n, r->error);
    release(r);
}

static void on_done(struct ev_loop *loop, ev_async *w, int events)
{
    (void)loop;
    (void)events;
    finish(w->data);
}

static void on_failed(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)events;
    finish(t->data);
}

struct resolve *resolve_start(struct ev_loop *loop, const char *host, resolve_fn fn, void *arg)
{
    struct resolve *r = mem_zalloc(sizeof(*r));
    atomic_init(&r->owners, 2);
    r->loop = loop;
    r->fn = fn;
    r->arg = arg;
    r->host = mem_strdup(host);
    pthread_mutex_init(&r->lock, NULL);
    ev_async_init(&r->done, on_done);
    r->done.data = r;
    ev_async_start(loop, &r->done);
    ev_timer_init(&r->failed, on_failed, 0., 0.);
    r->failed.data = r;

    /* Signals belong to the thread that runs the loop. */
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, thread_main, r) != 0) {
        r->error = "no thread for the look-up";
        release(r);
        ev_timer_start(loop, &r->failed);
    }
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

void resolve_cancel(struct resolve *r)
{
    if (r != NULL) {
        leave_loop(r);
        release(r);
    }
}
