/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and blocking sockets with deadlines, for commands that talk to a server. */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

#include <signal.h>

struct net_url {
    char host[256]; /* without brackets; "" for a Unix socket */
    char port[8];
    char unix_path[108];
    char path[1024];   /* begins with / */
    char display[512]; /* for messages: "127.0.0.1:8001" or "unix:/run/x.sock" */
};

/* From "http://host:8000/base", "ws://host/path", "host:8000", "[::1]:8000" or "unix:/run/x.sock"
 * (then with the default path). A text without a path has default_path. A wildcard address means
 * this machine. TLS is refused with an explanation. */
int net_url_parse(const char *text, const char *default_path, struct net_url *out, struct err *e);

/* Deadlines are those of clk_mono_ms. The socket does not block and is not inherited.
 * ERR_UNAVAILABLE: nobody listens; ERR_UNKNOWN: no such host; ERR_TIMEOUT; ERR_IO. */
int net_connect(const struct net_url *u, int64_t deadline_ms, int *fd, struct err *e);

/* Sends everything. */
int net_send(int fd, struct span bytes, int64_t deadline_ms, struct err *e);

/* Appends what has arrived, up to 64 KiB, to `in`. 0, ERR_CLOSED at the end, ERR_TIMEOUT (without a
 * text in e), ERR_CANCELED when a signal came that `mask` lets through while waiting (NULL: none
 * does), ERR_LIMIT, ERR_IO. */
int net_receive(int fd, struct buf *in, int64_t deadline_ms, const sigset_t *mask, struct err *e);
