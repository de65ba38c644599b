/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of tokens: has the documents fetched that workers need, each at most once in a short time,
 * however many ask. */
#pragma once

#include "common/base/htab.h"
#include "common/base/log.h"
#include "common/policy/jwks.h"
#include "pushd/bus.h"
#include "pushd/fetch/fetcher.h"
#include "pushd/metrics.h"

/* Between the end of one fetch of a document and the begin of the next. */
#define KEYS_INTERVAL_MS 1000

struct keys_opts {
    struct ev_loop *loop;
    struct bus *bus;
    struct jwks_cache *cache;
    struct metrics *metrics;
};

/* One for the control thread. */
struct keys {
    struct keys_opts o;
    struct fetcher *fetcher;
    struct htab documents;
    struct log_limit failures;
};

/* Starts the helper thread. ERR_UNAVAILABLE. */
int keys_open(struct keys *k, const struct keys_opts *opts, struct err *e);
/* Accepts one that was never opened (zeroed). Frees what still waits, unanswered. */
void keys_close(struct keys *k);

/* Takes a BUS_KEY and answers it exactly once: at once when the cache has the key or the newest
 * document is known not to have it, else after a fetch. */
void keys_take(struct keys *k, struct bus_op *op);
