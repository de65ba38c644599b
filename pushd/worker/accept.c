/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting sockets and their WebSocket handshake. */
#include "pushd/worker/accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "pushd/worker/conn.h"
#include "pushd/worker/limits.h"
#include "pushd/worker/upgrade.h"
#include "pushd/worker/ws.h"

#define ACCEPT_BATCH 64
#define HANDSHAKE_MS 10000
/* After a refusal, and after {}, the answer gets this long to be read before the socket goes. */
#define LINGER_MS 1000
/* No descriptors left: accepting again makes no sense before some are freed. */
#define EXHAUSTED_MS            200
#define EXHAUSTED_LOG_PERIOD_MS 10000
/* Descriptors that clients do not get: Redis has to be connected again when it was away, and the
 * service manager wants its signs of life. Of a small limit, a part. */
#define RESERVED_FDS     32
#define RESERVED_FD_PART 4
#define ADDRESS_TEXT     (INET6_ADDRSTRLEN + 10)

/* A socket that is no WebSocket yet. */
struct peer {
    struct acceptor *a;
    struct list link;
    struct timer timer;
    ev_io io;
    struct buf in;
    bool is_answered;
    char address[ADDRESS_TEXT];
};

struct acceptor {
    struct worker *w;
    struct list peers;
    struct timer pause;
    struct log_limit exhausted;
    int fd_end; /* descriptors from here on are not for clients */
    size_t count;
    ev_io listeners[];
};

static void peer_free(struct peer *p, bool close_socket)
{
    ev_io_stop(p->a->w->loop, &p->io);
    timer_stop(&p->timer);
    list_unlink(&p->link);
    if (close_socket) {
        close(p->io.fd);
    }
    buf_free(&p->in);
    free(p);
}

static void on_handshake_timeout(struct timer *t, int64_t now_ms)
{
    (void)now_ms;
    peer_free(CONTAINER_OF(t, struct peer, timer), true);
}

static unsigned refusal_label(uint16_t status)
{
    switch (status) {
    case 403:
        return METRIC_REFUSAL_403;
    case 404:
        return METRIC_REFUSAL_404;
    case 405:
        return METRIC_REFUSAL_405;
    case 431:
        return METRIC_REFUSAL_431;
    case 503:
        return METRIC_REFUSAL_503;
    default:
        return METRIC_REFUSAL_400;
    }
}

/* Writes an answer that ends the connection, then waits for the peer to go: closing at once could
 * destroy the answer on its way. */
static void answer(struct peer *p, const struct upgrade *u)
{
    struct worker *w = p->a->w;
    struct buf out = {0};
    upgrade_answer(u, &out);
    ssize_t ignored = send(p->io.fd, out.p, out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)ignored;
    buf_free(&out);
    shutdown(p->io.fd, SHUT_WR);
    p->is_answered = true;
    timer_set(&w->wheel, &p->timer, w->now_ms + LINGER_MS);
}

static void refuse(struct peer *p, const struct upgrade *u)
{
    struct worker *w = p->a->w;
    metrics_add(w->metrics, METRIC_REFUSALS, refusal_label(u->status), 1);
    uint32_t dropped;
    if (log_is_on(LOG_LEVEL_INFO) && log_limit_pass(&w->refusals, w->now_ms, &dropped)) {
        log_info(LOG_CLIENT, "handshake refused", LOG_NUM("status", u->status),
                 LOG_STR("reason", u->detail != NULL ? u->detail : ""), LOG_TEXT("path", u->path),
                 LOG_TEXT("origin", u->origin), LOG_STR("address", p->address),
                 LOG_NUM("suppressed", dropped));
    }
    answer(p, u);
}

/* client.connection_limit and client.connection_rate_limit, over all workers. */
static const char *over_limit(struct worker *w)
{
    const struct conf_client *o = &w->conf->client;
    if (o->connection_limit > 0) {
        int64_t all = 0;
        for (uint16_t i = 0; i < w->shared->bus->workers; i++) {
            all += atomic_load_explicit(&w->shared->bus->ports[i].gauges.connections,
                                        memory_order_relaxed);
        }
        if (all >= o->connection_limit) {
            return "client.connection_limit is reached";
        }
    }
    if (o->connection_rate_limit > 0 &&
        !limits_take_rate(w->shared->limits, w->now_ms, o->connection_rate_limit)) {
        return "client.connection_rate_limit is exceeded";
    }
    return NULL;
}

/* Reads an address into 16 bytes, an IPv4 one in its mapped form. Returns how many bits its prefix
 * lengths do not count, or -1. */
static int read_address(struct span text, unsigned char out[16])
{
    char host[INET6_ADDRSTRLEN];
    if (text.n >= sizeof(host)) {
        return -1;
    }
    memcpy(host, text.p, text.n);
    host[text.n] = '\0';
    memset(out, 0, 10);
    out[10] = out[11] = 0xff;
    if (inet_pton(AF_INET, host, out + 12) == 1) {
        return 96;
    }
    return inet_pton(AF_INET6, host, out) == 1 ? 0 : -1;
}

/* `network` is an address, with or without the length of a prefix. */
static bool is_in_network(struct span address, struct span network)
{
    unsigned char a[16];
    unsigned char b[16];
    size_t slash = span_find(network, '/', 0);
    uint64_t bits;
    int skipped = read_address(span_of(network.p, slash), b);
    if (skipped < 0 || read_address(address, a) < 0) {
        return false;
    }
    bool has_prefix = span_to_u64(span_from(network, slash + 1), &bits) == 0 && bits <= 128;
    bits = has_prefix && bits + (uint64_t)skipped <= 128 ? bits + (uint64_t)skipped : 128;
    size_t whole = bits / 8;
    return memcmp(a, b, whole) == 0 &&
           (bits % 8 == 0 || (a[whole] ^ b[whole]) >> (8 - bits % 8) == 0);
}

/* The address without brackets and port. */
static struct span host_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    struct span host =
        span_of(address, colon != NULL ? (size_t)(colon - address) : strlen(address));
    return host.n >= 2 && host.p[0] == '[' ? span_of(host.p + 1, host.n - 2) : host;
}

static const char *client_address(const struct peer *p, const struct upgrade *u,
                                  char out[ADDRESS_TEXT])
{
    bool from_unix = strcmp(p->address, "unix") == 0;
    struct span host = host_of(p->address);
    const struct conf_strings *trusted = &p->a->w->conf->pushd.trusted_proxies;
    for (size_t i = 0; u->forwarded_for.n != 0 && i < trusted->n; i++) {
        const char *t = trusted->items[i];
        if (from_unix ? strcmp(t, "unix:") == 0 : is_in_network(host, span_str(t))) {
            struct span rest = u->forwarded_for;
            struct span last = rest;
            while (span_split(&rest, ',', &last)) {
            }
            last = span_trim(last);
            size_t n = last.n < ADDRESS_TEXT - 1 ? last.n : ADDRESS_TEXT - 1;
            memcpy(out, last.p, n);
            out[n] = '\0';
            return out;
        }
    }
    return p->address;
}

static void open_conn(struct peer *p, const struct upgrade *u)
{
    struct worker *w = p->a->w;
    struct buf out = {0};
    upgrade_answer(u, &out);
    ssize_t sent = send(p->io.fd, out.p, out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    bool whole = sent == (ssize_t)out.n;
    buf_free(&out);
    if (!whole) {
        peer_free(p, true); /* a fresh socket that takes no 200 bytes is gone */
        return;
    }
    char text[ADDRESS_TEXT];
    struct conn *c = conn_new(w, p->io.fd, u, client_address(p, u, text));
    ev_io_stop(w->loop, &p->io); /* before libwebsockets watches the same descriptor */
    if (!ws_adopt(w->ws, c)) {
        conn_gone(c);
        peer_free(p, false);
        return;
    }
    struct span rest = span_from(buf_span(&p->in), u->head_bytes);
    if (rest.n != 0) {
        conn_received(c, p->in.p + u->head_bytes, rest.n);
    }
    peer_free(p, false);
}

static void judge(struct peer *p)
{
    struct worker *w = p->a->w;
    struct upgrade u;
    if (upgrade_read(w->conf, buf_span(&p->in), &u) == 0) {
        return;
    }
    const char *limit = u.status == 101 || u.status == 200 ? over_limit(w) : NULL;
    if (limit != NULL) {
        metrics_add(w->metrics, METRIC_CONNECTION_LIMIT, 0, 1);
        u.status = 503;
        u.detail = limit;
    }
    if (u.status == 101) {
        open_conn(p, &u);
    } else if (u.status == 200) {
        answer(p, &u);
    } else {
        refuse(p, &u);
    }
}

static void read_peer(struct peer *p)
{
    char bytes[4096];
    ssize_t n = recv(p->io.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        peer_free(p, true);
        return;
    }
    if (p->is_answered) {
        return; /* thrown away */
    }
    buf_add(&p->in, bytes, (size_t)n);
    judge(p);
}

static void on_peer(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    read_peer(io->data);
}

static void describe(const struct sockaddr_storage *sa, char out[ADDRESS_TEXT])
{
    char host[INET6_ADDRSTRLEN] = "";
    if (sa->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(out, ADDRESS_TEXT, "%s:%u", host, ntohs(in->sin_port));
    } else if (sa->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(out, ADDRESS_TEXT, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        snprintf(out, ADDRESS_TEXT, "unix");
    }
}

static void add_peer(struct acceptor *a, int fd, const struct sockaddr_storage *sa)
{
    struct peer *p = mem_zalloc(sizeof(*p));
    p->a = a;
    describe(sa, p->address);
    list_init(&p->link);
    list_append(&a->peers, &p->link);
    timer_init(&p->timer, on_handshake_timeout);
    timer_set(&a->w->wheel, &p->timer, a->w->now_ms + HANDSHAKE_MS);
    ev_io_init(&p->io, on_peer, fd, EV_READ);
    p->io.data = p;
    ev_io_start(a->w->loop, &p->io);
    read_peer(p); /* most requests are here already: the watcher then never reaches the kernel */
}

static void resume(struct timer *t, int64_t now_ms)
{
    (void)now_ms;
    struct acceptor *a = CONTAINER_OF(t, struct acceptor, pause);
    for (size_t i = 0; i < a->count; i++) {
        ev_io_start(a->w->loop, &a->listeners[i]);
    }
}

static void on_exhausted(struct acceptor *a, int error)
{
    struct rlimit r = {0};
    uint32_t suppressed;
    if (log_limit_pass(&a->exhausted, a->w->now_ms, &suppressed)) {
        getrlimit(RLIMIT_NOFILE, &r);
        log_error(LOG_SERVER,
                  "cannot accept connections, out of descriptors or memory; raise "
                  "client.connection_limit, and LimitNOFILE of the unit where that is lower",
                  LOG_STR("error", strerror(error)), LOG_NUM("soft", r.rlim_cur),
                  LOG_NUM("hard", r.rlim_max), LOG_NUM("suppressed", suppressed));
    }
    for (size_t i = 0; i < a->count; i++) {
        ev_io_stop(a->w->loop, &a->listeners[i]);
    }
    timer_set(&a->w->wheel, &a->pause, a->w->now_ms + EXHAUSTED_MS);
}

static void on_accept(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    struct acceptor *a = io->data;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage sa = {.ss_family = AF_UNIX};
        socklen_t len = sizeof(sa);
        int fd = accept4(io->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= a->fd_end) {
            close(fd);
            on_exhausted(a, EMFILE);
            return;
        } else if (fd >= 0) {
            add_peer(a, fd, &sa);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            on_exhausted(a, errno);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return; /* EAGAIN: no more */
        }
    }
}

/* The kernel gives the lowest number that is free, so a high one means that few are left. */
static int end_of_fds(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur > INT_MAX) {
        return INT_MAX;
    }
    rlim_t part = r.rlim_cur / RESERVED_FD_PART;
    return (int)(r.rlim_cur - (part < RESERVED_FDS ? part : RESERVED_FDS));
}

struct acceptor *acceptor_new(struct worker *w, const int *listen_fds, size_t n)
{
    struct acceptor *a = mem_zalloc(sizeof(*a) + n * sizeof(ev_io));
    a->w = w;
    a->count = n;
    a->fd_end = end_of_fds();
    a->exhausted = (struct log_limit){.period_ms = EXHAUSTED_LOG_PERIOD_MS, .burst = 1};
    list_init(&a->peers);
    timer_init(&a->pause, resume);
    for (size_t i = 0; i < n; i++) {
        ev_io_init(&a->listeners[i], on_accept, listen_fds[i], EV_READ);
        a->listeners[i].data = a;
        ev_io_start(w->loop, &a->listeners[i]);
    }
    return a;
}

void acceptor_stop(struct acceptor *a)
{
    timer_stop(&a->pause);
    for (size_t i = 0; i < a->count; i++) {
        ev_io_stop(a->w->loop, &a->listeners[i]);
    }
    while (!list_is_empty(&a->peers)) {
        peer_free(LIST_ENTRY(a->peers.next, struct peer, link), true);
    }
}

void acceptor_free(struct acceptor *a)
{
    if (a != NULL) {
        acceptor_stop(a);
        free(a);
    }
}
