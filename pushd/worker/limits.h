/* SPDX-License-Identifier: Apache-2.0 */
/* Limits that hold for the whole node, whichever worker a connection is on. */
#pragma once

#include "common/base/str.h"

struct limits;

struct limits *limits_new(void);
void limits_free(struct limits *l);

/* client.user_connection_limit: counts one connection of the user unless there are `limit` already.
 * Thread-safe; the lock is one of many, chosen by the user, and taken only where the option is set.
 * Each success needs a limits_leave_user. */
bool limits_enter_user(struct limits *l, struct span user, int64_t limit);
void limits_leave_user(struct limits *l, struct span user);

/* client.connection_rate_limit: whether one more connection is allowed in the second of now_ms. */
bool limits_take_rate(struct limits *l, int64_t now_ms, int64_t per_second);
