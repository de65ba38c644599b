/* SPDX-License-Identifier: Apache-2.0 */
/* Accepting sockets and their WebSocket handshake. */
#pragma once

#include "pushd/worker/worker.h"

struct acceptor;

/* Starts accepting on the worker's loop. The descriptors are borrowed. */
struct acceptor *acceptor_new(struct worker *w, const int *listen_fds, size_t n);
/* Takes no new connections any more; handshakes under way are dropped. */
void acceptor_stop(struct acceptor *a);
void acceptor_free(struct acceptor *a);
