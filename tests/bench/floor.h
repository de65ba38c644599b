/* SPDX-License-Identifier: Apache-2.0 */
/* The yardstick: a process of one thread that sends given bytes to all its TCP connections with a
   bare send() each. What the kernel takes for that is the least a server can cost.

   It answers the handshake with constant text before, because TCP acknowledges differently on a
   connection whose client has never sent anything, and the sender pays for that on loopback. */
#pragma once

#include "tests/bench/target.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct floor_opts {
    int cpu; /* core it is bound to, -1 for none */
    bool is_protobuf;
    bool waits_for_connect;
};

/* One datagram on the control socket: this, and the bytes to send to the connections of a channel.
 */
struct floor_order {
    uint32_t channel, channels;
    char frame[];
};

struct floor {
    pid_t pid;
    int control;
    struct target target;
};

/* Forks the process. Call it before any thread or connection exists, so that it inherits none. */
void floor_start(struct floor *f, const struct floor_opts *opts);
void floor_stop(struct floor *f);

/* floor_serve.c: the process itself; returns when the control socket is closed. */
void floor__serve(int listener, int control, const struct floor_opts *opts);
