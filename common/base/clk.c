/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, replaceable in tests. */
#include "common/base/clk.h"

#include <time.h>

static int64_t fake_mono_ms = -1;
static int64_t fake_wall_ms = -1;

static int64_t read_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clk_mono_us(void)
{
    return fake_mono_ms >= 0 ? fake_mono_ms * 1000 : read_us(CLOCK_MONOTONIC);
}

int64_t clk_mono_ms(void)
{
    return clk_mono_us() / 1000;
}

int64_t clk_wall_ms(void)
{
    return fake_wall_ms >= 0 ? fake_wall_ms : read_us(CLOCK_REALTIME) / 1000;
}

int64_t clk_wall_s(void)
{
    return clk_wall_ms() / 1000;
}

void clk_fake(int64_t mono_ms, int64_t wall_ms)
{
    fake_mono_ms = mono_ms;
    fake_wall_ms = wall_ms;
}
