/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the server API. */
#include "common/policy/api_key.h"

#include "common/base/mem.h"

bool api_key_exists(const struct conf *c)
{
    return c->http_api.key[0] != '\0' || c->pushd.api_key_count != 0;
}

/* All ones when the texts are equal, else 0. An empty key is none. */
static uintptr_t mask_of(const char *key, struct span given)
{
    return (uintptr_t)0 -
           (uintptr_t)(mem_eq_secret(key, strlen(key), given.p, given.n) & (key[0] != '\0'));
}

bool api_key_find(const struct conf *c, struct span given, const struct conf_api_key **key)
{
    /* 0: none, 1: http_api.key, 2 and more: ours. No branch depends on the result. */
    uintptr_t found = mask_of(c->http_api.key, given) & 1;
    for (size_t i = 0; i < c->pushd.api_key_count; i++) {
        uintptr_t mask = mask_of(c->pushd.api_keys[i].key, given);
        found = (found & ~mask) | ((i + 2) & mask);
    }
    *key = found > 1 ? &c->pushd.api_keys[found - 2] : NULL;
    return found != 0;
}

bool api_key_is_limited(const struct conf_api_key *key)
{
    return key != NULL && key->channels.n != 0;
}

bool api_key_has_channel(const struct conf_api_key *key, struct span channel)
{
    if (!api_key_is_limited(key)) {
        return true;
    }
    for (size_t i = 0; i < key->channels.n; i++) {
        if (span_starts(channel, span_str(key->channels.items[i]))) {
            return true;
        }
    }
    return false;
}
