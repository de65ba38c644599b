/* SPDX-License-Identifier: Apache-2.0 */
/* Loading of configurations: defaults, weak types, environment, printing. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/format/jscan.h"
#include "common/policy/conf.h"
#include "tests/unit/conf_fixture.h"
#include "tests/unit/unit.h"

static struct conf *load_with(const char *text, const char *const *variables, bool strict)
{
    struct conf *c = conf_fixture_load(text, variables, strict);
    if (c == NULL) {
        print_message("%s\n", conf_error.text);
    }
    return c;
}

static struct conf *load(const char *text)
{
    struct conf *c = load_with(text, NULL, false);
    assert_non_null(c);
    return c;
}

static struct conf *load_env(const char *text, const char *const *environ)
{
    struct conf *c = load_with(text, environ, false);
    assert_non_null(c);
    return c;
}

static void an_empty_object_gives_the_defaults(void **state)
{
    (void)state;
    struct conf *c = load("{}");
    assert_int_equal(conf_warnings.n, 0);
    assert_int_equal(c->log.level, LOG_LEVEL_INFO);
    assert_int_equal(c->client.ping_interval_ms, 25000);
    assert_int_equal(c->client.pong_timeout_ms, 8000);
    assert_int_equal(c->client.channel_limit, 128);
    assert_int_equal(c->client.connection_limit, 0);
    assert_int_equal(c->channel.history_meta_ttl_ms, 720LL * 3600 * 1000);
    assert_int_equal(c->channel.without_namespace.history_meta_ttl_ms, 720LL * 3600 * 1000);
    assert_string_equal(c->channel.private_prefix, "$");
    assert_string_equal(c->channel.without_namespace.name, "");
    assert_string_equal(c->engine.redis.address.items[0], "redis://127.0.0.1:6379");
    assert_string_equal(c->websocket.handler_prefix, "/connection/websocket");
    assert_int_equal(c->websocket.message_size_limit, 65536);
    assert_string_equal(c->http_api.handler_prefix, "/api");
    assert_string_equal(c->admin.handler_prefix, "");
    assert_string_equal(c->health.handler_prefix, "/health");
    assert_string_equal(c->prometheus.handler_prefix, "/metrics");
    assert_false(c->admin.enabled || c->health.enabled || c->prometheus.enabled ||
                 c->http_server.is_set);
    assert_string_equal(c->pushd.websocket_listen.items[0], "127.0.0.1:8001");
    assert_true(c->pushd.direct_write);
    assert_int_equal(c->pushd.api_max_body_size, 16 << 20);
    assert_string_equal(c->pushd.token.session.redis_key, "session:{cookie}");
    conf_free(c);
}

static void zero_means_default(void **state)
{
    (void)state;
    struct conf *c = load("{\"client\": {\"channel_limit\": 0, \"ping_interval\": \"\"}, "
                          "\"channel\": {\"private_prefix\": \"\"},"
                          " \"http_server\": {\"port\": 0}, \"log\": {\"level\": \"\"}, "
                          "\"engine\": {\"redis\": {\"address\": []}}}");
    assert_int_equal(c->client.channel_limit, 128);
    assert_int_equal(c->client.ping_interval_ms, 25000);
    assert_string_equal(c->channel.private_prefix, "$");
    assert_int_equal(c->http_server.port, 8000);
    assert_int_equal(c->log.level, LOG_LEVEL_INFO);
    assert_int_equal(c->engine.redis.address.n, 1);
    assert_true(c->http_server.is_set);
    conf_free(c);
}

static void types_are_weak(void **state)
{
    (void)state;
    struct conf *c =
        load("{\"http_server\": {\"port\": \"0x1F90\", \"address\": 5},"
             " \"client\": {\"insecure\": \"true\", \"connect_include_server_time\": 1, "
             "\"channel_limit\": 1e3,"
             "  \"allowed_origins\": \"*\", \"ping_interval\": 30000000000},"
             " \"engine\": {\"redis\": {\"address\": \"unix:///x\", \"password\": 123}},"
             " \"pushd\": {\"direct_write\": false}}");
    assert_int_equal(c->http_server.port, 8080);
    assert_string_equal(c->http_server.address, "5");
    assert_true(c->client.insecure);
    assert_true(c->client.connect_include_server_time);
    assert_int_equal(c->client.channel_limit, 1000);
    assert_int_equal(c->client.allowed_origins.n, 1);
    assert_int_equal(c->client.ping_interval_ms, 30000);
    assert_string_equal(c->engine.redis.address.items[0], "unix:///x");
    assert_string_equal(c->engine.redis.password, "123");
    assert_false(c->pushd.direct_write);
    conf_free(c);
}

static void namespaces_inherit_only_what_is_global(void **state)
{
    (void)state;
    struct conf *c =
        load("{\"channel\": {\"history_meta_ttl\": \"1h\", \"publication_data_format\": \"json\","
             " \"without_namespace\": {\"presence\": true, \"history_size\": 5, \"history_ttl\": "
             "\"10s\"},"
             " \"namespaces\": [{\"name\": \"a.b\", \"join_leave\": true},"
             "  {\"name\": \"bin\", \"publication_data_format\": \"binary\", \"history_meta_ttl\": "
             "\"2h\"}]}}");
    const struct chan_opts *a = &c->channel.namespaces[0];
    const struct chan_opts *b = &c->channel.namespaces[1];
    assert_int_equal(c->channel.namespace_count, 2);
    assert_string_equal(a->name, "a.b");
    assert_true(a->join_leave && !a->presence && a->history_size == 0);
    assert_int_equal(a->history_meta_ttl_ms, 3600000);
    assert_int_equal(a->publication_data_format, DATA_FORMAT_JSON);
    assert_int_equal(b->history_meta_ttl_ms, 7200000);
    assert_int_equal(b->publication_data_format, DATA_FORMAT_BINARY);
    assert_int_equal(c->channel.without_namespace.publication_data_format, DATA_FORMAT_JSON);
    conf_free(c);
}

static void prefixes_have_one_form(void **state)
{
    (void)state;
    struct conf *c =
        load("{\"http_api\": {\"handler_prefix\": \"/push/\"}, \"websocket\": {\"handler_prefix\": "
             "\"ws//\"},"
             " \"admin\": {\"handler_prefix\": \"/\"}, \"health\": {\"handler_prefix\": \"/\"}}");
    assert_string_equal(c->http_api.handler_prefix, "/push");
    assert_string_equal(c->websocket.handler_prefix, "/ws");
    assert_string_equal(c->admin.handler_prefix, "");
    assert_string_equal(c->health.handler_prefix, "/");
    conf_free(c);
}

static void the_environment_wins(void **state)
{
    (void)state;
    static const char *const environ[] = {
        "PATH=/bin",
        "CENTRIFUGO_CLIENT_CHANNEL_LIMIT=7",
        "CENTRIFUGO_CLIENT_ALLOWED_ORIGINS=https://a https://b",
        "CENTRIFUGO_LOG_LEVEL=",
        "CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_PRESENCE=T",
        "CENTRIFUGO_PUSHD_WORKERS=2",
        NULL,
    };
    struct conf *c =
        load_env("{\"client\": {\"channel_limit\": 5}, \"log\": {\"level\": \"warn\"}}", environ);
    assert_int_equal(conf_warnings.n, 0);
    assert_int_equal(c->client.channel_limit, 7);
    assert_int_equal(c->client.allowed_origins.n, 2);
    assert_string_equal(c->client.allowed_origins.items[1], "https://b");
    assert_int_equal(c->log.level, LOG_LEVEL_WARN);
    assert_true(c->channel.without_namespace.presence);
    assert_int_equal(c->pushd.workers, 2);
    conf_free(c);
}

static void addresses_of_redis_may_be_one_text(void **state)
{
    (void)state;
    static const char *const environ[] = {"CENTRIFUGO_ENGINE_REDIS_ADDRESS=a:1,b:2 , c:3 d:4",
                                          NULL};
    static const char *const texts[] = {
        "{\"engine\":{\"redis\":{\"address\":\"a:1, b:2,c:3,,d:4\"}}}",
        "{\"engine\":{\"redis\":{\"address\":[\"a:1\",\"b:2\",\"c:3\",\"d:4\"]}}}",
    };
    for (size_t i = 0; i <= ARRAY_LEN(texts); i++) {
        struct conf *c = i < ARRAY_LEN(texts) ? load(texts[i]) : load_env("{}", environ);
        assert_int_equal(c->engine.redis.address.n, 4);
        assert_string_equal(c->engine.redis.address.items[0], "a:1");
        assert_string_equal(c->engine.redis.address.items[1], "b:2");
        assert_string_equal(c->engine.redis.address.items[2], "c:3");
        assert_string_equal(c->engine.redis.address.items[3], "d:4");
        conf_free(c);
    }
    /* Other lists know no commas, nor do the elements of a list. */
    struct conf *c = load("{\"engine\":{\"redis\":{\"address\":[\"redis://:a,b@h:1\"]}},"
                          "\"client\":{\"allowed_origins\":\"a,b\"}}");
    assert_string_equal(c->engine.redis.address.items[0], "redis://:a,b@h:1");
    assert_string_equal(c->client.allowed_origins.items[0], "a,b");
    conf_free(c);
}

#define SESSION(members) "{\"pushd\": {\"token\": {" members "}}"
#define IN_REDIS         "\"session\": {\"source\": \"redis_cookie\"}"
#define TWO_REDIS        ", \"engine\": {\"redis\": {\"address\": [\"redis://u:pass@h:1/2\", \"h:2\"]}}}"

/* The application does not spread its sessions as we spread channels. */
static void sessions_in_one_of_several_redis_are_pointed_out(void **state)
{
    static const struct {
        const char *text;
        const char *warning; /* NULL: none */
    } rows[] = {
        {SESSION(IN_REDIS) TWO_REDIS, "first of engine.redis.address"},
        {SESSION(IN_REDIS) "}", NULL},
        {SESSION("\"session\": {\"source\": \"variable\"}") TWO_REDIS, NULL},
        {SESSION("\"info_fields\": [\"name\"]") "}", "pushd.token.session.source is variable"},
        {SESSION(IN_REDIS ", \"info_fields\": [\"name\", \"org.id\"]") "}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct conf *c = load(rows[i].text);
        assert_true(rows[i].warning != NULL ? conf_warned(rows[i].warning) : conf_warnings.n == 0);
        assert_false(conf_warned("pass"));
        conf_free(c);
    }
    assert_null(
        load_with(SESSION(IN_REDIS ", \"info_fields\": [\"user.id\", \"id\"]") "}", NULL, false));
    assert_non_null(
        strstr(conf_error.text, "pushd.token.info_fields: two of them become the member \"id\""));
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
    assert_null(load_with("{}", environ, true));
    assert_int_equal(conf_error.code, ERR_UNKNOWN);
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
    assert_null(load_with("{}", number, false));
    assert_string_equal(conf_error.text,
                        "CENTRIFUGO_CLIENT_CHANNEL_LIMIT: expected a whole number, found \"many\"");
    static const char *const ns[] = {"CENTRIFUGO_CHANNEL_NAMESPACES=chat",
                                     "CENTRIFUGO_CHANNEL_NAMESPACES_CHAT_FORCE_RECOVERY=true",
                                     NULL};
    assert_null(load_with("{}", ns, false));
    assert_non_null(
        strstr(conf_error.text,
               "CENTRIFUGO_CHANNEL_NAMESPACES_CHAT_FORCE_RECOVERY: there is nothing to recover"));
    static const char *const json[] = {"CENTRIFUGO_CHANNEL_NAMESPACES=[{\"name\": \"chat\",}]",
                                       NULL};
    assert_null(load_with("{}", json, false));
    assert_non_null(strstr(conf_error.text, "column 17: a comma before the closing bracket"));
    static const char *const secret[] = {"CENTRIFUGO_HTTP_API_KEY=\xff", NULL};
    assert_null(load_with("{}", secret, false));
    assert_string_equal(conf_error.text, "CENTRIFUGO_HTTP_API_KEY: this is not UTF-8");
}

static void strict_refuses_unknown_and_old_names_only(void **state)
{
    (void)state;
    assert_null(load_with("{\"clent\": {}}", NULL, true));
    assert_non_null(
        strstr(conf_error.text, "config:1: clent: unknown option; did you mean client?"));
    assert_null(load_with("{\"api_key\": \"x\"}", NULL, true));
    assert_null(
        load_with("{\"channel\": {\"namespaces\": [{\"name\": \"chat\", \"x\": 1}]}}", NULL, true));
    struct conf *c = load_with("{\"sse\": {\"enabled\": true}, \"database\": {\"enabled\": true}, "
                               "\"http_server\": {\"tls\": {}}}",
                               NULL, true);
    assert_non_null(c);
    conf_free(c);
}

static void long_values_are_cut_in_messages(void **state)
{
    (void)state;
    char text[600] = "{\"client\": {\"channel_limit\": \"";
    for (size_t n = strlen(text); n < 500; n = strlen(text)) {
        strcat(text, "\xc3\xa4\xc3\xa4");
    }
    strcat(text, "\"}}");
    assert_null(load_with(text, NULL, false));
    assert_true(strlen(conf_error.text) < 200 && span_is_utf8(span_str(conf_error.text)));
}

static void the_print_is_a_configuration(void **state)
{
    (void)state;
    struct conf *c = load("{\"http_api\": {\"key\": \"hidden\"}, \"client\": {\"ping_interval\": "
                          "\"-1s\", \"pong_timeout\": \"-2s\"},"
                          " \"engine\": {\"redis\": {\"address\": [\"redis://me:hidden@h:1/2\", "
                          "\"h:2\"], \"password\": \"hidden\"}},"
                          " \"node\": {\"name\": \"n\"}, \"pushd\": {\"direct_write\": false, "
                          "\"token\": {\"channels\": [\"a:{user}\"]}},"
                          " \"channel\": {\"namespaces\": [{\"name\": \"chat\", \"history_size\": "
                          "1, \"history_ttl\": \"90s\"}, {\"name\": \"b2\"}]}}");
    struct buf all = {0};
    struct buf again = {0};
    struct buf open = {0};
    conf_print(c, true, &all);
    conf_print(c, false, &open);
    conf_free(c);
    assert_true(jscan_is_valid(buf_span(&all)));
    assert_true(jscan_is_valid(buf_span(&open)));
    assert_null(strstr(buf_cstr(&open), "hidden"));
    assert_non_null(strstr(buf_cstr(&open), "\"redis://me:***@h:1/2\""));
    assert_non_null(strstr(buf_cstr(&open), "\"key\": \"***\""));
    assert_non_null(strstr(buf_cstr(&open), "\"history_ttl\": \"1m30s\""));
    struct conf *copy = load(buf_cstr(&all));
    assert_int_equal(conf_warnings.n, 0);
    conf_print(copy, true, &again);
    assert_string_equal(buf_cstr(&all), buf_cstr(&again));
    conf_free(copy);
    buf_free(&all);
    buf_free(&again);
    buf_free(&open);
}

static void an_option_without_effect_is_a_warning(void **state)
{
    (void)state;
    conf_free(load("{\"client\": {\"concurrency\": 1}}"));
    assert_false(conf_warned("client.concurrency"));
    conf_free(load("{\"client\": {\"concurrency\": 8}}"));
    assert_true(conf_warned("client.concurrency: means nothing here"));
}

static void a_secret_that_others_can_read_is_a_warning(void **state)
{
    (void)state;
    char path[] = "/tmp/test_conf_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] = "{\"http_api\": {\"key\": \"x\"}}";
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    static const struct {
        mode_t mode;
        bool is_warned;
    } modes[] = {{0640, false}, {0644, true}};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        buf_clear(&conf_warnings);
        fchmod(fd, modes[i].mode);
        struct conf *c =
            conf_load(&(struct conf_load_opts){.path = path, .warn = conf_note}, &conf_error);
        assert_non_null(c);
        assert_int_equal(conf_warned("everybody on this machine"), modes[i].is_warned);
        conf_free(c);
    }
    close(fd);
    unlink(path);
}

static void files_of_other_kinds_are_told_apart(void **state)
{
    (void)state;
    assert_null(conf_load(&(struct conf_load_opts){.path = "/nowhere/config.yaml"}, &conf_error));
    assert_non_null(strstr(conf_error.text, "only JSON is read"));
    assert_null(conf_load(&(struct conf_load_opts){.path = "/tmp"}, &conf_error));
    assert_int_equal(conf_error.code, ERR_IO);
    buf_clear(&conf_warnings);
    struct conf *c = conf_load(
        &(struct conf_load_opts){.path = "/nowhere/config.json", .warn = conf_note}, &conf_error);
    assert_non_null(c);
    assert_true(conf_warned("/nowhere/config.json does not exist"));
    conf_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_object_gives_the_defaults),
        cmocka_unit_test(zero_means_default),
        cmocka_unit_test(types_are_weak),
        cmocka_unit_test(namespaces_inherit_only_what_is_global),
        cmocka_unit_test(prefixes_have_one_form),
        cmocka_unit_test(the_environment_wins),
        cmocka_unit_test(addresses_of_redis_may_be_one_text),
        cmocka_unit_test(sessions_in_one_of_several_redis_are_pointed_out),
        cmocka_unit_test(older_variables_still_work),
        cmocka_unit_test(the_present_variable_beats_the_older_one),
        cmocka_unit_test(an_old_variable_that_opens_a_door_does_nothing),
        cmocka_unit_test(namespaces_come_from_the_environment),
        cmocka_unit_test(errors_of_the_environment_name_the_variable),
        cmocka_unit_test(strict_refuses_unknown_and_old_names_only),
        cmocka_unit_test(long_values_are_cut_in_messages),
        cmocka_unit_test(the_print_is_a_configuration),
        cmocka_unit_test(an_option_without_effect_is_a_warning),
        cmocka_unit_test(a_secret_that_others_can_read_is_a_warning),
        cmocka_unit_test(files_of_other_kinds_are_told_apart),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    conf_fixture_fini();
    return failed;
}
