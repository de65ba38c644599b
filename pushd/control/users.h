/* SPDX-License-Identifier: Apache-2.0 */
/* Distinct users of this node: each worker reports its first and last connection of a user. */
#pragma once

#include "common/base/htab.h"

/* Zero-initialised it is ready to use. */
struct users {
    struct htab table;
};

void users_fini(struct users *u);
/* One worker more, or one less, has connections of the user. */
void users_on(struct users *u, struct span user);
void users_off(struct users *u, struct span user);

static inline uint32_t users_count(const struct users *u)
{
    return (uint32_t)u->table.count;
}
