/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, replaceable in tests. */
#pragma once

#include "common/base/base.h"

/* Milliseconds of a clock that never jumps; its zero means nothing. */
int64_t clk_mono_ms(void);
int64_t clk_mono_us(void);
/* Unix time. */
int64_t clk_wall_ms(void);
int64_t clk_wall_s(void);

/* Tests only: from now on both clocks return these values; a negative value gives the real clock
 * back. */
void clk_fake(int64_t mono_ms, int64_t wall_ms);
