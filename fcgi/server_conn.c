/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: accepting, waiting, closing. */
#include "fcgi/server_own.h"

#include "common/base/clk.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "fcgi/records.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ACCEPT_BURST 16
#define QUICK_LOOKS  16
#define WRITE_S      2
#define PEEK_BYTES   4096
void server__close(struct server *s, struct conn *c, bool fd_is_open)
{
    pthread_mutex_lock(&s->lock);
    list_unlink(&c->node);
    list_unlink(&c->parked);
    pthread_mutex_unlock(&s->lock);
    if (fd_is_open) {
        close(c->fd);
    }
    close(c->twin);
    free(c);
}

static void arm(struct server *s, int fd, void *what)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = what};
    epoll_ctl(s->epoll, EPOLL_CTL_MOD, fd, &ev);
}

void server__rearm(struct server *s, struct conn *c)
{
    int fd = c->fd;
    atomic_fetch_add_explicit(&c->turns, 1, memory_order_release);
    arm(s, fd, c);
}

static void set_up_socket(int fd)
{
    struct timeval read_limit = {.tv_sec = SERVER_READ_MS / 1000};
    struct timeval write_limit = {.tv_sec = WRITE_S};
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &read_limit, sizeof(read_limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &write_limit, sizeof(write_limit));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
               sizeof(one)); /* fails harmlessly on a Unix socket */
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
    list_init(&c->parked);
    pthread_mutex_lock(&s->lock);
    list_append(&s->conns, &c->node);
    pthread_mutex_unlock(&s->lock);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = c};
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
        server__close(s, c, true);
        return false;
    }
    return true;
}

void server__accept(struct server *s)
{
    for (int i = 0; i < ACCEPT_BURST; i++) {
        int fd = accept4(s->opts.listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0 ? add_conn(s, fd) : errno == ECONNABORTED || errno == EINTR) {
            continue;
        }
        if (fd >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
            /* Too many open files and the like: with the listener armed this would be a busy loop.
             */
            log_error(LOG_API, "cannot accept FastCGI connections, trying again shortly",
                      LOG_STR("error", strerror(errno)));
            atomic_store(&s->must_rearm, true);
            return;
        }
        break;
    }
    arm(s, s->opts.listener, &s->opts);
}

/* Looks at what has arrived, without taking it. Most requests fit into the first look. */
static enum records_state peek(const struct conn *c)
{
    unsigned char first[PEEK_BYTES];
    struct buf scratch = {0};
    ssize_t n = recv(c->fd, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
    if (n <= 0) {
        bool is_gone = n == 0 || (errno != EAGAIN && errno != EINTR);
        return is_gone ? RECORDS_GARBAGE : RECORDS_PARTIAL;
    }
    enum records_state state = records_check(first, (size_t)n, &scratch);
    if (state == RECORDS_PARTIAL && (size_t)n == sizeof(first)) {
        unsigned char *all = mem_alloc(RECORDS_MAX_HEAD + 1);
        n = recv(c->fd, all, RECORDS_MAX_HEAD + 1, MSG_PEEK | MSG_DONTWAIT);
        state = records_check(all, n > 0 ? (size_t)n : 0, &scratch);
        free(all);
    }
    buf_free(&scratch);
    return state;
}

/* The rest mostly follows at once; whoever takes longer waits for server_tick. False when it will
 * not come any more. */
static bool wait_for_rest(struct server *s, struct conn *c)
{
    int64_t now = clk_mono_ms();
    c->since_ms = c->since_ms != 0 ? c->since_ms : now;
    if (c->has_hung_up || now - c->since_ms > SERVER_READ_MS) {
        return false;
    }
    if (c->looks < QUICK_LOOKS) {
        c->looks++;
        server__rearm(s, c);
        return true;
    }
    pthread_mutex_lock(&s->lock);
    list_append(&s->parked, &c->parked);
    pthread_mutex_unlock(&s->lock);
    return true;
}

/* A web server that is set up for another protocol shows 502 to its users, and its own log does not
 * know why. Says nothing when the peer just went away. */
static void log_stranger(struct server *s, const struct conn *c)
{
    char first;
    uint32_t suppressed = 0;
    if (recv(c->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    bool passes = log_limit_pass(&s->strangers, clk_mono_ms(), &suppressed);
    pthread_mutex_unlock(&s->lock);
    if (passes) {
        bool is_http = first >= 'A' && first <= 'Z';
        log_warn(LOG_API, "connection closed: what it sent is no FastCGI",
                 LOG_STR("advice", is_http ? "it speaks HTTP; in nginx: fastcgi_pass instead of "
                                             "proxy_pass"
                                           : "the web server has to speak FastCGI to this socket"),
                 LOG_NUM("suppressed", suppressed));
    }
}

bool server__is_readable(struct server *s, struct conn *c)
{
    switch (peek(c)) {
    case RECORDS_READY:
        c->since_ms = 0;
        c->looks = 0;
        return true;
    case RECORDS_PARTIAL:
        if (wait_for_rest(s, c)) {
            return false;
        }
        break;
    case RECORDS_GARBAGE:
        log_stranger(s, c);
        break;
    }
    server__close(s, c, true);
    return false;
}

bool server__unpark(struct server *s)
{
    pthread_mutex_lock(&s->lock);
    bool had_any = !list_is_empty(&s->parked);
    LIST_FOR_EACH_SAFE(e, &s->parked)
    {
        struct conn *c = LIST_ENTRY(e, struct conn, parked);
        list_unlink(&c->parked);
        server__rearm(s, c);
    }
    pthread_mutex_unlock(&s->lock);
    if (atomic_exchange(&s->must_rearm, false)) {
        arm(s, s->opts.listener, &s->opts);
    }
    return had_any;
}
