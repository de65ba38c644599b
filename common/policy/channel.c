/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of channel names and permissions. */
#include "common/policy/channel.h"

#include "common/format/jscan.h"
#include "common/policy/rx.h"

/* Position of `what` in s at or after `from`, or s.n. An empty `what` is nowhere. */
static size_t find_text(struct span s, struct span what, size_t from)
{
    for (size_t i = from; what.n > 0 && i + what.n <= s.n; i++) {
        const char *p = memchr(s.p + i, what.p[0], s.n - what.n - i + 1);
        if (p == NULL) {
            break;
        }
        i = (size_t)(p - s.p);
        if (memcmp(p, what.p, what.n) == 0) {
            return i;
        }
    }
    return s.n;
}

/* Whether the channel has a namespace part: its name and the rest behind the boundary. */
static bool split_namespace(const struct conf *c, struct span channel, struct span *name,
                            struct span *rest)
{
    struct span prefix = span_str(c->channel.private_prefix);
    struct span boundary = span_str(c->channel.namespace_boundary);
    struct span s = span_starts(channel, prefix) ? span_from(channel, prefix.n) : channel;
    size_t at = find_text(s, boundary, 0);
    if (at == s.n) {
        return false;
    }
    *name = span_of(s.p, at);
    *rest = span_from(s, at + boundary.n);
    return true;
}

const struct chan_opts *channel_opts(const struct conf *c, struct span channel)
{
    struct span name;
    struct span rest;
    /* ":a" has an empty namespace name, which is no namespace. */
    if (!split_namespace(c, channel, &name, &rest) || name.n == 0) {
        return &c->channel.without_namespace;
    }
    struct htab_node *node = htab_get(&c->channel.namespace_index, name);
    return node != NULL ? CONTAINER_OF(node, const struct conf_ns_node, node)->opts : NULL;
}

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (((unsigned char)s.p[i] & 0x80) != 0) {
            return false;
        }
    }
    return true;
}

bool channel_name_is_valid(const struct conf *c, const struct chan_opts *o, struct span channel)
{
    if (o->channel_regex_compiled == NULL) {
        return is_ascii(channel);
    }
    struct span name;
    struct span rest;
    if (!split_namespace(c, channel, &name, &rest)) {
        rest = channel;
    }
    return (rest.n == 0 || memchr(rest.p, '\0', rest.n) == NULL) &&
           rx_finds(o->channel_regex_compiled, rest);
}

bool channel_is_too_long(const struct conf *c, struct span channel)
{
    return channel.n > (uint64_t)c->channel.max_length;
}

bool channel_is_private(const struct conf *c, struct span channel)
{
    return span_starts(channel, span_str(c->channel.private_prefix));
}

bool channel_is_user_limited(const struct conf *c, const struct chan_opts *o, struct span channel)
{
    return o->allow_user_limited_channels &&
           find_text(channel, span_str(c->channel.user_boundary), 0) < channel.n;
}

bool channel_allows_user(const struct conf *c, struct span channel, struct span user)
{
    struct span boundary = span_str(c->channel.user_boundary);
    struct span separator = span_str(c->channel.user_separator);
    size_t last = channel.n;
    for (size_t at = find_text(channel, boundary, 0); at < channel.n;
         at = find_text(channel, boundary, at + boundary.n)) {
        last = at;
    }
    if (last == channel.n) {
        return false;
    }
    /* Also an empty list is a list of one user, the anonymous one. */
    struct span rest = span_from(channel, last + boundary.n);
    for (;;) {
        size_t end = find_text(rest, separator, 0);
        if (span_eq(span_of(rest.p, end), user)) {
            return true;
        }
        if (end == rest.n) {
            return false;
        }
        rest = span_from(rest, end + separator.n);
    }
}

/* The three flags of a right. */
struct grant {
    bool for_client;
    bool for_subscriber;
    bool for_anonymous;
};

static struct grant grant_of(const struct chan_opts *o, enum channel_right right)
{
    switch (right) {
    case RIGHT_PUBLISH:
        return (struct grant){.for_client = o->allow_publish_for_client,
                              .for_subscriber = o->allow_publish_for_subscriber,
                              .for_anonymous = o->allow_publish_for_anonymous};
    case RIGHT_PRESENCE:
        return (struct grant){.for_client = o->allow_presence_for_client,
                              .for_subscriber = o->allow_presence_for_subscriber,
                              .for_anonymous = o->allow_presence_for_anonymous};
    case RIGHT_HISTORY:
        return (struct grant){.for_client = o->allow_history_for_client,
                              .for_subscriber = o->allow_history_for_subscriber,
                              .for_anonymous = o->allow_history_for_anonymous};
    }
    return (struct grant){0};
}

bool channel_permits(const struct conf *c, const struct chan_opts *o, enum channel_right right,
                     const struct channel_subject *who)
{
    struct grant g = grant_of(o, right);
    bool is_granted = g.for_client || (g.for_subscriber && who->is_subscribed);
    return (is_granted && (who->user.n > 0 || g.for_anonymous)) || c->client.insecure;
}

bool channel_permits_subscribe(const struct conf *c, const struct chan_opts *o, struct span channel,
                               struct span user)
{
    bool is_user_limited = channel_is_user_limited(c, o, channel);
    if (is_user_limited && channel_allows_user(c, channel, user)) {
        return true;
    }
    bool is_granted =
        o->allow_subscribe_for_client && (user.n > 0 || o->allow_subscribe_for_anonymous);
    return (is_granted && !is_user_limited) || c->client.insecure;
}

bool channel_data_is_valid(const struct chan_opts *o, struct span data)
{
    switch (o->publication_data_format) {
    case DATA_FORMAT_ANY:
        return data.n > 0;
    case DATA_FORMAT_BINARY:
        return true;
    case DATA_FORMAT_JSON:
        return data.n > 0 && jscan_is_valid(data);
    case DATA_FORMAT_JSON_OBJECT: {
        struct span s = span_trim(data);
        return s.n > 0 && s.p[0] == '{' && jscan_is_valid(s);
    }
    }
    return false;
}
