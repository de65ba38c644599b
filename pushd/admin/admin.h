/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP port for operators: ping, health, readiness, metrics, admin. */
#pragma once

#include "pushd/control/control.h"

struct admin;

struct admin_opts {
    const struct conf *conf;
    struct ev_loop
        *loop; /* of the control thread; libmicrohttpd runs on it through its epoll descriptor */
    struct bus *bus;
    struct control *control;
    int listen_fd;              /* owned by admin from here on, also on failure */
    const char *batch_send;     /* "io_uring" or "send", what the workers chose: for info */
    const bool *is_draining;    /* /ready answers 503 while it is true */
    int64_t request_timeout_ms; /* within which a request has to be there and its answer taken; 0:
                                   ADMIN_REQUEST_TIMEOUT_MS */
};

#define ADMIN_REQUEST_TIMEOUT_MS 20000
/* A worker that did not turn its loop for so long makes the node not ready. */
#define ADMIN_HEARTBEAT_MAX_MS 5000

/* NULL and e when libmicrohttpd refuses. Runs and is freed on the control thread. */
struct admin *admin_new(const struct admin_opts *opts, struct err *e);
void admin_free(struct admin *a);
