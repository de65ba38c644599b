/* SPDX-License-Identifier: Apache-2.0 */
/* How far a worker takes messages from its inbox ahead of sending them. Numbers only: no clock, no
 * connection. */
#pragma once

#include "common/base/base.h"

/* A burst must make nobody slow who reads. So the inbox waits while a part of client.queue_max_size
 * has been put into queues and not all connections had their turn to send. A worker that stays
 * behind for PACE_LATE_MS has more to send than it can: then it takes what there is, and the limits
 * of the queues decide, else the inbox would grow for ever. */
#define PACE_LATE_MS 2000

struct pace {
    size_t limit;    /* bytes that may be dispatched before all had their turn */
    size_t unsent;   /* bytes dispatched since then */
    int64_t late_ms; /* how long the message taken last had waited in the inbox */
};

void pace_init(struct pace *p, size_t queue_max_size);

/* A message was dispatched; `posted_ms` and `now_ms` are of one clock. */
void pace_took(struct pace *p, size_t bytes, int64_t posted_ms, int64_t now_ms);
/* All connections had their turn to send. */
void pace_sent(struct pace *p);
/* The inbox is empty. */
void pace_caught_up(struct pace *p);

/* Whether connections have to have their turn before more is taken. */
bool pace_must_send(const struct pace *p);
/* Whether the worker has more to send than it can. */
bool pace_is_late(const struct pace *p);
