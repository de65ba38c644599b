/* SPDX-License-Identifier: Apache-2.0 */
/* Channel names, permissions, data formats, origins. */
#include "common/policy/channel.h"
#include "tests/unit/unit.h"

static struct conf *load(const char *text)
{
    struct err e = {0};
    struct conf *c =
        conf_load(&(struct conf_load_opts){.text = text, .text_len = strlen(text)}, &e);
    if (c == NULL) {
        fail_msg("%s", e.text);
    }
    return c;
}

static const char base[] =
    "{\"channel\": {\"without_namespace\": {\"allow_subscribe_for_client\": true},"
    " \"namespaces\": [{\"name\": \"closed\"}, {\"name\": \"open\", "
    "\"allow_subscribe_for_client\": true},"
    "  {\"name\": \"anon\", \"allow_subscribe_for_client\": true, "
    "\"allow_subscribe_for_anonymous\": true},"
    "  {\"name\": \"user\", \"allow_user_limited_channels\": true, \"allow_subscribe_for_client\": "
    "true},"
    "  {\"name\": \"regex\", \"channel_regex\": \"^[a-z]+$\"}]}}";

static const char *ns_of(const struct conf *c, struct span channel)
{
    const struct chan_opts *o = channel_opts(c, channel);
    return o != NULL ? o->name : "unknown";
}

static void a_namespace_ends_at_the_first_boundary(void **state)
{
    (void)state;
    struct conf *c = load(base);
    assert_string_equal(ns_of(c, SPAN("open:a:b")), "open");
    assert_string_equal(ns_of(c, SPAN("open:")), "open");
    assert_string_equal(ns_of(c, SPAN("$open:a")), "open");
    assert_string_equal(ns_of(c, SPAN("$$open:a")), "unknown");
    assert_string_equal(ns_of(c, SPAN("open")), "");
    assert_string_equal(ns_of(c, SPAN(":a")), "");
    assert_string_equal(ns_of(c, SPAN("$:a")), "");
    assert_string_equal(ns_of(c, SPAN("")), "");
    assert_string_equal(ns_of(c, SPAN("Open:a")), "unknown");
    assert_string_equal(ns_of(c, SPAN("a#open:x")), "unknown");
    assert_string_equal(ns_of(c, SPAN("open\0:a")), "unknown");
    conf_free(c);
}

static void boundaries_can_be_changed(void **state)
{
    (void)state;
    struct conf *c = load("{\"channel\": {\"namespace_boundary\": \"::\", \"private_prefix\": "
                          "\"!!\", \"user_boundary\": \"@@\","
                          " \"user_separator\": \"; \", \"namespaces\": [{\"name\": \"open\", "
                          "\"allow_user_limited_channels\": true}]}}");
    const struct chan_opts *o = channel_opts(c, SPAN("!!open::a"));
    assert_string_equal(o->name, "open");
    assert_string_equal(ns_of(c, SPAN("open:a")), "");
    assert_true(channel_is_private(c, SPAN("!!x")));
    assert_false(channel_is_private(c, SPAN("!x")));
    assert_false(channel_is_private(c, SPAN("$x")));
    assert_true(channel_is_user_limited(c, o, SPAN("open::x@@7")));
    assert_true(channel_allows_user(c, SPAN("open::x@@@7; 42"), SPAN("42")));
    assert_true(channel_allows_user(c, SPAN("open::x@@7; 42"), SPAN("7")));
    assert_false(channel_allows_user(c, SPAN("open::x@@7; 42"), SPAN("7; 42")));
    conf_free(c);
}

static void names_are_ascii_or_match_the_regex(void **state)
{
    (void)state;
    struct conf *c = load(base);
    const struct chan_opts *open = channel_opts(c, SPAN("open:a"));
    const struct chan_opts *regex = channel_opts(c, SPAN("regex:a"));
    assert_true(channel_name_is_valid(c, open, SPAN("open:a b\t/*?[]{}\"\\,<>&%\x7f")));
    assert_false(channel_name_is_valid(c, open, SPAN("open:\xc3\xa9")));
    assert_true(channel_name_is_valid(c, regex, SPAN("regex:abc")));
    assert_true(channel_name_is_valid(c, regex, SPAN("$regex:abc")));
    assert_false(channel_name_is_valid(c, regex, SPAN("regex:ABC")));
    assert_false(channel_name_is_valid(c, regex, SPAN("regex:")));
    assert_false(channel_name_is_valid(c, regex, SPAN("regex:a:b")));
    assert_false(channel_name_is_valid(c, regex, SPAN("regex:a\0b")));
    conf_free(c);
    c = load("{\"channel\": {\"without_namespace\": {\"channel_regex\": \"^[a-z]+$\"}}}");
    const struct chan_opts *o = &c->channel.without_namespace;
    assert_true(channel_name_is_valid(c, o, SPAN("abc")));
    assert_false(channel_name_is_valid(c, o, SPAN("$abc")));
    conf_free(c);
}

static void length_is_counted_in_bytes(void **state)
{
    (void)state;
    struct conf *c = load("{\"channel\": {\"max_length\": 5}}");
    assert_false(channel_is_too_long(c, SPAN("abcde")));
    assert_true(channel_is_too_long(c, SPAN("abcdef")));
    assert_true(channel_is_too_long(c, SPAN("\xc3\xa9\xc3\xa9\xc3\xa9")));
    conf_free(c);
}

static void a_list_of_users_stands_behind_the_last_boundary(void **state)
{
    (void)state;
    struct conf *c = load(base);
    static const struct {
        const char *channel;
        const char *user;
        bool is_allowed;
    } rows[] = {
        {"user:dialog#42", "42", true},   {"user:dialog#7,42,9", "42", true},
        {"user:a#b#42", "42", true},      {"user:dialog#43", "42", false},
        {"user:dialog#4,2", "42", false}, {"user:dialog#", "42", false},
        {"user:a#42#b", "42", false},     {"user:dialog#", "", true},
        {"user:dialog#,42", "", true},    {"user:dialog#42,", "", true},
        {"user:dialog#42", "", false},    {"user:dialog#42,43", "42,43", false},
        {"user:plain", "42", false},      {"user:dialog#42 ", "42", false},
    };
    const struct chan_opts *o = channel_opts(c, SPAN("user:x"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span channel = span_str(rows[i].channel);
        struct span user = span_str(rows[i].user);
        assert_int_equal(channel_allows_user(c, channel, user), rows[i].is_allowed);
        bool is_limited = strchr(rows[i].channel, '#') != NULL;
        assert_int_equal(channel_is_user_limited(c, o, channel), is_limited);
        assert_int_equal(channel_permits_subscribe(c, o, channel, user),
                         is_limited ? rows[i].is_allowed : user.n > 0);
    }
    const struct chan_opts *open = channel_opts(c, SPAN("open:x"));
    assert_false(channel_is_user_limited(c, open, SPAN("open:a#42")));
    assert_true(channel_permits_subscribe(c, open, SPAN("open:a#42"), SPAN("7")));
    conf_free(c);
}

static void subscribe_needs_a_permission(void **state)
{
    (void)state;
    struct conf *c = load(base);
    assert_false(channel_permits_subscribe(c, channel_opts(c, SPAN("closed:a")), SPAN("closed:a"),
                                           SPAN("42")));
    assert_true(
        channel_permits_subscribe(c, channel_opts(c, SPAN("open:a")), SPAN("open:a"), SPAN("42")));
    assert_false(
        channel_permits_subscribe(c, channel_opts(c, SPAN("open:a")), SPAN("open:a"), SPAN("")));
    assert_true(
        channel_permits_subscribe(c, channel_opts(c, SPAN("anon:a")), SPAN("anon:a"), SPAN("")));
    conf_free(c);
    c = load("{\"client\": {\"insecure\": true}}");
    assert_true(channel_permits_subscribe(c, channel_opts(c, SPAN("a")), SPAN("a"), SPAN("")));
    conf_free(c);
}

static void rights_follow_client_subscriber_anonymous(void **state)
{
    (void)state;
    struct conf *c = load("{}");
    struct chan_opts o = {0};
    static const enum channel_right rights[] = {RIGHT_PUBLISH, RIGHT_PRESENCE, RIGHT_HISTORY};
    bool *const flags[][3] = {
        {&o.allow_publish_for_client, &o.allow_publish_for_subscriber,
         &o.allow_publish_for_anonymous},
        {&o.allow_presence_for_client, &o.allow_presence_for_subscriber,
         &o.allow_presence_for_anonymous},
        {&o.allow_history_for_client, &o.allow_history_for_subscriber,
         &o.allow_history_for_anonymous},
    };
    for (size_t r = 0; r < ARRAY_LEN(rights); r++) {
        for (unsigned bits = 0; bits < 32; bits++) {
            bool client = bits & 1;
            bool subscriber = bits & 2;
            bool anonymous = bits & 4;
            struct channel_subject who = {.user = (bits & 8) != 0 ? SPAN("42") : SPAN(""),
                                          .is_subscribed = (bits & 16) != 0};
            *flags[r][0] = client;
            *flags[r][1] = subscriber;
            *flags[r][2] = anonymous;
            bool expected = (client && (who.user.n > 0 || anonymous)) ||
                            (subscriber && who.is_subscribed && (who.user.n > 0 || anonymous));
            assert_int_equal(channel_permits(c, &o, rights[r], &who), expected);
        }
        *flags[r][0] = *flags[r][1] = *flags[r][2] = false;
    }
    c->client.insecure = true;
    assert_true(channel_permits(c, &o, RIGHT_HISTORY, &(struct channel_subject){.user = SPAN("")}));
    conf_free(c);
}

static void data_has_its_format(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        bool any, json, object, binary;
    } rows[] = {
        {"", false, false, false, true},         {"{}", true, true, true, true},
        {" {\"a\":1} ", true, true, true, true}, {"[1]", true, true, false, true},
        {"1", true, true, false, true},          {"hello", true, false, false, true},
        {"{\"a\":}", true, false, false, true},  {"{} {}", true, false, false, true},
        {"\"\xff\"", true, false, false, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct span data = span_str(rows[i].data);
        struct chan_opts o = {.publication_data_format = DATA_FORMAT_ANY};
        assert_int_equal(channel_data_is_valid(&o, data), rows[i].any);
        o.publication_data_format = DATA_FORMAT_JSON;
        assert_int_equal(channel_data_is_valid(&o, data), rows[i].json);
        o.publication_data_format = DATA_FORMAT_JSON_OBJECT;
        assert_int_equal(channel_data_is_valid(&o, data), rows[i].object);
        o.publication_data_format = DATA_FORMAT_BINARY;
        assert_int_equal(channel_data_is_valid(&o, data), rows[i].binary);
    }
    struct chan_opts o = {.publication_data_format = DATA_FORMAT_JSON};
    assert_false(channel_data_is_valid(&o, (struct span){0}));
}

static void origins_match_in_lower_case(void **state)
{
    (void)state;
    struct conf *c = load("{\"client\": {\"allowed_origins\": [\"http://good.example\", "
                          "\"https://*.example.com\"]}}");
    assert_true(origin_is_allowed(c, (struct span){0}));
    assert_true(origin_is_allowed(c, SPAN("http://good.example")));
    assert_true(origin_is_allowed(c, SPAN("HTTP://Good.Example")));
    assert_true(origin_is_allowed(c, SPAN("https://A.example.com")));
    assert_true(origin_is_allowed(c, SPAN("https://a.b.example.com")));
    assert_false(origin_is_allowed(c, SPAN("https://example.com")));
    assert_false(origin_is_allowed(c, SPAN("http://a.example.com")));
    assert_false(origin_is_allowed(c, SPAN("http://good.example.evil")));
    assert_false(origin_is_allowed(c, SPAN("null")));
    conf_free(c);
    c = load("{}");
    assert_true(origin_is_allowed(c, (struct span){0}));
    assert_false(origin_is_allowed(c, SPAN("http://good.example")));
    conf_free(c);
    c = load("{\"client\": {\"allowed_origins\": [\"*\"]}}");
    assert_true(origin_is_allowed(c, SPAN("anything")));
    conf_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_namespace_ends_at_the_first_boundary),
        cmocka_unit_test(boundaries_can_be_changed),
        cmocka_unit_test(names_are_ascii_or_match_the_regex),
        cmocka_unit_test(length_is_counted_in_bytes),
        cmocka_unit_test(a_list_of_users_stands_behind_the_last_boundary),
        cmocka_unit_test(subscribe_needs_a_permission),
        cmocka_unit_test(rights_follow_client_subscriber_anonymous),
        cmocka_unit_test(data_has_its_format),
        cmocka_unit_test(origins_match_in_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
