/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration from CENTRIFUGO_... variables, in the names of all versions. */
#include "common/policy/conf.h"
#include "tests/unit/conf_fixture.h"
#include "tests/unit/unit.h"

static struct conf *load_env(const char *text, const char *const *environ)
{
    struct conf *c = conf_fixture_load(text, environ, false);
    assert_non_null(c);
    return c;
}

static void older_variables_still_work(void **state)
{
    (void)state;
    static const char *const environ[] = {
        "CENTRIFUGO_URL=https://example.com",
        "CENTRIFUGO_API_KEY=key",
        "CENTRIFUGO_TOKEN_HMAC_SECRET_KEY=old",
        "CENTRIFUGO_ALLOWED_ORIGINS=*",
        "CENTRIFUGO_ADMIN_PASSWORD=p",
        "CENTRIFUGO_ADMIN_SECRET=s",
        "CENTRIFUGO_REDIS_ADDRESS=redis:6379",
        "CENTRIFUGO_PORT=tcp://10.0.0.1:8000",
        "CENTRIFUGO_SERVICE_HOST=10.0.0.1",
        "CENTRIFUGO_PORT_8000_TCP=x",
        "CENTRIFUGO_VAR_X=1",
        "CENTRIFUGO_SERVICE_PORT=80",
        "CENTRIFUGO_USAGE_STATS_DISABLED=true",
        "CENTRIFUGO_GRPC_API_PORT=10000",
        NULL,
    };
    struct conf *c = load_env("{}", environ);
    assert_string_equal(c->client.token.hmac_secret_key, "old");
    assert_string_equal(c->http_api.key, "key");
    assert_string_equal(c->client.allowed_origins.items[0], "*");
    assert_string_equal(c->engine.redis.address.items[0], "redis:6379");
    assert_string_equal(c->admin.password, "p");
    assert_string_equal(c->admin.secret, "s");
    assert_true(c->admin.enabled);
    conf_free(c);
}

static void the_present_variable_beats_the_older_one(void **state)
{
    (void)state;
    static const char *const environ[] = {
        "CENTRIFUGO_HTTP_API_KEY=new",
        "CENTRIFUGO_API_KEY=old",
        "CENTRIFUGO_ADMIN_PASSWORD=p",
        "CENTRIFUGO_ADMIN_ENABLED=false",
        NULL,
    };
    struct conf *c = load_env("{\"http_api\": {\"key\": \"file\"}}", environ);
    assert_string_equal(c->http_api.key, "new");
    assert_false(c->admin.enabled);
    assert_true(
        conf_warned("CENTRIFUGO_API_KEY and CENTRIFUGO_HTTP_API_KEY have different values; the "
                    "second counts"));
    conf_free(c);
}

static void what_kubernetes_sets_for_a_service_is_no_mistake(void **state)
{
    (void)state;
    static const char *const environ[] = {
        "CENTRIFUGO_PORT=tcp://10.0.0.1:8000", "CENTRIFUGO_PORT_8000_TCP=tcp://10.0.0.1:8000",
        "CENTRIFUGO_PORT_8000_TCP_PROTO=tcp",  "CENTRIFUGO_SERVICE_HOST=10.0.0.1",
        "CENTRIFUGO_SERVICE_PORT_HTTP=8000",   NULL,
    };
    struct conf *c = load_env("{}", environ);
    assert_false(conf_warned("CENTRIFUGO_"));
    conf_free(c);
}

static void a_variable_of_an_unknown_namespace_says_how_it_is_made(void **state)
{
    (void)state;
    static const char *const environ[] = {"CENTRIFUGO_CHANNEL_NAMESPACES_CHAT_PRESENCE=true", NULL};
    struct conf *c = load_env("{}", environ);
    assert_true(
        conf_warned("CHAT_PRESENCE: no option has this variable; behind CHANNEL_NAMESPACES_ "
                    "stand a name"));
    conf_free(c);
}

static void an_old_variable_that_opens_a_door_does_nothing(void **state)
{
    (void)state;
    static const char *const environ[] = {
        "CENTRIFUGO_API_INSECURE=true",
        "CENTRIFUGO_CLIENT_ANONYMOUS=true",
        "CENTRIFUGO_PRESENCE=true",
        "CENTRIFUGO_CLIENT_ALOWED_ORIGINS=*",
        "CENTRIFUGO_SSE_ENABLED=true",
        "CENTRIFUGO_WEBSOCKET_COMPRESSION_LEVEL=0",
        NULL,
    };
    struct conf *c = load_env("{}", environ);
    assert_false(c->http_api.insecure || c->client.allow_anonymous_connect_without_token ||
                 c->channel.without_namespace.presence);
    assert_true(
        conf_warned("CENTRIFUGO_API_INSECURE: this is its name in older versions and has no "
                    "effect; now the option is http_api.insecure"));
    assert_true(conf_warned("did you mean CENTRIFUGO_CLIENT_ALLOWED_ORIGINS?"));
    assert_true(conf_warned("CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_PRESENCE"));
    assert_true(conf_warned("CENTRIFUGO_SSE_ENABLED: not supported yet"));
    assert_false(conf_warned("COMPRESSION_LEVEL"));
    conf_free(c);
    assert_null(conf_fixture_load("{}", environ, true));
    assert_int_equal(conf_error.code, ERR_UNKNOWN);
}

static void old_names_of_namespace_options_are_told(void **state)
{
    (void)state;
    static const char *const names[] = {"CENTRIFUGO_CHANNEL_NAMESPACES_CHAT_ANONYMOUS=true",
                                        "CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_RECOVER=true",
                                        "CENTRIFUGO_CHANNEL_NAMESPACES_CHAT_PUBLISH_TO=x", NULL};
    static const char text[] = "{\"channel\": {\"namespaces\": [{\"name\": \"chat\"}]}}";
    struct conf *c = load_env(text, names);
    assert_true(conf_warned("CHAT_ANONYMOUS: this is its name in older versions and has no effect; "
                            "now the option is allow_subscribe_for_anonymous"));
    assert_true(conf_warned("WITHOUT_NAMESPACE_RECOVER: this is its name in older versions and has "
                            "no effect; now the option is force_recovery"));
    assert_true(conf_warned("CHAT_PUBLISH_TO: no option has this variable"));
    conf_free(c);
    for (size_t i = 0; names[i] != NULL; i++) {
        const char *const one[] = {names[i], NULL};
        assert_null(conf_fixture_load(text, one, true));
        assert_int_equal(conf_error.code, ERR_UNKNOWN);
    }
}

static void namespaces_come_from_the_environment(void **state)
{
    (void)state;
    static const char *const list[] = {
        "CENTRIFUGO_CHANNEL_NAMESPACES_NEWS_X_HISTORY_SIZE=10",
        "CENTRIFUGO_CHANNEL_NAMESPACES_NEWS_X_HISTORY_TTL=10s",
        "CENTRIFUGO_CHANNEL_NAMESPACES_CHAT_JOIN_LEAVE=true",
        "CENTRIFUGO_CHANNEL_NAMESPACES_CHAT_MAP_MODE=ephemeral",
        "CENTRIFUGO_CHANNEL_NAMESPACES=chat  news-x",
        NULL,
    };
    struct conf *c = load_env("{\"channel\": {\"namespaces\": [{\"name\": \"chat\", \"presence\": "
                              "true}, {\"name\": \"gone\"}]}}",
                              list);
    assert_int_equal(conf_warnings.n, 0);
    assert_int_equal(c->channel.namespace_count, 2);
    assert_string_equal(c->channel.namespaces[0].name, "chat");
    assert_true(c->channel.namespaces[0].presence && c->channel.namespaces[0].join_leave);
    assert_string_equal(c->channel.namespaces[1].name, "news-x");
    assert_int_equal(c->channel.namespaces[1].history_size, 10);
    conf_free(c);

    static const char *const json[] = {
        "CENTRIFUGO_CHANNEL_NAMESPACES=[{\"name\": \"a1\", \"presence\": true}, {\"name\": "
        "\"b2\"}]",
        "CENTRIFUGO_CHANNEL_NAMESPACES_B2_PRESENCE=1",
        NULL,
    };
    c = load_env("{\"channel\": {\"namespaces\": [{\"name\": \"gone\"}]}}", json);
    assert_int_equal(c->channel.namespace_count, 2);
    assert_true(c->channel.namespaces[0].presence && c->channel.namespaces[1].presence);
    conf_free(c);
}

static void errors_of_the_environment_name_the_variable(void **state)
{
    (void)state;
    static const char *const number[] = {"CENTRIFUGO_CLIENT_CHANNEL_LIMIT=many", NULL};
    assert_null(conf_fixture_load("{}", number, false));
    assert_string_equal(conf_error.text,
                        "CENTRIFUGO_CLIENT_CHANNEL_LIMIT: expected a whole number, found \"many\"");
    static const char *const ns[] = {"CENTRIFUGO_CHANNEL_NAMESPACES=chat",
                                     "CENTRIFUGO_CHANNEL_NAMESPACES_CHAT_FORCE_RECOVERY=true",
                                     NULL};
    assert_null(conf_fixture_load("{}", ns, false));
    assert_non_null(
        strstr(conf_error.text,
               "CENTRIFUGO_CHANNEL_NAMESPACES_CHAT_FORCE_RECOVERY: there is nothing to recover"));
    static const char *const json[] = {"CENTRIFUGO_CHANNEL_NAMESPACES=[{\"name\": \"chat\",}]",
                                       NULL};
    assert_null(conf_fixture_load("{}", json, false));
    assert_non_null(strstr(conf_error.text, "column 17: a comma before the closing bracket"));
    static const char *const secret[] = {"CENTRIFUGO_HTTP_API_KEY=\xff", NULL};
    assert_null(conf_fixture_load("{}", secret, false));
    assert_string_equal(conf_error.text, "CENTRIFUGO_HTTP_API_KEY: this is not UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_variables_still_work),
        cmocka_unit_test(the_present_variable_beats_the_older_one),
        cmocka_unit_test(what_kubernetes_sets_for_a_service_is_no_mistake),
        cmocka_unit_test(a_variable_of_an_unknown_namespace_says_how_it_is_made),
        cmocka_unit_test(an_old_variable_that_opens_a_door_does_nothing),
        cmocka_unit_test(old_names_of_namespace_options_are_told),
        cmocka_unit_test(namespaces_come_from_the_environment),
        cmocka_unit_test(errors_of_the_environment_name_the_variable),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    conf_fixture_fini();
    return failed;
}
