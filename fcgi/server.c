/* SPDX-License-Identifier: Apache-2.0 */
/* The hand-off. libfcgi would block a thread on each kept-alive connection, so we accept and wait ourselves, and give it a
 * connection only when there is something to read. */
#include "fcgi/server.h"

#include "common/base/clk.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <fcgiapp.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ACCEPT_BURST 16
#define WRITE_S 2

struct conn {
    struct list node;
    int fd;
    /* A second descriptor of the same socket. libfcgi may close the first one at any time, whereupon its number can belong to
     * somebody else; this one stays ours, so that server_tick can shut the connection down from outside. */
    int twin;
};

struct server_worker {
    struct server *server;
    pthread_t thread;
    void *state;
    FCGX_Request request;
    bool is_kept;

    pthread_mutex_t lock; /* of the rest */
    int twin;             /* of the connection in work, else -1 */
    int64_t deadline_ms;
    int64_t since_ms;
};

struct server {
    struct server_opts opts;
    int epoll;
    int stop_fd;
    _Atomic bool is_stopping;
    _Atomic bool must_rearm; /* accepting paused for lack of descriptors */
    struct server_worker *workers;
    size_t started;

    pthread_mutex_t lock; /* of conns */
    struct list conns;
};

/* ---- who works on what ---- */

static void watch(struct server_worker *w, int twin, int64_t now, int64_t ms)
{
    pthread_mutex_lock(&w->lock);
    w->twin = twin;
    w->since_ms = now;
    w->deadline_ms = now + ms;
    pthread_mutex_unlock(&w->lock);
}

void server_set_deadline(struct server_worker *w, int64_t ms)
{
    int64_t deadline = clk_mono_ms() + ms;
    pthread_mutex_lock(&w->lock);
    w->deadline_ms = deadline;
    pthread_mutex_unlock(&w->lock);
}

void server_no_keep(struct server_worker *w)
{
    w->is_kept = false;
}

static void rearm(struct server *s, int fd, void *what)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = what};
    epoll_ctl(s->epoll, EPOLL_CTL_MOD, fd, &ev);
}

void server_tick(struct server *s)
{
    int64_t now = clk_mono_ms();
    for (size_t i = 0; i < s->started; i++) {
        struct server_worker *w = &s->workers[i];
        pthread_mutex_lock(&w->lock);
        if (w->twin >= 0 && now > w->deadline_ms) {
            shutdown(w->twin, SHUT_RDWR);
            w->deadline_ms = INT64_MAX;
            log_warn(LOG_API, "a FastCGI peer was too slow and is cut off", LOG_NUM("ms", now - w->since_ms));
        }
        pthread_mutex_unlock(&w->lock);
    }
    if (atomic_exchange(&s->must_rearm, false)) {
        rearm(s, s->opts.listener, &s->opts.listener);
    }
}

int64_t server_busy_ms(struct server *s)
{
    int64_t now = clk_mono_ms();
    int64_t longest = 0;
    for (size_t i = 0; i < s->started; i++) {
        struct server_worker *w = &s->workers[i];
        pthread_mutex_lock(&w->lock);
        if (w->twin >= 0 && now - w->since_ms > longest) {
            longest = now - w->since_ms;
        }
        pthread_mutex_unlock(&w->lock);
    }
    return longest;
}

/* ---- connections ---- */

/* fd_is_open: libfcgi has not closed it already. */
static void conn_close(struct server *s, struct conn *c, bool fd_is_open)
{
    pthread_mutex_lock(&s->lock);
    list_unlink(&c->node);
    pthread_mutex_unlock(&s->lock);
    if (fd_is_open) {
        close(c->fd);
    }
    close(c->twin);
    free(c);
}

static void set_up_socket(int fd)
{
    struct timeval read_limit = {.tv_sec = SERVER_READ_MS / 1000};
    struct timeval write_limit = {.tv_sec = WRITE_S};
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &read_limit, sizeof(read_limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &write_limit, sizeof(write_limit));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* fails harmlessly on a Unix socket */
}

static bool add_conn(struct server *s, int fd)
{
    int twin = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (twin < 0) {
        close(fd);
        return false;
    }
    set_up_socket(fd);
    struct conn *c = mem_zalloc(sizeof(*c));
    c->fd = fd;
    c->twin = twin;
    pthread_mutex_lock(&s->lock);
    list_append(&s->conns, &c->node);
    pthread_mutex_unlock(&s->lock);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = c};
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
        conn_close(s, c, true);
        return false;
    }
    return true;
}

static void accept_some(struct server *s)
{
    for (int i = 0; i < ACCEPT_BURST; i++) {
        int fd = accept4(s->opts.listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0 ? add_conn(s, fd) : errno == ECONNABORTED || errno == EINTR) {
            continue;
        }
        if (fd >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
            /* Too many open files and the like: with the listener armed this would be a busy loop. */
            log_error(LOG_API, "cannot accept FastCGI connections, trying again shortly", LOG_STR("error", strerror(errno)));
            atomic_store(&s->must_rearm, true);
            return;
        }
        break;
    }
    rearm(s, s->opts.listener, &s->opts.listener);
}

/* ---- threads ---- */

static void serve_conn(struct server_worker *w, struct conn *c)
{
    struct server *s = w->server;
    FCGX_Request *r = &w->request;
    watch(w, c->twin, clk_mono_ms(), SERVER_READ_MS);
    r->ipcFd = c->fd;
    r->keepConnection = 1; /* else the implicit end of the former request closes it */
    w->is_kept = false;
    if (FCGX_Accept_r(r) == 0) {
        w->is_kept = r->keepConnection != 0;
        /* Closing is ours: the library waits two seconds for the peer when it closes. */
        r->keepConnection = 1;
        s->opts.serve(w->state, w, r);
        FCGX_Finish_r(r);
    }
    bool fd_is_open = r->ipcFd >= 0;
    r->ipcFd = -1;
    pthread_mutex_lock(&w->lock);
    w->twin = -1;
    pthread_mutex_unlock(&w->lock);
    if (fd_is_open && w->is_kept && !atomic_load_explicit(&s->is_stopping, memory_order_relaxed)) {
        rearm(s, c->fd, c);
    } else {
        conn_close(s, c, fd_is_open);
    }
}

static void *run(void *arg)
{
    struct server_worker *w = arg;
    struct server *s = w->server;
    int stops = 0;
    /* The stop event stays readable for all threads. The kernel hands ready descriptors out in turn, so when it comes twice in a
     * row nothing else is ready: what had arrived is served. */
    while (stops < 2) {
        struct epoll_event ev;
        int n = epoll_wait(s->epoll, &ev, 1, -1);
        if (n != 1) {
            continue;
        }
        if (ev.data.ptr == &s->stop_fd) {
            stops++;
            continue;
        }
        stops = 0;
        if (ev.data.ptr == &s->opts.listener) {
            accept_some(s);
        } else {
            serve_conn(w, ev.data.ptr);
        }
    }
    return NULL;
}

static int start_worker(struct server *s, struct err *e)
{
    struct server_worker *w = &s->workers[s->started];
    w->server = s;
    w->twin = -1;
    pthread_mutex_init(&w->lock, NULL);
    w->state = s->opts.state_new(s->opts.arg);
    FCGX_InitRequest(&w->request, -1, 0);
    int rc = pthread_create(&w->thread, NULL, run, w);
    if (rc != 0) {
        s->opts.state_free(w->state);
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
    struct epoll_event listener = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = &s->opts.listener};
    struct epoll_event stop = {.events = EPOLLIN, .data.ptr = &s->stop_fd};
    if (s->epoll < 0 || s->stop_fd < 0 || fcntl(s->opts.listener, F_SETFL, flags | O_NONBLOCK) != 0 ||
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
    list_init(&s->conns);
    pthread_mutex_init(&s->lock, NULL);
    s->workers = mem_zalloc(opts->threads * sizeof(*s->workers));
    int rc = set_up(s, e);
    while (rc == 0 && s->started < opts->threads) {
        rc = start_worker(s, e);
    }
    if (rc != 0) {
        server_free(s);
        return NULL;
    }
    return s;
}

void server_free(struct server *s)
{
    if (s == NULL) {
        return;
    }
    atomic_store(&s->is_stopping, true);
    if (s->epoll >= 0 && s->stop_fd >= 0) {
        epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->opts.listener, NULL);
        eventfd_write(s->stop_fd, 1);
    }
    for (size_t i = 0; i < s->started; i++) {
        struct server_worker *w = &s->workers[i];
        pthread_join(w->thread, NULL);
        FCGX_Free(&w->request, 0);
        s->opts.state_free(w->state);
        pthread_mutex_destroy(&w->lock);
    }
    while (!list_is_empty(&s->conns)) {
        conn_close(s, LIST_ENTRY(s->conns.next, struct conn, node), true);
    }
    if (s->epoll >= 0) {
        close(s->epoll);
    }
    if (s->stop_fd >= 0) {
        close(s->stop_fd);
    }
    pthread_mutex_destroy(&s->lock);
    free(s->workers);
    free(s);
}
