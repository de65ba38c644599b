/* SPDX-License-Identifier: Apache-2.0 */
/* Channel names: a user in the first line, the channel behind it. */
#include "common/policy/channel.h"
#include "tests/fuzz/fuzz_util.h"

static const char text[] =
    "{\"channel\": {\"without_namespace\": {\"allow_user_limited_channels\": true},"
    " \"namespaces\": [{\"name\": \"ns\", \"allow_user_limited_channels\": true, "
    "\"allow_subscribe_for_client\": true},"
    "  {\"name\": \"re\", \"channel_regex\": \"^[a-z\\u0430-\\u044f]+(#.*)?$\"}]}}";

static struct conf *conf(void)
{
    static struct conf *c;
    if (c == NULL) {
        c = conf_load(&(struct conf_load_opts){.text = text, .text_len = sizeof(text) - 1}, NULL);
        fuzz_require(c != NULL, "the built-in configuration loads");
    }
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = span_of(data, size);
    size_t end = span_find(all, '\n', 0);
    struct span user = span_of(data, end);
    struct span channel = span_from(all, end + 1);
    const struct conf *c = conf();
    const struct chan_opts *o = channel_opts(c, channel);
    if (o == NULL) {
        fuzz_require(span_find(channel, ':', 0) < channel.n,
                     "only a name with a boundary has an unknown namespace");
        return 0;
    }
    bool is_limited = channel_is_user_limited(c, o, channel);
    bool is_listed = channel_allows_user(c, channel, user);
    fuzz_require(!is_listed || span_find(channel, '#', 0) < channel.n,
                 "a list of users needs a boundary");
    fuzz_require(!is_listed || span_find(user, '#', 0) == user.n,
                 "a user with a boundary in the name is in no list");
    bool may = channel_permits_subscribe(c, o, channel, user);
    fuzz_require(!(is_limited && is_listed) || may, "a listed user may subscribe");
    fuzz_require(!(is_limited && !is_listed) || !may, "another user may not");
    channel_name_is_valid(c, o, channel);
    channel_is_private(c, channel);
    channel_is_too_long(c, channel);
    channel_data_is_valid(o, channel);
    return 0;
}
