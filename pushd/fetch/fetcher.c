/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP requests to others, run by a helper thread. */
#include "pushd/fetch/fetcher.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/list.h"
#include "common/base/mem.h"

/* Requests beyond wait inside of libcurl. */
#define MAX_CONNECTIONS 16L
#define IDLE_WAIT_MS    60000 /* it is woken for work */

struct job {
    struct list link;
    struct fetch *fetch;
    struct fetcher_ask ask;
};

struct fetcher {
    struct ev_loop *loop;
    ev_async ended;
    pthread_t thread;
    CURLM *multi;         /* the thread's, but for curl_multi_wakeup */
    struct list running;  /* the thread's */
    pthread_mutex_t lock; /* of the rest */
    struct list waiting;
    struct list done;
    bool is_stopping;
};

static void free_jobs(struct list *jobs)
{
    struct list *e;
    while ((e = list_shift(jobs)) != NULL) {
        struct job *j = LIST_ENTRY(e, struct job, link);
        fetch_free(j->fetch);
        free(j);
    }
}

/* ---- the helper thread ---- */

static void finish(struct fetcher *f, struct job *j, CURLcode code)
{
    curl_multi_remove_handle(f->multi, fetch_handle(j->fetch));
    fetch_ended(j->fetch, code);
    j->ask.read(j->ask.arg, j->fetch);
    list_unlink(&j->link);
    pthread_mutex_lock(&f->lock);
    list_append(&f->done, &j->link);
    pthread_mutex_unlock(&f->lock);
    ev_async_send(f->loop, &f->ended);
}

static void begin(struct fetcher *f, struct job *j)
{
    CURL *curl = fetch_handle(j->fetch);
    list_append(&f->running, &j->link);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, j);
    if (curl_multi_add_handle(f->multi, curl) != CURLM_OK) {
        finish(f, j, CURLE_FAILED_INIT);
    }
}

/* False when it is time to end. */
static bool take_waiting(struct fetcher *f)
{
    struct list taken;
    list_init(&taken);
    pthread_mutex_lock(&f->lock);
    bool goes_on = !f->is_stopping;
    list_move_all(&taken, &f->waiting);
    pthread_mutex_unlock(&f->lock);
    struct list *e;
    while ((e = list_shift(&taken)) != NULL) {
        begin(f, LIST_ENTRY(e, struct job, link));
    }
    return goes_on;
}

static void take_ended(struct fetcher *f)
{
    int left;
    CURLMsg *m;
    while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
        char *job = NULL;
        if (m->msg == CURLMSG_DONE &&
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &job) == CURLE_OK) {
            finish(f, (struct job *)(void *)job, m->data.result);
        }
    }
}

static void *thread_main(void *arg)
{
    struct fetcher *f = arg;
    while (take_waiting(f)) {
        int running = 0;
        curl_multi_perform(f->multi, &running);
        take_ended(f);
        curl_multi_poll(f->multi, NULL, 0, IDLE_WAIT_MS, NULL);
    }
    LIST_FOR_EACH(e, &f->running)
    {
        curl_multi_remove_handle(f->multi, fetch_handle(LIST_ENTRY(e, struct job, link)->fetch));
    }
    return NULL;
}

/* ---- the loop ---- */

static void on_ended(struct ev_loop *loop, ev_async *w, int events)
{
    (void)loop;
    (void)events;
    struct fetcher *f = w->data;
    struct list ended;
    list_init(&ended);
    pthread_mutex_lock(&f->lock);
    list_move_all(&ended, &f->done);
    pthread_mutex_unlock(&f->lock);
    struct list *e;
    while ((e = list_shift(&ended)) != NULL) {
        struct job *j = LIST_ENTRY(e, struct job, link);
        j->ask.done(j->ask.arg, j->fetch);
        fetch_free(j->fetch);
        free(j);
    }
}

bool fetcher_start(struct fetcher *f, const struct fetcher_ask *ask)
{
    struct fetch *fetch = fetch_new(&ask->spec);
    if (fetch == NULL) {
        return false;
    }
    struct job *j = mem_zalloc(sizeof(*j));
    j->fetch = fetch;
    j->ask = *ask;
    pthread_mutex_lock(&f->lock);
    list_append(&f->waiting, &j->link);
    pthread_mutex_unlock(&f->lock);
    curl_multi_wakeup(f->multi);
    return true;
}

static int start_thread(struct fetcher *f)
{
    /* Signals belong to the thread that runs the loop. */
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&f->thread, NULL, thread_main, f);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0) {
        pthread_setname_np(f->thread, "fetcher");
    }
    return rc;
}

struct fetcher *fetcher_new(struct ev_loop *loop, struct err *e)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err_set(e, ERR_UNAVAILABLE, "libcurl cannot be used");
        return NULL;
    }
    struct fetcher *f = mem_zalloc(sizeof(*f));
    f->loop = loop;
    list_init(&f->running);
    list_init(&f->waiting);
    list_init(&f->done);
    pthread_mutex_init(&f->lock, NULL);
    f->multi = curl_multi_init();
    if (f->multi == NULL ||
        curl_multi_setopt(f->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, MAX_CONNECTIONS) != CURLM_OK) {
        err_set(e, ERR_UNAVAILABLE, "libcurl cannot be used");
        goto fail;
    }
    ev_async_init(&f->ended, on_ended);
    f->ended.data = f;
    ev_async_start(loop, &f->ended);
    int rc = start_thread(f);
    if (rc == 0) {
        return f;
    }
    ev_async_stop(loop, &f->ended);
    err_set(e, ERR_UNAVAILABLE, "cannot start a thread for requests: %s", strerror(rc));
fail:
    curl_multi_cleanup(f->multi);
    pthread_mutex_destroy(&f->lock);
    free(f);
    curl_global_cleanup();
    return NULL;
}

void fetcher_free(struct fetcher *f)
{
    if (f == NULL) {
        return;
    }
    pthread_mutex_lock(&f->lock);
    f->is_stopping = true;
    pthread_mutex_unlock(&f->lock);
    curl_multi_wakeup(f->multi);
    pthread_join(f->thread, NULL);
    ev_async_stop(f->loop, &f->ended);
    free_jobs(&f->running);
    free_jobs(&f->waiting);
    free_jobs(&f->done);
    curl_multi_cleanup(f->multi);
    pthread_mutex_destroy(&f->lock);
    free(f);
    curl_global_cleanup();
}
