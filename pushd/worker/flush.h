/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the fan-out path: writes what dirty connections have queued, in slices, one batch send
 * a slice. */
#pragma once

#include "pushd/worker/conn.h"

/* Marks a connection for the next flush. */
void flush_mark(struct conn *c);

/* Sends one slice. True when connections are left over for the next turn of the loop. */
bool flush_slice(struct worker *w);

/* Writes what one connection has, as far as its socket takes it; from the writable callback. */
void flush_one(struct conn *c);
