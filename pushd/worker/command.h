/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the cluster for the connections of a user: subscribe, unsubscribe, disconnect,
 * refresh. */
#pragma once

#include "pushd/worker/worker.h"

/* Applies the command to the connections of this worker it is meant for. Source: redis-layout
 * section 9. */
void command_apply(struct worker *w, const struct control_command *m);
/* The same for one connection that is known to be meant. */
void command_apply_to(struct conn *c, const struct control_command *m);

/* Fills `found` with the channels that match and their subscribers here. */
void command_channels(struct worker *w, struct bus_channels *q);
