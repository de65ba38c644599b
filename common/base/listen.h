/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets from the addresses of the configuration. */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

enum {
    LISTEN_REUSEPORT = 1, /* several sockets share the port, one a thread */
    LISTEN_DEFER_ACCEPT =
        2, /* the kernel hands a TCP connection over when its first bytes are there */
};

/* Opens a non-blocking, close-on-exec listening socket at "host:port", "[::1]:port" or "unix:/path"
 * (a stale socket file is replaced, a live one is not). -1 and e: which address, what is wrong,
 * what to do. */
int listen_open(const char *address, unsigned flags, struct err *e);

/* Where a socket listens, as an address that listen_open understands: with the kernel's choice for
 * port 0. */
void listen_describe(int fd, struct buf *out);
