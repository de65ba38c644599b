/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the server API: http_api.key, which may do everything, and those of pushd.api_keys. */
#pragma once

#include "common/policy/conf.h"

/* Whether there is any key at all. */
bool api_key_exists(const struct conf *c);

/* Whether `given` (not empty) is a key. *key gets the element of pushd.api_keys, borrowed, or NULL
 * when it is http_api.key. It is compared with all of them, each in constant time, so that the time
 * tells neither a key nor which one it was. */
bool api_key_find(const struct conf *c, struct span given, const struct conf_api_key **key);

/* Whether the key's list of channels, if it has one, covers this channel. NULL covers all. */
bool api_key_has_channel(const struct conf_api_key *key, struct span channel);
/* Whether it has such a list. */
bool api_key_is_limited(const struct conf_api_key *key);
