/* SPDX-License-Identifier: Apache-2.0 */
/* The other nodes of the cluster, as their pings describe them. */
#pragma once

#include "common/base/htab.h"
#include "common/protocol/control.h"
#include "pushd/control/control.h"

/* Zero-initialised it is ready to use. */
struct registry {
    struct htab nodes;
};

void registry_fini(struct registry *r);

/* Takes a ping; true when the node was not known. A ping without uid counts for nothing. */
bool registry_heard(struct registry *r, const struct node_ping *ping, int64_t now_ms);
/* The node said that it stops. */
void registry_forget(struct registry *r, struct span uid);
/* Removes who was silent for longer than silence_ms. */
void registry_expire(struct registry *r, int64_t now_ms, int64_t silence_ms);
/* fn returns false to stop; the result is false then. */
bool registry_each(struct registry *r, control_node_fn fn, void *arg);
