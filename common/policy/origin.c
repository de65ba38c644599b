/* SPDX-License-Identifier: Apache-2.0 */
/* Which pages may connect. */
#include "common/policy/channel.h"

#define ORIGIN_MAX_BYTES 1024

bool origin_is_allowed(const struct conf *c, struct span origin)
{
    char lower[ORIGIN_MAX_BYTES];
    if (origin.n == 0) {
        return true; /* no browser: they never send an empty one */
    }
    if (origin.n > sizeof(lower)) {
        return false;
    }
    for (size_t i = 0; i < origin.n; i++) {
        char ch = origin.p[i];
        lower[i] = (char)(ch >= 'A' && ch <= 'Z' ? ch - 'A' + 'a' : ch);
    }
    for (size_t i = 0; i < c->client.allowed_origins.n; i++) {
        if (glob_match(span_str(c->client.allowed_origins.items[i]), span_of(lower, origin.n))) {
            return true;
        }
    }
    return false;
}
