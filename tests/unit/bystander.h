/* SPDX-License-Identifier: Apache-2.0 */
/* Bounds on durations that hold on a busy machine, too: a thread that has nothing to do with what
 * is tested wants to run every few milliseconds, and measures how late it does. */
#pragma once

#include "tests/unit/unit.h"

void bystander_start(void);
void bystander_end(void);
/* How long the machine let nobody run since the start. */
int64_t bystander_lost_ms(void);
/* What the bound on a duration is extended by that began at bystander_lost_ms() == since_ms: Redis
 * and the test take turns, and each of them may have to wait for its own. */
int64_t bystander_slack_ms(int64_t since_ms);
