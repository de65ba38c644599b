/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and blocking sockets with deadlines. */
#include "pushctl/net.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clk.h"

#define RECEIVE_BYTES 65536

static int copy(struct span from, char *to, size_t size, const char *what, struct err *e)
{
    if (from.n >= size) {
        return err_set(e, ERR_LIMIT, "the %s of the address is too long", what);
    }
    if (memchr(from.p, '\0', from.n) != NULL || memchr(from.p, '\r', from.n) != NULL ||
        memchr(from.p, '\n', from.n) != NULL || memchr(from.p, ' ', from.n) != NULL) {
        return err_set(e, ERR_SYNTAX, "the %s of the address has a space or a line break in it",
                       what);
    }
    memcpy(to, from.p, from.n);
    to[from.n] = '\0';
    return 0;
}

/* Takes the scheme off. Addresses without one are fine. */
static int take_scheme(struct span *s, struct err *e)
{
    static const struct span schemes[] = {SPAN("http://"), SPAN("ws://"), SPAN("tcp://")};
    if (span_starts(*s, SPAN("https://")) || span_starts(*s, SPAN("wss://"))) {
        return err_set(e, ERR_UNKNOWN,
                       "%.*s needs TLS, which this tool does not speak: use the address behind the "
                       "web server, such as "
                       "http://127.0.0.1:8000 or ws://127.0.0.1:8001, or run it on that machine",
                       SPAN_FMT(*s));
    }
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (span_starts(*s, schemes[i])) {
            *s = span_from(*s, schemes[i].n);
            return 0;
        }
    }
    size_t colon = span_find(*s, ':', 0);
    if (s->n - colon >= 3 && memcmp(s->p + colon, "://", 3) == 0) {
        return err_set(e, ERR_UNKNOWN,
                       "%.*s: an address begins with http://, ws:// or unix:", SPAN_FMT(*s));
    }
    return 0;
}

static int take_host(struct span authority, struct net_url *out, struct err *e)
{
    struct span host = authority;
    struct span port = SPAN("80");
    size_t end = authority.n != 0 && authority.p[0] == '[' ? span_find(authority, ']', 0) : 0;
    size_t colon = span_find(authority, ':', end);
    if (colon < authority.n) {
        host = span_of(authority.p, colon);
        port = span_from(authority, colon + 1);
    }
    uint64_t number = 0;
    if (span_to_u64(port, &number) != 0 || number == 0 || number > 65535) {
        return err_set(e, ERR_SYNTAX, "\"%.*s\" is no port: it is a number from 1 to 65535",
                       SPAN_FMT(port));
    }
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        host = span_of(host.p + 1, host.n - 2);
    }
    if (host.n == 0 || span_eq_str(host, "0.0.0.0")) {
        host = SPAN("127.0.0.1");
    } else if (span_eq_str(host, "::")) {
        host = SPAN("::1");
    }
    int rc = copy(host, out->host, sizeof(out->host), "host", e);
    if (rc == 0) {
        rc = copy(port, out->port, sizeof(out->port), "port", e);
    }
    bool is_ipv6 = span_find(host, ':', 0) < host.n;
    snprintf(out->display, sizeof(out->display), "%s%s%s:%s", is_ipv6 ? "[" : "", out->host,
             is_ipv6 ? "]" : "", out->port);
    return rc;
}

int net_url_parse(const char *text, const char *default_path, struct net_url *out, struct err *e)
{
    *out = (struct net_url){0};
    struct span s = span_str(text);
    int rc;
    if (span_starts(s, SPAN("unix:"))) {
        s = span_from(s, 5);
        if (span_starts(s, SPAN("//"))) {
            s = span_from(s, 2);
        }
        rc = copy(s, out->unix_path, sizeof(out->unix_path), "socket path", e);
        snprintf(out->display, sizeof(out->display), "unix:%s", out->unix_path);
        snprintf(out->path, sizeof(out->path), "%s", default_path);
        return rc;
    }
    rc = take_scheme(&s, e);
    if (rc != 0) {
        return rc;
    }
    size_t slash = span_find(s, '/', 0);
    struct span path = slash < s.n ? span_from(s, slash) : span_str(default_path);
    rc = take_host(span_of(s.p, slash), out, e);
    return rc != 0 ? rc : copy(path, out->path, sizeof(out->path), "path", e);
}

static int wait_for(int fd, short events, int64_t deadline_ms, const sigset_t *mask)
{
    int64_t left = deadline_ms - clk_mono_ms();
    left = left > 0 ? left : 0;
    struct pollfd p = {.fd = fd, .events = events};
    struct timespec ts = {.tv_sec = (time_t)(left / 1000),
                          .tv_nsec = (long)(left % 1000) * 1000000};
    int n = ppoll(&p, 1, &ts, mask);
    if (n < 0) {
        return errno == EINTR ? ERR_CANCELED : ERR_IO;
    }
    return n == 0 ? ERR_TIMEOUT : 0;
}

static int connect_error(const struct net_url *u, int code, struct err *e)
{
    switch (code) {
    case ECONNREFUSED:
        return err_set(e, ERR_UNAVAILABLE, "nothing listens on %s (connection refused)",
                       u->display);
    case ENOENT:
        return err_set(e, ERR_UNAVAILABLE, "there is no socket %s", u->display);
    case EACCES:
        return err_set(e, ERR_DENIED, "no permission to use %s", u->display);
    case ETIMEDOUT:
        return err_set(e, ERR_TIMEOUT, "%s does not answer", u->display);
    default:
        return err_set(e, ERR_IO, "cannot connect to %s: %s", u->display, strerror(code));
    }
}

static int connect_to(const struct net_url *u, const struct sockaddr *address, socklen_t n,
                      int64_t deadline_ms, int *fd, struct err *e)
{
    int s = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0) {
        return connect_error(u, errno, e);
    }
    int code = connect(s, address, n) == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
        int rc = wait_for(s, POLLOUT, deadline_ms, NULL);
        socklen_t size = sizeof(code);
        if (rc != 0) {
            code = rc == ERR_TIMEOUT ? ETIMEDOUT : EIO;
        } else if (getsockopt(s, SOL_SOCKET, SO_ERROR, &code, &size) != 0) {
            code = errno;
        }
    }
    if (code != 0) {
        close(s);
        return connect_error(u, code, e);
    }
    *fd = s;
    return 0;
}

int net_connect(const struct net_url *u, int64_t deadline_ms, int *fd, struct err *e)
{
    if (*u->unix_path != '\0') {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        memcpy(address.sun_path, u->unix_path, sizeof(u->unix_path));
        return connect_to(u, (const struct sockaddr *)(const void *)&address, sizeof(address),
                          deadline_ms, fd, e);
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int failed = getaddrinfo(u->host, u->port, &hints, &list);
    if (failed != 0) {
        return err_set(e, ERR_UNKNOWN, "cannot find the host %s: %s", u->host,
                       gai_strerror(failed));
    }
    int rc = ERR_UNKNOWN;
    for (const struct addrinfo *a = list; a != NULL && rc != 0; a = a->ai_next) {
        rc = connect_to(u, a->ai_addr, a->ai_addrlen, deadline_ms, fd, e);
    }
    freeaddrinfo(list);
    return rc;
}

int net_send(int fd, struct span bytes, int64_t deadline_ms, struct err *e)
{
    while (bytes.n != 0) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n > 0) {
            bytes = span_from(bytes, (size_t)n);
            continue;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return err_set(e, ERR_CLOSED, "the server closed the connection: %s", strerror(errno));
        }
        int rc = wait_for(fd, POLLOUT, deadline_ms, NULL);
        if (rc != 0 && rc != ERR_CANCELED) {
            return err_set(e, rc, "the server does not read what is sent");
        }
    }
    return 0;
}

int net_receive(int fd, struct buf *in, int64_t deadline_ms, const sigset_t *mask, struct err *e)
{
    for (;;) {
        int rc = wait_for(fd, POLLIN, deadline_ms, mask);
        if (rc != 0) {
            return rc;
        }
        char *at = buf_reserve(in, RECEIVE_BYTES);
        if (at == NULL) {
            return err_set(e, ERR_LIMIT, "the server sends more than %zu bytes at once", in->max);
        }
        ssize_t n = recv(fd, at, RECEIVE_BYTES, 0);
        if (n > 0) {
            in->n += (size_t)n;
            return 0;
        }
        if (n == 0 || errno == ECONNRESET) {
            return err_set(e, ERR_CLOSED, "the server closed the connection");
        }
        if (errno != EAGAIN && errno != EINTR) {
            return err_set(e, ERR_IO, "cannot read from the server: %s", strerror(errno));
        }
    }
}
