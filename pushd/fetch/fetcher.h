/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP requests to others, for the control thread: a helper thread runs them all, so neither a slow
 * server nor a slow look-up of its name stops a loop. */
#pragma once

#include "common/base/err.h"
#include "common/base/fetch.h"

#include <ev.h>

struct fetcher;

/* Both get the request, which is freed after `done`. `read` is called on the helper thread: what it
 * writes, `done` may read. */
typedef void (*fetcher_fn)(void *arg, const struct fetch *f);

struct fetcher_ask {
    struct fetch_spec spec;
    fetcher_fn read;
    fetcher_fn done; /* on the loop */
    void *arg;
};

/* NULL and e when no thread can be had. The loop's thread is the one that calls all functions. */
struct fetcher *fetcher_new(struct ev_loop *loop, struct err *e);
/* Ends what is under way: no call of `done` any more. Accepts NULL. */
void fetcher_free(struct fetcher *f);

/* Starts one request, ended by one call of `done`. False, without one, when the URL is refused. */
bool fetcher_start(struct fetcher *f, const struct fetcher_ask *ask);
