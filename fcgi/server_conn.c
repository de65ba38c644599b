/* SPDX-License-Identifier: Apache-2.0 */
/* Connections: accepting, waiting, closing. */
#include "fcgi/server_own.h"

#include "common/base/clk.h"
#include "common/base/log.h"
#include "common/base/mem.h"

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
#define WRITE_S      2
#define PEEK_BYTES   8192
/* FastCGI records (specification, 3.3). */
#define RECORD_HEAD_BYTES 8
#define RECORD_VERSION    1
#define RECORD_BEGIN      1
#define RECORD_PARAMS     4

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
    arm(s, c->fd, c);
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

enum head { HEAD_PARTIAL, HEAD_READY, HEAD_GARBAGE };

/* Whether the bytes hold all parameters of a request, up to the empty PARAMS record that ends them. A connection that begins with
 * anything but a request is garbage: libfcgi leaks on malformed management records, and no web server sends any. */
static enum head look_at_head(const unsigned char *p, size_t n)
{
    size_t at = 0;
    while (n - at >= RECORD_HEAD_BYTES) {
        const unsigned char *head = p + at;
        size_t content = (size_t)head[4] << 8 | head[5];
        if (head[0] != RECORD_VERSION || (at == 0 && head[1] != RECORD_BEGIN)) {
            return HEAD_GARBAGE;
        }
        if (head[1] == RECORD_PARAMS && content == 0) {
            return HEAD_READY;
        }
        at += RECORD_HEAD_BYTES + content + head[6];
        if (at > n) {
            break;
        }
    }
    return n == PEEK_BYTES ? HEAD_READY : HEAD_PARTIAL;
}

static void park(struct server *s, struct conn *c)
{
    pthread_mutex_lock(&s->lock);
    c->since_ms = c->since_ms != 0 ? c->since_ms : clk_mono_ms();
    list_append(&s->parked, &c->parked);
    pthread_mutex_unlock(&s->lock);
}

bool server__is_readable(struct server *s, struct conn *c)
{
    unsigned char bytes[PEEK_BYTES];
    if (c->is_proven) {
        return true;
    }
    ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
    bool is_gone = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    enum head head = is_gone ? HEAD_GARBAGE : look_at_head(bytes, n > 0 ? (size_t)n : 0);
    if (head == HEAD_GARBAGE) {
        server__close(s, c, true);
    } else if (head == HEAD_PARTIAL) {
        park(s, c);
    }
    return head == HEAD_READY;
}

void server__unpark(struct server *s, int64_t now)
{
    pthread_mutex_lock(&s->lock);
    LIST_FOR_EACH_SAFE(e, &s->parked)
    {
        struct conn *c = LIST_ENTRY(e, struct conn, parked);
        list_unlink(&c->parked);
        if (now - c->since_ms > SERVER_READ_MS) {
            shutdown(c->twin, SHUT_RDWR); /* whoever takes it then finds its end */
        }
        arm(s, c->fd, c);
    }
    pthread_mutex_unlock(&s->lock);
    if (atomic_exchange(&s->must_rearm, false)) {
        arm(s, s->opts.listener, &s->opts);
    }
}
