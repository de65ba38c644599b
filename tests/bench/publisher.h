/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to make a server send a publication: a table of two functions each. */
#pragma once

#include "tests/bench/feature.h"
#include "tests/bench/fleet.h"
#include "tests/bench/floor.h"

struct publisher {
    /* Queues one publication for a channel; `data` is its payload. */
    void (*publish)(struct publisher *p, unsigned channel, const char *data, size_t n);
    /* Sends what is queued, as far as the other side takes it. */
    void (*flush)(struct publisher *p);
    void (*free)(struct publisher *p);
    uint64_t sent, answered, failed;
};

struct publisher_opts {
    struct poller *poller;
    const struct target *target;
    const struct channels *channels;
    const struct feature *feature;
    const char *prefix; /* of Redis names */
    const char *key;    /* of the API */
};

/* Writes what a server's API would write for the feature, a PUBLISH on prefix.client.CHANNEL or the
   history and that PUBLISH, so that nothing but the daemon is measured. */
struct publisher *publisher_redis_new(const struct publisher_opts *o);
/* POST publish on one kept connection: one after the other, so that their order is kept. */
struct publisher *publisher_http_new(const struct publisher_opts *o);
/* Tells the floor to send the frame of `sample` with this payload in it; when `sample` is empty, a
   frame as the protocol has it. */
struct publisher *publisher_floor_new(const struct floor *f, const struct sample *sample,
                                      const struct channels *channels);

/* Waits until a Redis server answers PING; false when `timeout_sec` pass. */
bool redis_wait(const struct target *t, unsigned timeout_sec);
