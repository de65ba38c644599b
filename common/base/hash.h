/* SPDX-License-Identifier: Apache-2.0 */
/* Hash functions: a keyed one for tables whose keys come from outside, FNV-1a for sharding. */
#pragma once

#include "common/base/str.h"

/* SipHash-1-3 under a random key of this process, so that nobody outside can choose colliding
 * names. Thread-safe. */
uint64_t hash_span(struct span s);

/* FNV-1a 64, the hash of Centrifugo's sharding. */
uint64_t hash_fnv1a64(struct span s);
