/* SPDX-License-Identifier: Apache-2.0 */
/* The yardstick's process: one bare send() per connection. */
#include "tests/bench/fleet.h"
#include "tests/bench/floor.h"
#include "tests/bench/payload.h"
#include "tests/bench/token.h"
#include "tests/bench/util.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ORDER_MAX (128 * 1024)
#define CONTROL   0xffffffffu
#define LISTENER  0xfffffffeu

struct yard {
    const struct floor_opts *opts;
    int epoll_fd, listener, control;
    int *fd;       /* in the order of accept; -1 when gone */
    uint8_t *step; /* of the handshake: how many messages were answered */
    uint32_t count, cap;
    char upgrade[256];
    uint8_t reply[2][256]; /* frames: with --wait-connect one each, else both in the first */
    size_t reply_bytes[2];
};

/* Reply {1: id, FIELD: {}}, with its length before it. */
static size_t reply_pb_put(char *out, uint8_t id, uint8_t field)
{
    const char bytes[] = {4, 1 << 3, (char)id, (char)(field << 3 | 2), 0};
    memcpy(out, bytes, sizeof(bytes));
    return sizeof(bytes);
}

static void prepare_answers(struct yard *y)
{
    char accept[32], text[2][128], both[256];
    size_t n[2];
    bool pb = y->opts->is_protobuf;
    accept_put(accept, FLEET_WS_KEY);
    snprintf(y->upgrade, sizeof(y->upgrade),
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n%s\r\n",
             accept, pb ? "Sec-WebSocket-Protocol: centrifuge-protobuf\r\n" : "");
    if (pb) {
        n[0] = reply_pb_put(text[0], 1, 5);
        n[1] = reply_pb_put(text[1], 2, 6);
    } else {
        n[0] = (size_t)snprintf(text[0], sizeof(text[0]), "{\"id\":1,\"connect\":{}}");
        n[1] = (size_t)snprintf(text[1], sizeof(text[1]), "{\"id\":2,\"subscribe\":{}}");
    }
    size_t total = n[0];
    memcpy(both, text[0], n[0]);
    if (!y->opts->waits_for_connect) {
        if (!pb)
            both[total++] = '\n';
        memcpy(both + total, text[1], n[1]);
        total += n[1];
    }
    uint8_t opcode = pb ? 2 : 1;
    size_t header = ws_header_put(y->reply[0], opcode, total);
    memcpy(y->reply[0] + header, both, total);
    y->reply_bytes[0] = header + total;
    header = ws_header_put(y->reply[1], opcode, n[1]);
    memcpy(y->reply[1] + header, text[1], n[1]);
    y->reply_bytes[1] = header + n[1];
}

static void watch(struct yard *y, int fd, uint32_t id)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = id};
    if (epoll_ctl(y->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        die("the floor cannot watch a descriptor: %s", strerror(errno));
}

static void accept_all(struct yard *y)
{
    int on = 1;
    for (;;) {
        int fd = accept4(y->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE))
            die("the floor has no descriptors left after %u connections", y->count);
        if (fd < 0)
            return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (y->count == y->cap) {
            y->cap = y->cap ? y->cap * 2 : 1024;
            y->fd = xrealloc(y->fd, y->cap * sizeof(*y->fd));
            y->step = xrealloc(y->step, y->cap);
        }
        y->fd[y->count] = fd;
        y->step[y->count] = 0;
        watch(y, fd, y->count++);
    }
}

static void drop(struct yard *y, uint32_t i)
{
    close(y->fd[i]);
    y->fd[i] = -1;
}

/* Each message of the client has one answer; what it says does not matter. */
static void answer(struct yard *y, uint32_t i)
{
    char in[4096];
    ssize_t n = recv(y->fd[i], in, sizeof(in), MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            drop(y, i);
        return;
    }
    unsigned step = y->step[i]++, last = y->opts->waits_for_connect ? 2 : 1;
    const void *out = step ? (const void *)y->reply[step - 1] : y->upgrade;
    size_t size = step ? y->reply_bytes[step - 1] : strlen(y->upgrade);
    if (send(y->fd[i], out, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size)
        drop(y, i);
    else if (step == last) /* from now on it only sends */
        epoll_ctl(y->epoll_fd, EPOLL_CTL_DEL, y->fd[i], NULL);
}

/* The part that the socket did not take: waits for it. At a fixed rate this does not happen. */
static bool send_rest(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, -1);
            continue;
        }
        if (sent < 0)
            return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

static void fan_out(struct yard *y, const struct floor_order *order, size_t n)
{
    for (uint32_t i = order->channel; i < y->count; i += order->channels) {
        if (y->fd[i] < 0)
            continue;
        ssize_t sent = send(y->fd[i], order->frame, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent == (ssize_t)n)
            continue;
        size_t done = sent > 0 ? (size_t)sent : 0;
        if (!send_rest(y->fd[i], order->frame + done, n - done))
            drop(y, i);
    }
}

/* False when the bench has ended. */
static bool obey(struct yard *y)
{
    static char bytes[ORDER_MAX] __attribute__((aligned(8)));
    const struct floor_order *order = (const struct floor_order *)(const void *)bytes;
    ssize_t n = recv(y->control, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        return false;
    if (n > (ssize_t)sizeof(*order))
        fan_out(y, order, (size_t)n - sizeof(*order));
    return true;
}

void floor__serve(int listener, int control, const struct floor_opts *opts)
{
    struct yard y = {.opts = opts, .listener = listener, .control = control};
    struct epoll_event ev[64];
    y.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (y.epoll_fd < 0)
        die("epoll_create1: %s", strerror(errno));
    prepare_answers(&y);
    watch(&y, listener, LISTENER);
    watch(&y, control, CONTROL);
    for (;;) {
        int n = epoll_wait(y.epoll_fd, ev, 64, -1);
        for (int i = 0; i < n; i++) {
            uint32_t id = ev[i].data.u32;
            if (id == CONTROL && !obey(&y))
                return;
            if (id == LISTENER)
                accept_all(&y);
            else if (id != CONTROL && y.fd[id] >= 0)
                answer(&y, id);
        }
    }
}
