/* SPDX-License-Identifier: Apache-2.0 */
/* Channel names made from templates such as "org:{org}:messages". */
#pragma once

#include "common/base/arena.h"
#include "common/format/schema.h"
#include "common/policy/conf.h"

#define TEMPLATE_MAX_VALUE    128
#define TEMPLATE_MAX_CHANNELS 1024

/* Whether a value may stand in a channel name without changing the name's meaning: printable ASCII,
 * at most TEMPLATE_MAX_VALUE bytes, without the characters that structure channel names or
 * templates, and without the configured boundaries. */
bool template_value_is_safe(const struct conf *c, struct span value);

/* Expands each template for the user and, where it has {org}, for each of `orgs` (of struct span).
 * The channels (of struct span) live in the arena, without duplicates. Returns NULL, or a constant
 * sentence that says why the channels are refused: a value that is not safe, a placeholder that
 * nobody knows, too many channels. */
const char *template_expand(const struct conf *c, struct span user, const struct vec *orgs,
                            struct arena *a, struct vec *channels);
