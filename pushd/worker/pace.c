/* SPDX-License-Identifier: Apache-2.0 */
/* How far a worker takes messages ahead of sending them. */
#include "pushd/worker/pace.h"

/* Of client.queue_max_size; where the queues are small a burst overflows them, as in the reference.
 */
#define PART 4
#define MIN  (64U << 10)

void pace_init(struct pace *p, size_t queue_max_size)
{
    size_t part = queue_max_size / PART;
    *p = (struct pace){.limit = part > MIN ? part : MIN};
}

void pace_took(struct pace *p, size_t bytes, int64_t posted_ms, int64_t now_ms)
{
    p->unsent += bytes;
    p->late_ms = now_ms > posted_ms ? now_ms - posted_ms : 0;
}

void pace_sent(struct pace *p)
{
    p->unsent = 0;
}

void pace_caught_up(struct pace *p)
{
    p->late_ms = 0;
}

bool pace_must_send(const struct pace *p)
{
    return p->unsent > p->limit && !pace_is_late(p);
}

bool pace_is_late(const struct pace *p)
{
    return p->late_ms >= PACE_LATE_MS;
}
