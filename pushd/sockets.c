/* SPDX-License-Identifier: Apache-2.0 */
/* The listening sockets of pushd. */
#include "pushd/sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/listen.h"
#include "common/base/mem.h"
#include "common/base/sd.h"

static void announce(const char *kind, int fd)
{
    struct buf text = {0};
    listen_describe(fd, &text);
    log_info(LOG_SERVER, "listening", LOG_STR("kind", kind), LOG_TEXT("address", buf_span(&text)));
    buf_free(&text);
}

static int *slot(struct sockets *s, uint16_t worker, size_t i)
{
    return &s->websocket[worker * s->per_worker + i];
}

/* One socket for all workers. */
static void share(struct sockets *s, size_t i, int fd)
{
    for (uint16_t w = 0; w < s->workers; w++) {
        *slot(s, w, i) = fd;
    }
}

/* A TCP socket a worker on one port, so that the kernel spreads the connections. */
static int open_each(struct sockets *s, size_t i, const char *address, struct err *e)
{
    struct buf actual = {0};
    int rc = 0;
    for (uint16_t w = 0; w < s->workers && rc == 0; w++) {
        const char *where = w == 0 ? address : buf_cstr(&actual);
        int fd = listen_open(where, LISTEN_REUSEPORT | LISTEN_DEFER_ACCEPT, e);
        if (fd < 0) {
            rc = ERR_IO;
        } else {
            *slot(s, w, i) = fd;
            if (w == 0) {
                listen_describe(fd, &actual);
            }
        }
    }
    buf_free(&actual);
    return rc;
}

/* SO_REUSEPORT would let a second pushd take half of the connections unnoticed. */
static int probe_free(const char *address, struct err *e)
{
    int fd = listen_open(address, 0, e);
    if (fd < 0) {
        return ERR_CONFLICT;
    }
    close(fd);
    return 0;
}

static int open_websocket(struct sockets *s, size_t i, const char *address, struct err *e)
{
    if (strncmp(address, "unix:", 5) == 0) {
        int fd = listen_open(address, 0, e);
        if (fd < 0) {
            return ERR_IO;
        }
        share(s, i, fd);
        return 0;
    }
    int rc = probe_free(address, e);
    return rc == 0 ? open_each(s, i, address, e) : rc;
}

static int open_all(struct sockets *s, const struct conf *c, const struct sd_fd *fds, size_t n,
                    struct err *e)
{
    size_t inherited = 0;
    for (size_t i = 0; i < n; i++) {
        inherited += strcmp(fds[i].name, "websocket") == 0;
    }
    s->per_worker = inherited != 0 ? inherited : c->pushd.websocket_listen.n;
    size_t count = s->per_worker * s->workers;
    s->websocket = mem_alloc(count * sizeof(int));
    for (size_t i = 0; i < count; i++) {
        s->websocket[i] = -1;
    }
    for (size_t i = 0, at = 0; inherited != 0 && i < n; i++) {
        if (strcmp(fds[i].name, "websocket") == 0) {
            int on = 1;
            fcntl(fds[i].fd, F_SETFL, fcntl(fds[i].fd, F_GETFL) | O_NONBLOCK);
            setsockopt(fds[i].fd, IPPROTO_TCP, TCP_NODELAY, &on,
                       sizeof(on)); /* fails on a Unix socket, harmlessly */
            share(s, at++, fds[i].fd);
        }
    }
    int rc = 0;
    for (size_t i = 0; inherited == 0 && i < s->per_worker && rc == 0; i++) {
        rc = open_websocket(s, i, c->pushd.websocket_listen.items[i], e);
    }
    s->admin = rc == 0 ? sd_find_fd(fds, n, "admin", false) : -1;
    if (rc == 0 && s->admin < 0) {
        s->admin = listen_open(c->pushd.admin_listen, 0, e);
        rc = s->admin < 0 ? ERR_IO : 0;
    }
    return rc;
}

int sockets_open(struct sockets *s, const struct conf *c, uint16_t workers, struct err *e)
{
    *s = (struct sockets){.workers = workers, .admin = -1};
    struct sd_fd fds[SD_MAX_FDS];
    size_t n = sd_listen_fds(fds);
    int rc = open_all(s, c, fds, n, e);
    if (rc != 0) {
        sockets_close(s);
        return rc;
    }
    for (size_t i = 0; i < s->per_worker; i++) {
        announce("websocket", *slot(s, 0, i));
    }
    announce("admin", s->admin);
    return 0;
}

void sockets_close(struct sockets *s)
{
    for (size_t i = 0; i < s->per_worker; i++) {
        int shared = -1;
        for (uint16_t w = 0; s->websocket != NULL && w < s->workers; w++) {
            int fd = *slot(s, w, i);
            if (fd >= 0 && fd != shared) {
                close(fd);
                shared = fd;
            }
        }
    }
    free(s->websocket);
    if (s->admin >= 0) {
        close(s->admin);
    }
    *s = (struct sockets){.admin = -1};
}
