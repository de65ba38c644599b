/* SPDX-License-Identifier: Apache-2.0 */
/* The listening sockets of pushd: inherited from systemd, or opened here. */
#pragma once

#include "common/policy/conf.h"

/* sockets[w * per_worker + i] is the i-th socket of worker w. Unix and inherited sockets are shared
 * by all workers. */
struct sockets {
    int *websocket;
    size_t per_worker;
    uint16_t workers;
    int admin;
};

/* Opens all; logs each as "listening". On failure e says which address and why, and nothing stays
 * open. */
int sockets_open(struct sockets *s, const struct conf *c, uint16_t workers, struct err *e);
/* Closes the WebSocket listeners; admin belongs to whoever took it, and is closed here only if it
 * is not -1. */
void sockets_close(struct sockets *s);
