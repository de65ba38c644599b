/* SPDX-License-Identifier: Apache-2.0 */
/* The hand-off. libfcgi would block a thread on each kept-alive connection, so we accept and wait
 * ourselves, and give it a connection only when there is something to read. */
#include "fcgi/server_own.h"

#include "common/base/clk.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* A poller that is busy for longer gets a replacement. */
#define STUCK_MS 200
/* When the next tick is wanted: usually, and with slow senders waiting. */
#define TICK_MS  250
#define HURRY_MS 10

/* ---- jobs ---- */

static struct server_job *new_job(struct server *s)
{
    struct server_job *j = mem_zalloc(sizeof(*j));
    pthread_mutex_init(&j->lock, NULL);
    j->twin = -1;
    j->state = s->opts.job_new(s->opts.arg);
    FCGX_InitRequest(&j->request, -1, 0);
    pthread_mutex_lock(&s->lock);
    j->all = s->all_jobs;
    s->all_jobs = j;
    pthread_mutex_unlock(&s->lock);
    return j;
}

static struct server_job *take_job(struct server *s)
{
    pthread_mutex_lock(&s->lock);
    struct server_job *j = s->free_jobs;
    if (j != NULL) {
        s->free_jobs = j->next;
    }
    pthread_mutex_unlock(&s->lock);
    return j != NULL ? j : new_job(s);
}

static void give_job(struct server *s, struct server_job *j)
{
    pthread_mutex_lock(&s->lock);
    j->next = s->free_jobs;
    s->free_jobs = j;
    pthread_mutex_unlock(&s->lock);
}

/* Leaves a request to an idle thread; false when there is none. */
static bool push_ready(struct server *s, struct server_job *j)
{
    pthread_mutex_lock(&s->lock);
    bool is_taken = s->idle > s->ready_count;
    if (is_taken) {
        j->next = NULL;
        *s->ready_end = j;
        s->ready_end = &j->next;
        s->ready_count++;
        pthread_cond_signal(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
    return is_taken;
}

/* Under the lock. */
static struct server_job *shift_ready(struct server *s)
{
    struct server_job *j = s->ready_jobs;
    if (j != NULL) {
        s->ready_jobs = j->next;
        s->ready_end = s->ready_jobs != NULL ? s->ready_end : &s->ready_jobs;
        s->ready_count--;
    }
    return j;
}

void server_set_deadline(struct server_job *j, int64_t ms)
{
    int64_t deadline = clk_mono_ms() + ms;
    pthread_mutex_lock(&j->lock);
    j->deadline_ms = deadline;
    pthread_mutex_unlock(&j->lock);
}

void server_no_keep(struct server_job *j)
{
    j->is_kept = false;
}

static void watch(struct server_job *j, int twin)
{
    int64_t now = clk_mono_ms();
    pthread_mutex_lock(&j->lock);
    j->twin = twin;
    j->since_ms = now;
    j->deadline_ms = now + SERVER_READ_MS;
    pthread_mutex_unlock(&j->lock);
}

static void unwatch(struct server_job *j)
{
    pthread_mutex_lock(&j->lock);
    j->twin = -1;
    pthread_mutex_unlock(&j->lock);
}

static void cut_off_if_late(struct server_job *j, int64_t now)
{
    pthread_mutex_lock(&j->lock);
    if (j->twin >= 0 && now > j->deadline_ms) {
        shutdown(j->twin, SHUT_RDWR);
        j->deadline_ms = INT64_MAX;
        log_warn(LOG_API, "a FastCGI peer was too slow and is cut off",
                 LOG_NUM("ms", now - j->since_ms));
    }
    pthread_mutex_unlock(&j->lock);
}

int64_t server_busy_ms(struct server *s)
{
    int64_t now = clk_mono_ms();
    int64_t longest = 0;
    pthread_mutex_lock(&s->lock);
    struct server_job *jobs = s->all_jobs;
    pthread_mutex_unlock(&s->lock);
    for (struct server_job *j = jobs; j != NULL; j = j->all) {
        pthread_mutex_lock(&j->lock);
        longest = j->twin >= 0 && now - j->since_ms > longest ? now - j->since_ms : longest;
        pthread_mutex_unlock(&j->lock);
    }
    return longest;
}

/* ---- one request ---- */

/* The request is over: the connection waits for the next one or is closed. */
static void release(struct server *s, struct server_job *j)
{
    struct conn *c = j->conn;
    bool fd_is_open = j->request.ipcFd >= 0;
    j->request.ipcFd = -1;
    unwatch(j);
    if (fd_is_open && j->is_kept && !atomic_load_explicit(&s->is_stopping, memory_order_relaxed)) {
        server__rearm(s, c);
    } else {
        server__close(s, c, fd_is_open);
    }
    give_job(s, j);
}

static void answer(struct server *s, struct server_job *j)
{
    s->opts.answer(j->state, &j->request);
    FCGX_Finish_r(&j->request);
    release(s, j);
}

/* Reads the request of a connection; NULL when none came. */
static struct server_job *begin(struct server *s, struct conn *c)
{
    struct server_job *j = take_job(s);
    FCGX_Request *r = &j->request;
    j->conn = c;
    watch(j, c->twin);
    r->ipcFd = c->fd;
    r->keepConnection = 1; /* else the implicit end of the former request closes it */
    j->is_kept = false;
    if (FCGX_Accept_r(r) != 0) {
        release(s, j);
        return NULL;
    }
    j->is_kept = r->keepConnection != 0;
    /* Closing is ours: the library would wait for the peer. */
    r->keepConnection = 1;
    j->step = s->opts.begin(j->state, j, r);
    return j;
}

/* ---- threads ---- */

static void run_alone(struct server_thread *t, struct server_job *j)
{
    t->server->opts.alone(t->state, j->state);
    answer(t->server, j);
}

static void run_conns(struct server_thread *t, struct conn *const *conns, size_t n)
{
    struct server *s = t->server;
    struct server_job *grouped[SERVER_GROUP_MAX];
    struct server_job *alone[SERVER_GROUP_MAX];
    void *states[SERVER_GROUP_MAX];
    size_t grouped_n = 0;
    size_t alone_n = 0;
    for (size_t i = 0; i < n; i++) {
        struct server_job *j = server__is_readable(s, conns[i]) ? begin(s, conns[i]) : NULL;
        if (j == NULL) {
            continue;
        }
        if (j->step == SERVER_GROUP) {
            states[grouped_n] = j->state;
            grouped[grouped_n++] = j;
        } else if (j->step == SERVER_ALONE) {
            alone[alone_n++] = j;
        } else {
            answer(s, j);
        }
    }
    if (grouped_n != 0) {
        s->opts.group(t->state, states, grouped_n);
    }
    for (size_t i = 0; i < grouped_n; i++) {
        answer(s, grouped[i]);
    }
    for (size_t i = 0; i < alone_n; i++) {
        if (!push_ready(s, alone[i])) {
            run_alone(t, alone[i]);
        }
    }
}

/* One turn of a poller; false when the server is to end and nothing is left to serve. */
static bool poll_once(struct server_thread *t)
{
    struct server *s = t->server;
    struct epoll_event events[SERVER_GROUP_MAX];
    struct conn *conns[SERVER_GROUP_MAX];
    size_t n = 0;
    int count = epoll_wait(s->epoll, events, SERVER_GROUP_MAX, -1);
    atomic_store_explicit(&t->busy_since_ms, clk_mono_ms(), memory_order_relaxed);
    for (int i = 0; i < count; i++) {
        void *what = events[i].data.ptr;
        if (what == &s->opts) {
            server__accept(s);
        } else if (what != &s->stop_fd) {
            conns[n] = what;
            atomic_load_explicit(&conns[n]->turns, memory_order_acquire);
            conns[n++]->has_hung_up = (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
        }
    }
    if (n != 0) {
        run_conns(t, conns, n);
    }
    atomic_store_explicit(&t->busy_since_ms, 0, memory_order_relaxed);
    /* The stop event stays readable; when it comes alone, everything that had arrived is served. */
    return !(count == 1 && events[0].data.ptr == &s->stop_fd);
}

/* Waits until there is something to do other than polling; NULL: become a poller, or the end. */
static struct server_job *wait_ready(struct server *s)
{
    struct server_job *j = NULL;
    pthread_mutex_lock(&s->lock);
    s->idle++;
    while ((j = shift_ready(s)) == NULL &&
           atomic_load(&s->pollers) >= atomic_load(&s->pollers_wanted) &&
           !atomic_load(&s->is_stopping)) {
        pthread_cond_wait(&s->work, &s->lock);
    }
    s->idle--;
    if (j == NULL) {
        atomic_fetch_add(&s->pollers, 1);
    }
    pthread_mutex_unlock(&s->lock);
    return j;
}

static void *run(void *arg)
{
    struct server_thread *t = arg;
    struct server *s = t->server;
    bool goes_on = true;
    while (goes_on) {
        struct server_job *j = wait_ready(s);
        if (j != NULL) {
            run_alone(t, j);
            continue;
        }
        do {
            goes_on = poll_once(t);
        } while (goes_on && atomic_load_explicit(&s->pollers, memory_order_relaxed) <=
                                atomic_load_explicit(&s->pollers_wanted, memory_order_relaxed));
        atomic_fetch_sub(&s->pollers, 1);
    }
    return NULL;
}

/* Half of the threads poll. A poller that is kept busy, by a slow peer or a slow Redis, does not
 * count. */
static void adjust_pollers(struct server *s, int64_t now)
{
    size_t wanted = (s->opts.threads + 1) / 2;
    for (size_t i = 0; i < s->started; i++) {
        int64_t since = atomic_load_explicit(&s->threads[i].busy_since_ms, memory_order_relaxed);
        wanted += since != 0 && now - since > STUCK_MS;
    }
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->pollers_wanted, wanted);
    if (atomic_load(&s->pollers) < wanted) {
        pthread_cond_broadcast(&s->work);
    }
    pthread_mutex_unlock(&s->lock);
}

int64_t server_tick(struct server *s)
{
    int64_t now = clk_mono_ms();
    pthread_mutex_lock(&s->lock);
    struct server_job *jobs = s->all_jobs; /* grows at its head only */
    pthread_mutex_unlock(&s->lock);
    for (struct server_job *j = jobs; j != NULL; j = j->all) {
        cut_off_if_late(j, now);
    }
    adjust_pollers(s, now);
    return server__unpark(s) ? HURRY_MS : TICK_MS;
}

static int start_thread(struct server *s, struct err *e)
{
    struct server_thread *t = &s->threads[s->started];
    t->server = s;
    t->state = s->opts.thread_new(s->opts.arg);
    int rc = pthread_create(&t->thread, NULL, run, t);
    if (rc != 0) {
        s->opts.thread_free(t->state);
        return err_set(e, ERR_IO, "cannot start a thread: %s", strerror(rc));
    }
    s->started++;
    return 0;
}

static int set_up(struct server *s, struct err *e)
{
    int flags = fcntl(s->opts.listener, F_GETFL);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event listener = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = &s->opts};
    struct epoll_event stop = {.events = EPOLLIN, .data.ptr = &s->stop_fd};
    if (s->epoll < 0 || s->stop_fd < 0 ||
        fcntl(s->opts.listener, F_SETFL, flags | O_NONBLOCK) != 0 ||
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->stop_fd, &stop) != 0 ||
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->opts.listener, &listener) != 0) {
        return err_set(e, ERR_IO, "cannot wait on the listening socket: %s", strerror(errno));
    }
    return 0;
}

struct server *server_new(const struct server_opts *opts, struct err *e)
{
    struct server *s = mem_zalloc(sizeof(*s));
    s->opts = *opts;
    s->epoll = s->stop_fd = -1;
    s->ready_end = &s->ready_jobs;
    s->strangers = (struct log_limit){.period_ms = 10000, .burst = 1};
    list_init(&s->conns);
    list_init(&s->parked);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->work, NULL);
    atomic_store(&s->pollers_wanted, (opts->threads + 1) / 2);
    s->threads = mem_zalloc(opts->threads * sizeof(*s->threads));
    int rc = set_up(s, e);
    while (rc == 0 && s->started < opts->threads) {
        rc = start_thread(s, e);
    }
    if (rc != 0) {
        server_free(s);
        return NULL;
    }
    return s;
}

static void free_jobs(struct server *s)
{
    while (s->all_jobs != NULL) {
        struct server_job *j = s->all_jobs;
        s->all_jobs = j->all;
        FCGX_Free(&j->request, 0);
        s->opts.job_free(j->state);
        pthread_mutex_destroy(&j->lock);
        free(j);
    }
}

static void close_all(struct server *s)
{
    const int fds[] = {s->epoll, s->stop_fd};
    while (!list_is_empty(&s->conns)) {
        server__close(s, LIST_ENTRY(s->conns.next, struct conn, node), true);
    }
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

void server_free(struct server *s)
{
    if (s == NULL) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->is_stopping, true);
    pthread_cond_broadcast(&s->work);
    pthread_mutex_unlock(&s->lock);
    if (s->started != 0) {
        epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->opts.listener, NULL);
        eventfd_write(s->stop_fd, 1);
    }
    for (size_t i = 0; i < s->started; i++) {
        pthread_join(s->threads[i].thread, NULL);
        s->opts.thread_free(s->threads[i].state);
    }
    free_jobs(s);
    close_all(s);
    pthread_cond_destroy(&s->work);
    pthread_mutex_destroy(&s->lock);
    free(s->threads);
    free(s);
}
