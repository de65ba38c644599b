/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets from the addresses of the configuration. */
#include "common/base/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/mem.h"

#define BACKLOG       4096
#define DEFER_SECONDS 10

/* Whether somebody answers on the socket file. */
static bool is_alive(const struct sockaddr_un *sa)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return true;
    }
    bool alive = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0;
    close(fd);
    return alive;
}

static int open_unix(const char *path, struct err *e)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(sa.sun_path)) {
        err_set(e, ERR_LIMIT, "the socket path %s is longer than %zu bytes", path,
                sizeof(sa.sun_path) - 1);
        return -1;
    }
    strcpy(sa.sun_path, path);
    struct stat st;
    if (stat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        if (is_alive(&sa)) {
            err_set(e, ERR_CONFLICT,
                    "cannot listen on unix:%s: another process serves it; stop that one first",
                    path);
            return -1;
        }
        unlink(path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 || listen(fd, BACKLOG) != 0) {
        err_set(e, ERR_IO, "cannot listen on unix:%s: %s%s", path, strerror(errno),
                errno == ENOENT ? "; does the folder exist?" : "");
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

/* Splits "host:port"; brackets around an IPv6 address are taken off. Both are freed by the caller.
 */
static int split_host(const char *address, char **host, char **port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == '\0') {
        return ERR_SYNTAX;
    }
    struct span h = span_of(address, (size_t)(colon - address));
    if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']') {
        h = span_of(h.p + 1, h.n - 2);
    }
    *host = span_dup(h);
    *port = mem_strdup(colon + 1);
    return 0;
}

static int open_address(const struct addrinfo *ai, unsigned flags)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    int seconds = DEFER_SECONDS;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted sockets inherit it */
    if ((flags & LISTEN_REUSEPORT) != 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    }
    if ((flags & LISTEN_DEFER_ACCEPT) != 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    }
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int open_tcp(const char *address, unsigned flags, struct err *e)
{
    char *host = NULL;
    char *port = NULL;
    if (split_host(address, &host, &port) != 0) {
        err_set(e, ERR_SYNTAX, "cannot listen on \"%s\": expected host:port or unix:/path",
                address);
        return -1;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(*host != '\0' ? host : NULL, port, &hints, &found);
    int fd = -1;
    if (rc != 0) {
        err_set(e, ERR_IO, "cannot listen on %s: %s", address, gai_strerror(rc));
    } else {
        fd = open_address(found, flags);
        if (fd < 0) {
            err_set(e, errno == EADDRINUSE ? ERR_CONFLICT : ERR_IO, "cannot listen on %s: %s%s",
                    address, strerror(errno),
                    errno == EADDRINUSE ? "; find who has the port with: ss -ltnp" : "");
        }
        freeaddrinfo(found);
    }
    free(host);
    free(port);
    return fd;
}

int listen_open(const char *address, unsigned flags, struct err *e)
{
    if (strncmp(address, "unix:", 5) == 0) {
        return open_unix(address + 5, e);
    }
    return open_tcp(address, flags, e);
}

void listen_describe(int fd, struct buf *out)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    } sa = {.storage = {0}};
    socklen_t len = sizeof(sa);
    char host[INET6_ADDRSTRLEN] = "";
    if (getsockname(fd, &sa.any, &len) != 0) {
        buf_add_str(out, "?");
    } else if (sa.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &sa.in.sin_addr, host, sizeof(host));
        buf_addf(out, "%s:%u", host, ntohs(sa.in.sin_port));
    } else if (sa.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &sa.in6.sin6_addr, host, sizeof(host));
        buf_addf(out, "[%s]:%u", host, ntohs(sa.in6.sin6_port));
    } else {
        buf_addf(out, "unix:%s", sa.un.sun_path);
    }
}
