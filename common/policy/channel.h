/* SPDX-License-Identifier: Apache-2.0 */
/* Channel names: their namespace, their limits, and who may do what (client protocol, section 10).
 */
#pragma once

#include "common/policy/conf.h"
#include "common/protocol/perr.h"

/* Options of the namespace a channel belongs to, or NULL when it names a namespace that is not
 * configured. */
const struct chan_opts *channel_opts(const struct conf *c, struct span channel);

/* Whether a client may use this name: channel_regex of the namespace, or else ASCII only. (The
 * length is checked at subscribe only: channel_is_too_long.) */
bool channel_name_is_valid(const struct conf *c, const struct chan_opts *o, struct span channel);
bool channel_is_too_long(const struct conf *c, struct span channel);

bool channel_is_private(const struct conf *c, struct span channel);

/* Whether the name carries a list of users, and the namespace allows that. */
bool channel_is_user_limited(const struct conf *c, const struct chan_opts *o, struct span channel);
/* Whether `user` is in that list. */
bool channel_allows_user(const struct conf *c, struct span channel, struct span user);

/* What the connection is, as far as permissions go. */
struct channel_subject {
    struct span user; /* n == 0: anonymous */
    bool is_subscribed;
};

enum channel_right {
    RIGHT_PUBLISH,
    RIGHT_PRESENCE,
    RIGHT_HISTORY
};

/* The client/subscriber/anonymous rule; client.insecure allows all. */
bool channel_permits(const struct conf *c, const struct chan_opts *o, enum channel_right right,
                     const struct channel_subject *who);

/* Whether a client may subscribe without a token (steps 12, 15 and 16 of client protocol 5.1;
 * private channels are refused before). */
bool channel_permits_subscribe(const struct conf *c, const struct chan_opts *o, struct span channel,
                               struct span user);

static inline bool channel_has_history(const struct chan_opts *o)
{
    return o->history_size > 0 && o->history_ttl_ms > 0;
}

/* Whether data satisfies publication_data_format. */
bool channel_data_is_valid(const struct chan_opts *o, struct span data);

/* Glob as in client.allowed_origins and the API's channels pattern: * ** ? [abc] [!a] [a-z] {x,y}
 * and backslash. A malformed pattern is found by glob_is_valid. */
bool glob_is_valid(struct span pattern);
bool glob_match(struct span pattern, struct span text);

/* client.allowed_origins against the Origin header (origin.p == NULL: no header). */
bool origin_is_allowed(const struct conf *c, struct span origin);
