/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting for the operators' port. */
#include "pushd/admin/acceptor.h"

#include "common/base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void admin_acceptor_refill(struct admin_acceptor *a)
{
    for (size_t i = 0; i < ARRAY_LEN(a->reserve); i++) {
        if (a->reserve[i] < 0) {
            a->reserve[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        }
    }
}

void admin_acceptor_init(struct admin_acceptor *a, int listen_fd)
{
    a->listen_fd = listen_fd;
    int flags = fcntl(listen_fd, F_GETFL);
    if (flags >= 0) {
        fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK);
    }
    for (size_t i = 0; i < ARRAY_LEN(a->reserve); i++) {
        a->reserve[i] = -1;
    }
    admin_acceptor_refill(a);
}

void admin_acceptor_fini(struct admin_acceptor *a)
{
    for (size_t i = 0; i < ARRAY_LEN(a->reserve); i++) {
        if (a->reserve[i] >= 0) {
            close(a->reserve[i]);
            a->reserve[i] = -1;
        }
    }
    if (a->listen_fd >= 0) {
        close(a->listen_fd);
        a->listen_fd = -1;
    }
}

/* Gives one reserved descriptor back to the process; false when none is left. */
static bool release_one(struct admin_acceptor *a)
{
    for (size_t i = 0; i < ARRAY_LEN(a->reserve); i++) {
        if (a->reserve[i] >= 0) {
            close(a->reserve[i]);
            a->reserve[i] = -1;
            return true;
        }
    }
    return false;
}

int admin_acceptor_next(struct admin_acceptor *a, struct sockaddr_storage *peer,
                        socklen_t *peer_len)
{
    for (;;) {
        *peer_len = sizeof(*peer);
        int fd =
            accept4(a->listen_fd, (struct sockaddr *)peer, peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            return fd;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (!release_one(a)) {
                return ERR_UNAVAILABLE;
            }
        } else if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO) {
            return ERR_MISSING;
        }
    }
}
