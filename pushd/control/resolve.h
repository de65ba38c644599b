/* SPDX-License-Identifier: Apache-2.0 */
/* Host names to addresses without stopping the loop: the system's resolver blocks, so a thread asks
 * it. */
#pragma once

#include "common/base/str.h"

#include <ev.h>

#define RESOLVE_TEXT_MAX    48 /* of a numeric address */
#define RESOLVE_ADDRESS_MAX 8

struct resolve;

/* Called on the loop, never from within resolve_start. n == 0: `error` says why. */
typedef void (*resolve_fn)(void *arg, char (*addresses)[RESOLVE_TEXT_MAX], size_t n,
                           const char *error);

/* True when the host is a numeric address already. */
bool resolve_is_numeric(const char *host);

/* Starts one look-up. It ends with one call of fn, or with resolve_cancel. */
struct resolve *resolve_start(struct ev_loop *loop, const char *host, resolve_fn fn, void *arg);
/* No call any more; the thread cleans up after itself. Accepts NULL. Not after fn was called. */
void resolve_cancel(struct resolve *r);
