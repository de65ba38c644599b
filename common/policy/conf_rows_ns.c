/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a namespace. */
#include "common/policy/conf_schema.h"

#define ROW(k, p, m)                                                   \
    .path = (p), .kind = (k), .offset = offsetof(struct chan_opts, m), \
    .size = sizeof(((struct chan_opts *)NULL)->m)
#define FLAG(m) ROW(CONF_BOOL, #m, m)

static const struct conf_word recovery_modes[] = {
    {"stream", RECOVERY_STREAM}, {"cache", RECOVERY_CACHE}, {"", RECOVERY_STREAM}, {0}};
static const struct conf_word delta_types[] = {{"fossil", 0}, {0}};
static const struct conf_word data_formats[] = {{"", DATA_FORMAT_ANY},
                                                {"json", DATA_FORMAT_JSON},
                                                {"json_object", DATA_FORMAT_JSON_OBJECT},
                                                {"binary", DATA_FORMAT_BINARY},
                                                {0}};
static const struct conf_word subscription_types[] = {{"stream", SUBSCRIPTION_STREAM},
                                                      {"map", SUBSCRIPTION_MAP},
                                                      {"map_clients", SUBSCRIPTION_MAP_CLIENTS},
                                                      {"map_users", SUBSCRIPTION_MAP_USERS},
                                                      {"shared_poll", SUBSCRIPTION_SHARED_POLL},
                                                      {"", SUBSCRIPTION_STREAM},
                                                      {0}};

static const struct conf_row rows[] = {
    {ROW(CONF_STRING, "name", name),
     .help = "Name of the namespace: the part of a channel before the first boundary."},
    {FLAG(presence), .help = "Keep track of who is subscribed."},
    {FLAG(join_leave), .help = "Produce a message when somebody joins or leaves."},
    {FLAG(force_push_join_leave),
     .help = "Send join and leave messages to every subscriber, not only to those who ask."},
    {ROW(CONF_INT, "history_size", history_size),
     .help = "How many publications are kept; needs history_ttl."},
    {ROW(CONF_DURATION, "history_ttl", history_ttl_ms), .flags = CONF_WHOLE_SECONDS,
     .help = "How long publications are kept after the last one; needs history_size."},
    {ROW(CONF_DURATION, "history_meta_ttl", history_meta_ttl_ms), .flags = CONF_WHOLE_SECONDS,
     .help = "How long the position of the stream is remembered; unset takes "
             "channel.history_meta_ttl."},
    {FLAG(force_positioning), .help = "Watch the stream position of every subscriber."},
    {FLAG(allow_positioning), .help = "Clients may ask for positioning."},
    {FLAG(force_recovery),
     .help = "Every subscriber recovers missed publications after a reconnect; needs history."},
    {FLAG(allow_recovery), .help = "Clients may ask for recovery."},
    {ROW(CONF_ENUM, "force_recovery_mode", force_recovery_mode), .words = recovery_modes,
     .help = "What recovery delivers: all missed publications, or only the newest one."},
    {FLAG(auto_cache_recover),
     .help = "Deliver the newest publication on a first subscribe too; needs recovery mode cache."},
    {ROW(CONF_STRINGS, "allowed_delta_types", allowed_delta_types), .words = delta_types,
     .help = "Delta compressions that clients may negotiate."},
    {FLAG(delta_publish), .help = "Compute deltas for every publication unless it says otherwise."},
    {FLAG(allow_tags_filter),
     .help = "Clients may subscribe with a filter over the tags of publications."},
    {FLAG(allow_channel_compaction),
     .help = "Clients may have the channel's name in pushes replaced by a number."},
    {FLAG(allow_subscribe_for_client),
     .help = "Any user may subscribe without a subscription token."},
    {FLAG(allow_subscribe_for_anonymous),
     .help = "Extends allow_subscribe_for_client to connections without a user."},
    {FLAG(allow_publish_for_client), .help = "Any user may publish."},
    {FLAG(allow_publish_for_subscriber), .help = "A user who is subscribed may publish."},
    {FLAG(allow_publish_for_anonymous),
     .help = "Extends the publish permissions to connections without a user."},
    {FLAG(allow_presence_for_client), .help = "Any user may ask who is subscribed."},
    {FLAG(allow_presence_for_subscriber), .help = "A user who is subscribed may ask who else is."},
    {FLAG(allow_presence_for_anonymous),
     .help = "Extends the presence permissions to connections without a user."},
    {FLAG(allow_history_for_client), .help = "Any user may read the history."},
    {FLAG(allow_history_for_subscriber), .help = "A user who is subscribed may read the history."},
    {FLAG(allow_history_for_anonymous),
     .help = "Extends the history permissions to connections without a user."},
    {FLAG(allow_user_limited_channels),
     .help = "Channel names may end with a list of the users who may subscribe: name#7,42."},
    {ROW(CONF_STRING, "channel_regex", channel_regex),
     .help = "Regular expression (RE2 syntax) that the part of a channel behind the namespace has "
             "to match."},
    {ROW(CONF_ENUM, "publication_data_format", publication_data_format), .words = data_formats,
     .help = "What publications have to be; unset takes channel.publication_data_format."},
    {FLAG(subscribe_proxy_enabled), .flags = CONF_NOT_YET,
     .help = "Ask the backend about each subscribe; they are refused as long as there is none."},
    {FLAG(publish_proxy_enabled), .flags = CONF_NOT_YET,
     .help =
         "Ask the backend about each publication of a client; refused as long as there is none."},
    {FLAG(sub_refresh_proxy_enabled), .flags = CONF_NOT_YET,
     .help = "Ask the backend when a subscription expires."},
    {ROW(CONF_ENUM, "subscription_type", subscription_type), .words = subscription_types,
     .flags = CONF_NOT_YET, .help = "Kind of subscription; only stream is served so far."},
};

const struct conf_table conf_ns_rows = {.rows = rows, .n = ARRAY_LEN(rows)};
