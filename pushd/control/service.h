/* SPDX-License-Identifier: Apache-2.0 */
/* The workers' requests that are one command to Redis each. */
#pragma once

#include "pushd/control/control_private.h"

/* Takes a request; answers it exactly once, by the bus, if its kind is one that is answered, and
 * frees it otherwise. */
void service_take(struct control *c, struct bus_op *op);
