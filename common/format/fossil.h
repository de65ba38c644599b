/* SPDX-License-Identifier: Apache-2.0 */
/* Fossil deltas: how to get from one text to the next by copying and inserting (client
 * protocol 8.5). */
#pragma once

#include "common/base/str.h"

/* Appends the delta that turns source into target. Copies begin and end between UTF-8 characters of
 * the target, so the delta of two UTF-8 texts is UTF-8. Lengths up to 2^31. */
void fossil_create(struct span source, struct span target, struct buf *out);

/* Applies a delta from outside. ERR_SYNTAX for a malformed one, ERR_RANGE for a copy outside the
 * source or a wrong size, ERR_INVALID for a wrong checksum, ERR_LIMIT when `out` is limited and too
 * small. */
int fossil_apply(struct span source, struct span delta, struct buf *out);
