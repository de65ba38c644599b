/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting for the operators' port, with a few descriptors kept back for the day when clients use
 * up all others. */
#pragma once

#include "common/base/base.h"

#include <sys/socket.h>

#define ADMIN_ACCEPTOR_RESERVE 4

struct admin_acceptor {
    int listen_fd;
    int reserve[ADMIN_ACCEPTOR_RESERVE]; /* -1: given away */
};

/* Owns listen_fd from here on and makes it non-blocking. */
void admin_acceptor_init(struct admin_acceptor *a, int listen_fd);
void admin_acceptor_fini(struct admin_acceptor *a);

/* The next connection, non-blocking and close-on-exec, with its address. Negative: ERR_UNAVAILABLE
 * when descriptors have run out including the reserve (then wait before the next call: the
 * listening socket stays readable), ERR_MISSING when nobody waits. */
int admin_acceptor_next(struct admin_acceptor *a, struct sockaddr_storage *peer,
                        socklen_t *peer_len);

/* Fills the reserve up again as far as the system lets; after a connection was closed. */
void admin_acceptor_refill(struct admin_acceptor *a);
