/* SPDX-License-Identifier: Apache-2.0 */
/* The workers' requests that are one command to Redis each. */
#pragma once

#include "pushd/control/control_private.h"

/* Call it before the requests of one turn of the loop are taken. */
void service_begin_turn(struct control *c);
/* Takes a request; answers it exactly once, by the bus, if its kind is one that is answered, and
 * frees it otherwise. */
void service_take(struct control *c, struct bus_op *op);
