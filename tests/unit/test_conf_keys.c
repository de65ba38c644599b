/* SPDX-License-Identifier: Apache-2.0 */
/* pushd.api_keys: loading, checks, printing, and finding the key that was given. */
#include "common/policy/api_key.h"
#include "tests/unit/conf_fixture.h"
#include "tests/unit/unit.h"

/* The configuration with this list of keys. */
static struct conf *load_keys(const char *list)
{
    struct buf text = {0};
    buf_addf(&text,
             "{\"http_api\": {\"key\": \"the-key-of-everything\"}, \"channel\": {\"namespaces\": "
             "[{\"name\": \"ticker\"}]}, \"pushd\": {\"api_keys\": %s}}",
             list);
    struct conf *c = conf_fixture_load(buf_cstr(&text), NULL, false);
    buf_free(&text);
    return c;
}

#define TICKER                                                                               \
    "{\"name\": \"ticker\", \"key\": \"ticker-key-0123456789\", \"scopes\": [\"publish\"], " \
    "\"channels\": [\"ticker:\", \"news\"]}"
#define OPS "{\"name\": \"ops\", \"key\": \"operator-key-0123456789\", \"scopes\": \"admin\"}"

static void keys_are_found_with_their_rights(void **state)
{
    const struct conf_api_key *key = NULL;
    (void)state;
    struct conf *c = load_keys("[" TICKER ", " OPS "]");
    assert_non_null(c);
    assert_int_equal(conf_warnings.n, 0);
    assert_true(api_key_exists(c));
    assert_true(api_key_find(c, SPAN("the-key-of-everything"), &key));
    assert_null(key);
    assert_true(api_key_find(c, SPAN("ticker-key-0123456789"), &key));
    assert_string_equal(key->name, "ticker");
    assert_int_equal(key->scope_bits, API_SCOPE_PUBLISH);
    assert_true(api_key_is_limited(key));
    assert_true(api_key_has_channel(key, SPAN("ticker:DAX")));
    assert_true(api_key_has_channel(key, SPAN("newsletter")));
    assert_false(api_key_has_channel(key, SPAN("ticker")));
    assert_false(api_key_has_channel(key, SPAN("$ticker:DAX")));
    assert_false(api_key_has_channel(key, SPAN("")));
    assert_true(api_key_find(c, SPAN("operator-key-0123456789"), &key));
    assert_string_equal(key->name, "ops");
    assert_int_equal(key->scope_bits, API_SCOPE_PUBLISH | API_SCOPE_READ | API_SCOPE_ADMIN);
    assert_false(api_key_is_limited(key));
    assert_true(api_key_has_channel(key, SPAN("anything")));
    const char *const wrong[] = {"", "x", "ticker-key-012345678", "ticker-key-01234567890",
                                 "ticker-key-0123456789ticker-key-0123456789"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_false(api_key_find(c, span_str(wrong[i]), &key));
        assert_null(key);
    }
    conf_free(c);
}

static void without_http_api_key_the_others_count(void **state)
{
    const struct conf_api_key *key = NULL;
    (void)state;
    struct conf *c = conf_fixture_load("{\"pushd\": {\"api_keys\": [" OPS "]}}", NULL, false);
    assert_non_null(c);
    assert_true(api_key_exists(c));
    assert_true(api_key_find(c, SPAN("operator-key-0123456789"), &key));
    assert_non_null(key);
    assert_false(api_key_find(c, SPAN(""), &key));
    conf_free(c);
    c = conf_fixture_load("{}", NULL, false);
    assert_false(api_key_exists(c));
    conf_free(c);
}

static void bad_keys_are_refused_and_named(void **state)
{
    static const struct {
        const char *list;
        const char *error;
    } rows[] = {
        {"[{\"key\": \"0123456789abcdef\"}]", "pushd.api_keys: key number 1 has no name"},
        {"[\"x\"]", "pushd.api_keys: expected objects such as {\"name\": \"app\""},
        {"{}", "pushd.api_keys: expected a list of objects"},
        {"[{\"name\": \"a b\", \"key\": \"0123456789abcdef\"}]",
         "pushd.api_keys[a b].name: a key has a name of letters"},
        {"[{\"name\": \"a\", \"scopes\": [\"read\"]}]", "pushd.api_keys[a].key: has to be set"},
        {"[{\"name\": \"a\", \"key\": \"0123456789abcdef\"}]",
         "pushd.api_keys[a].scopes: the key may do nothing"},
        {"[{\"name\": \"a\", \"key\": \"0123456789abcdef\", \"scopes\": [\"read\", \"publsh\"]}]",
         "found \"publsh\"; did you mean publish?"},
        {"[" TICKER ", " TICKER "]",
         "pushd.api_keys[ticker].name: there are two keys of this name"},
        {"[{\"name\": \"a\", \"key\": \"the-key-of-everything\", \"scopes\": [\"read\"]}]",
         "pushd.api_keys[a].key: is the same as that of http_api.key"},
        {"[" TICKER ", {\"name\": \"b\", \"key\": \"ticker-key-0123456789\", \"scopes\": "
         "[\"read\"]}]",
         "pushd.api_keys[b].key: is the same as that of ticker"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_null(load_keys(rows[i].list));
        if (strstr(conf_error.text, rows[i].error) == NULL) {
            fail_msg("%s\ngot  %s\nwant %s", rows[i].list, conf_error.text, rows[i].error);
        }
        assert_null(strstr(conf_error.text, "0123456789"));
    }
}

static void doubtful_keys_are_warned_about(void **state)
{
    (void)state;
    struct conf *c = load_keys("[{\"name\": \"a\", \"key\": \"short\", \"scopes\": [\"read\"], "
                               "\"scope\": 1, \"channels\": [\"tcker:\", \"$ticker:\", \":x\", "
                               "\"news\"]}]");
    assert_non_null(c);
    assert_true(conf_warned("pushd.api_keys[a].key: has fewer than 16 characters"));
    assert_true(
        conf_warned("pushd.api_keys[a].channels: no channel begins with tcker:: there is no "
                    "namespace tcker in channel.namespaces"));
    assert_true(conf_warned("pushd.api_keys[a].scope: unknown option; did you mean "
                            "pushd.api_keys[a].scopes?"));
    assert_false(conf_warned("ticker: there"));
    assert_false(conf_warned("news"));
    assert_false(conf_warned("short"));
    conf_free(c);
    c = conf_fixture_load("{\"pushd\": {\"api_key\": []}}", NULL, false);
    assert_true(conf_warned("did you mean pushd.api_keys?"));
    conf_free(c);
}

static void keys_come_from_the_environment(void **state)
{
    static const char *const secrets[] = {
        "CENTRIFUGO_PUSHD_API_KEYS_TICK_ER_KEY=from-the-environment",
        "CENTRIFUGO_PUSHD_API_KEYS_TICK_ER_CHANNELS=a b",
        "CENTRIFUGO_PUSHD_API_KEYS_GONE_KEY=x",
        NULL,
    };
    static const char *const json[] = {"CENTRIFUGO_PUSHD_API_KEYS=[" OPS "]", NULL};
    static const char *const names[] = {
        "CENTRIFUGO_PUSHD_API_KEYS=tick-er new",
        "CENTRIFUGO_PUSHD_API_KEYS_NEW_KEY=0123456789abcdef",
        "CENTRIFUGO_PUSHD_API_KEYS_NEW_SCOPES=read publish",
        NULL,
    };
    static const char *const bad[] = {"CENTRIFUGO_PUSHD_API_KEYS_TICK_ER_SCOPES=reed", NULL};
    static const char file[] = "{\"pushd\": {\"api_keys\": [{\"name\": \"tick-er\", \"key\": "
                               "\"0000456789abcdef\", \"scopes\": [\"publish\"]}]}}";
    (void)state;
    struct conf *c = conf_fixture_load(file, secrets, false);
    assert_int_equal(c->pushd.api_key_count, 1);
    assert_string_equal(c->pushd.api_keys[0].key, "from-the-environment");
    assert_int_equal(c->pushd.api_keys[0].channels.n, 2);
    assert_true(conf_warned("CENTRIFUGO_PUSHD_API_KEYS_GONE_KEY: no option has this variable"));
    conf_free(c);
    c = conf_fixture_load(file, json, false);
    assert_int_equal(c->pushd.api_key_count, 1);
    assert_string_equal(c->pushd.api_keys[0].name, "ops");
    conf_free(c);
    c = conf_fixture_load(file, names, false);
    assert_int_equal(c->pushd.api_key_count, 2);
    assert_string_equal(c->pushd.api_keys[0].key, "0000456789abcdef");
    assert_int_equal(c->pushd.api_keys[1].scope_bits, API_SCOPE_PUBLISH | API_SCOPE_READ);
    conf_free(c);
    assert_null(conf_fixture_load(file, bad, false));
    assert_non_null(strstr(conf_error.text,
                           "CENTRIFUGO_PUSHD_API_KEYS_TICK_ER_SCOPES: expected one of "
                           "publish read admin, found \"reed\"; did you mean read?"));
}

static void keys_are_printed_without_their_secret(void **state)
{
    struct buf out = {0};
    (void)state;
    struct conf *c = load_keys("[" TICKER "]");
    conf_print(c, false, &out);
    assert_non_null(strstr(buf_cstr(&out),
                           "\"api_keys\": [\n      {\n        \"name\": \"ticker\",\n"
                           "        \"key\": \"***\",\n"
                           "        \"scopes\": [\"publish\"],\n"
                           "        \"channels\": [\"ticker:\", \"news\"]\n"));
    assert_null(strstr(buf_cstr(&out), "0123456789"));
    buf_clear(&out);
    conf_print(c, true, &out);
    conf_free(c);
    c = conf_fixture_load(buf_cstr(&out), NULL, false);
    assert_int_equal(c->pushd.api_key_count, 1);
    assert_string_equal(c->pushd.api_keys[0].key, "ticker-key-0123456789");
    conf_free(c);
    buf_free(&out);
}

static int tear_down(void **state)
{
    (void)state;
    conf_fixture_fini();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_with_their_rights),
        cmocka_unit_test(without_http_api_key_the_others_count),
        cmocka_unit_test(bad_keys_are_refused_and_named),
        cmocka_unit_test(doubtful_keys_are_warned_about),
        cmocka_unit_test(keys_come_from_the_environment),
        cmocka_unit_test(keys_are_printed_without_their_secret),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
