/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and how to connect to them. */
#include "tests/bench/target.h"

#include "tests/bench/util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define PER_SOURCE_ADDRESS 2000

static void copy(char *out, size_t size, const char *from, size_t n, const char *url)
{
    if (n >= size)
        die("address is too long: %s", url);
    memcpy(out, from, n);
    out[n] = 0;
}

static void parse_unix(struct target *t, const char *rest, const char *default_path,
                       const char *url)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&t->addr;
    const char *colon = strstr(rest, ":/");
    const char *query = strchr(rest, '?');
    const char *end = colon ? colon : query ? query : rest + strlen(rest);
    un->sun_family = AF_UNIX;
    copy(un->sun_path, sizeof(un->sun_path), rest, (size_t)(end - rest), url);
    t->addr_len = sizeof(*un);
    const char *path = colon ? colon + 1 : default_path;
    copy(t->path, sizeof(t->path), path, strlen(path), url);
    strcpy(t->host, "localhost");
}

static void resolve(struct target *t, const char *host, const char *port, const char *url)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    /* "localhost" may answer ::1 first while servers listen on 127.0.0.1. */
    int rc = getaddrinfo(strcmp(host, "localhost") ? host : "127.0.0.1", port, &hints, &found);
    if (rc)
        die("cannot resolve %s: %s", url, gai_strerror(rc));
    memcpy(&t->addr, found->ai_addr, found->ai_addrlen);
    t->addr_len = found->ai_addrlen;
    freeaddrinfo(found);
    const struct sockaddr_in *in = (const struct sockaddr_in *)&t->addr;
    t->is_loopback = in->sin_family == AF_INET && ntohl(in->sin_addr.s_addr) >> 24 == 127;
}

static void parse_inet(struct target *t, const char *rest, const char *default_path,
                       const char *url)
{
    char host[128], port[8] = "80";
    const char *slash = strchr(rest, '/');
    const char *end = slash ? slash : rest + strlen(rest);
    const char *at = memchr(rest, '@', (size_t)(end - rest));
    if (at) {
        const char *colon = memchr(rest, ':', (size_t)(at - rest));
        const char *secret = colon ? colon + 1 : rest;
        copy(t->password, sizeof(t->password), secret, (size_t)(at - secret), url);
        rest = at + 1;
    }
    copy(t->host, sizeof(t->host), rest, (size_t)(end - rest), url);
    const char *close = *rest == '[' ? memchr(rest, ']', (size_t)(end - rest)) : NULL;
    const char *from = close ? rest + 1 : rest;
    const char *colon = memchr(close ? close : rest, ':', (size_t)(end - (close ? close : rest)));
    const char *host_end = close ? close : colon ? colon : end;
    copy(host, sizeof(host), from, (size_t)(host_end - from), url);
    if (colon)
        copy(port, sizeof(port), colon + 1, (size_t)(end - colon - 1), url);
    const char *path = slash && slash[1] ? slash : default_path;
    copy(t->path, sizeof(t->path), path, strlen(path), url);
    resolve(t, host, port, url);
}

void target_parse(struct target *t, const char *url, const char *default_path)
{
    memset(t, 0, sizeof(*t));
    copy(t->name, sizeof(t->name), url, strlen(url), url);
    const char *scheme_end = strstr(url, "://");
    bool is_unix = !strncmp(url, "unix:", 5) ||
                   (scheme_end && scheme_end - url > 5 && !memcmp(scheme_end - 5, "+unix", 5));
    const char *rest = scheme_end ? scheme_end + 3 : is_unix ? url + 5 : url;
    if (is_unix)
        parse_unix(t, rest, default_path, url);
    else
        parse_inet(t, rest, default_path, url);
}

static void bind_source(int fd, unsigned index)
{
    int on = 1;
    uint32_t host = INADDR_LOOPBACK + index / PER_SOURCE_ADDRESS;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
        die("cannot bind the source address 127.0.0.%u: %s", host & 255, strerror(errno));
}

int target_connect(const struct target *t, unsigned index)
{
    int on = 1;
    int fd = socket(t->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    /* Not before it is needed: Redis in protected mode refuses other addresses than 127.0.0.1. */
    if (t->is_loopback && index >= PER_SOURCE_ADDRESS)
        bind_source(fd, index);
    if (t->addr.ss_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (const struct sockaddr *)&t->addr, t->addr_len) < 0 && errno != EINPROGRESS) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}
