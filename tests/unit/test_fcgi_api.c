/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers of the API, with a Redis of the test's own. */
#include "tests/unit/unit.h"

#include "tests/unit/fcgi_fixture.h"
#include "tests/unit/redis_server.h"

#include <stdio.h>

static const char config[] =
    "{\"http_api\":{\"key\":\"key\"},\"engine\":{\"type\":\"redis\"},"
    "\"channel\":{\"namespaces\":["
    "{\"name\":\"hist\",\"history_size\":3,\"history_ttl\":\"60s\",\"presence\":true},"
    "{\"name\":\"obj\",\"publication_data_format\":\"json_object\"},"
    "{\"name\":\"bin\",\"publication_data_format\":\"binary\"}]}}";

static struct redis_server server;
static struct fcgi_fixture f;

static int set_up(void **state)
{
    (void)state;
    fcgi_fixture_open_with_redis(&f, &server, config);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fcgi_fixture_close_with_redis(&f, &server);
    return 0;
}

static void order_of_checks_is_path_method_key_body(void **state)
{
    char key[] = "HTTP_X_API_KEY=key";
    char *with_key[] = {key, NULL};
    (void)state;
    assert_int_equal(fcgi_call(&f, "GET", "/api/nothing", NULL, NULL), 404);
    assert_string_equal(fcgi_body(&f), "404 page not found\n");
    assert_int_equal(fcgi_call(&f, "GET", "/api/publish", NULL, NULL), 405);
    assert_string_equal(fcgi_body(&f), "");
    assert_int_equal(fcgi_call(&f, "POST", "/api/publish", "{", NULL), 401);
    assert_string_equal(fcgi_body(&f), "");
    assert_string_equal(f.response.reason, "auth.no_credential");
    assert_int_equal(fcgi_call(&f, "POST", "/api/publish", "{", with_key), 400);
    assert_string_equal(fcgi_body(&f), "Bad Request\n");
    assert_int_equal(fcgi_call(&f, "POST", "/api/publish", "", with_key), 400);
    assert_int_equal(fcgi_call(&f, "POST", "/api/publish", "{} x", with_key), 400);
    assert_int_equal(fcgi_call(&f, "POST", "/api/publish", "[]", with_key), 400);
    assert_int_equal(fcgi_call(&f, "", "/api/publish", "", with_key), 500);
    assert_int_equal(fcgi_call(&f, "HEAD", "/api/ping", NULL, NULL), 200);
    assert_int_equal(fcgi_call(&f, "GET", "/api/ping", NULL, NULL), 200);
    assert_string_equal(fcgi_body(&f), "{\"result\":{}}");
}

static void publish_tells_position_and_errors(void **state)
{
    (void)state;
    assert_string_equal(fcgi_post(&f, "/api/publish", "{\"channel\":\"a\",\"data\":{}}"),
                        "{\"result\":{}}");
    assert_non_null(strstr(fcgi_post(&f, "/api/publish", "{\"channel\":\"hist:p\",\"data\":1}"),
                           "{\"result\":{\"offset\":1,\"epoch\":\""));
    assert_non_null(strstr(
        fcgi_post(&f, "/api/publish", "{\"channel\":\"hist:p\",\"data\":1,\"skip_history\":true}"),
        "{\"result\":{}}"));
    assert_non_null(strstr(fcgi_post(&f, "/api/publish", "{\"data\":1}"),
                           "{\"code\":107,\"message\":\"bad request"));
    assert_non_null(strstr(fcgi_post(&f, "/api/publish", "{\"channel\":\"a\"}"), "\"code\":107"));
    assert_non_null(strstr(fcgi_post(&f, "/api/publish", "{\"channel\":\"no:a\",\"data\":1}"),
                           "{\"code\":102,\"message\":\"unknown channel"));
    assert_non_null(strstr(fcgi_post(&f, "/api/publish", "{\"channel\":\"obj:a\",\"data\":[1]}"),
                           "\"code\":107"));
    assert_non_null(strstr(fcgi_post(&f, "/api/publish", "{\"channel\":\"a\",\"b64data\":\"***\"}"),
                           "\"code\":107"));
    assert_string_equal(fcgi_post(&f, "/api/publish", "{\"channel\":\"a\",\"data\":null}"),
                        "{\"result\":{}}");
}

static void a_key_publishes_once(void **state)
{
    (void)state;
    const char body[] = "{\"channel\":\"hist:once\",\"data\":1,\"idempotency_key\":\"k\"}";
    char first[256];
    snprintf(first, sizeof(first), "%s", fcgi_post(&f, "/api/publish", body));
    assert_string_equal(fcgi_post(&f, "/api/publish", body), first);
    assert_non_null(strstr(fcgi_post(&f, "/api/history", "{\"channel\":\"hist:once\",\"limit\":9}"),
                           "{\"publications\":[{\"data\":1,\"offset\":1}],"));
}

static void forgotten_scripts_are_loaded_again(void **state)
{
    redisContext *c = redis_server_connect(&server);
    (void)state;
    assert_non_null(strstr(fcgi_post(&f, "/api/publish", "{\"channel\":\"hist:f\",\"data\":1}"),
                           "\"offset\":1"));
    freeReplyObject(redisCommand(c, "SCRIPT FLUSH"));
    assert_non_null(strstr(fcgi_post(&f, "/api/publish", "{\"channel\":\"hist:f\",\"data\":1}"),
                           "\"offset\":2"));
    freeReplyObject(redisCommand(c, "SCRIPT FLUSH"));
    assert_non_null(strstr(
        fcgi_post(&f, "/api/broadcast", "{\"channels\":[\"hist:f\",\"x\",\"hist:f\"],\"data\":1}"),
        "{\"responses\":[{\"result\":{\"offset\":3,"));
    freeReplyObject(redisCommand(c, "SCRIPT FLUSH"));
    assert_non_null(
        strstr(fcgi_post(&f, "/api/history", "{\"channel\":\"hist:f\"}"), "\"offset\":4"));
    freeReplyObject(redisCommand(c, "SCRIPT FLUSH"));
    assert_string_equal(fcgi_post(&f, "/api/presence", "{\"channel\":\"hist:f\"}"),
                        "{\"result\":{\"presence\":{}}}");
    redisFree(c);
}

static void broadcast_answers_each_channel(void **state)
{
    (void)state;
    const char *body =
        fcgi_post(&f, "/api/broadcast", "{\"channels\":[\"a\",\"no:b\",\"\",\"c\"],\"data\":1}");
    assert_non_null(strstr(body, "[{\"result\":{}},{\"error\":{\"code\":102,"));
    assert_non_null(strstr(body, "},{\"error\":{\"code\":107,"));
    assert_non_null(strstr(body, "},{\"result\":{}}]}}"));
    assert_non_null(strstr(fcgi_post(&f, "/api/broadcast", "{\"channels\":[],\"data\":1}"),
                           "{\"error\":{\"code\":107,"));
}

/* More than fits into one pipeline. */
static void a_large_broadcast_goes_through(void **state)
{
    struct buf b = {0};
    size_t results = 0;
    (void)state;
    buf_add_str(&b, "{\"channels\":[");
    for (int i = 0; i < 3000; i++) {
        buf_addf(&b, "%s\"%s%d\"", i == 0 ? "" : ",", i % 2 == 0 ? "hist:" : "", i);
    }
    buf_addf(&b, "],\"data\":\"%0500d\"}", 0);
    const char *body = fcgi_post(&f, "/api/broadcast", buf_cstr(&b));
    for (const char *p = body; (p = strstr(p, "{\"result\":{")) != NULL; p++) {
        results++;
    }
    assert_int_equal(results, 3001); /* the envelope is one */
    assert_null(strstr(body, "error"));
    buf_free(&b);
}

static void history_pages_and_refuses(void **state)
{
    (void)state;
    for (int i = 1; i <= 5; i++) {
        char body[128];
        snprintf(body, sizeof(body),
                 "{\"channel\":\"hist:h\",\"data\":{ \"n\" : %d},"
                 "\"tags\":{\"t\":\"<\",\"b\":\"1\",\"a\":\"2\",\"aa\":\"\"}}",
                 i);
        fcgi_post(&f, "/api/publish", body);
    }
    assert_non_null(strstr(fcgi_post(&f, "/api/history", "{\"channel\":\"hist:h\",\"limit\":-1}"),
                           "{\"publications\":[{\"data\":{\"n\":3},\"offset\":3,"
                           "\"tags\":{\"a\":\"2\",\"aa\":\"\",\"b\":\"1\",\"t\":\"\\u003c\"}},"));
    assert_non_null(strstr(
        fcgi_post(&f, "/api/history", "{\"channel\":\"hist:h\",\"limit\":1,\"reverse\":true}"),
        "{\"n\":5}"));
    assert_non_null(
        strstr(fcgi_post(&f, "/api/history", "{\"channel\":\"hist:h\"}"), "\"publications\":[],"));
    assert_non_null(strstr(
        fcgi_post(
            &f, "/api/history",
            "{\"channel\":\"hist:h\",\"limit\":1,\"since\":{\"offset\":1,\"epoch\":\"other\"}}"),
        "{\"error\":{\"code\":112,"));
    assert_non_null(strstr(
        fcgi_post(&f, "/api/history", "{\"channel\":\"hist:h\",\"reverse\":true,\"since\":{}}"),
        "\"code\":100"));
    assert_non_null(strstr(fcgi_post(&f, "/api/history", "{\"channel\":\"a\"}"), "\"code\":108"));
    assert_string_equal(fcgi_post(&f, "/api/history_remove", "{\"channel\":\"hist:h\"}"),
                        "{\"result\":{}}");
    assert_non_null(strstr(fcgi_post(&f, "/api/history", "{\"channel\":\"hist:h\",\"limit\":1}"),
                           "\"publications\":[],"));
}

static void reading_works_by_get_too(void **state)
{
    char key[] = "HTTP_X_API_KEY=key";
    char *with_key[] = {key, NULL};
    (void)state;
    fcgi_post(&f, "/api/publish", "{\"channel\":\"hist:g\",\"data\":1}");
    assert_int_equal(fcgi_call(&f, "GET", "/api/history?channel=hist:g&limit=1", NULL, with_key),
                     200);
    assert_non_null(strstr(fcgi_body(&f), "[{\"data\":1,\"offset\":1}]"));
    assert_int_equal(fcgi_call(&f, "GET", "/api/presence_stats?channel=hist%3Ag", NULL, with_key),
                     200);
    assert_string_equal(fcgi_body(&f), "{\"result\":{\"num_clients\":0,\"num_users\":0}}");
    assert_int_equal(fcgi_call(&f, "GET", "/api/history?channel=hist:g&limit=x", NULL, with_key),
                     400);
    assert_int_equal(fcgi_call(&f, "GET", "/api/history_remove?channel=hist:g", NULL, with_key),
                     405);
}

static void binary_history_cannot_be_told_in_json(void **state)
{
    char key[] = "HTTP_X_API_KEY=key";
    char *with_key[] = {key, NULL};
    (void)state;
    fcgi_post(&f, "/api/publish", "{\"channel\":\"hist:b\",\"b64data\":\"/wA=\"}");
    assert_int_equal(
        fcgi_call(&f, "POST", "/api/history", "{\"channel\":\"hist:b\",\"limit\":1}", with_key),
        500);
    assert_string_equal(fcgi_body(&f), "Internal Server Error\n");
    assert_int_equal(
        fcgi_call(&f, "POST", "/api/batch",
                  "{\"commands\":[{\"history\":{\"channel\":\"hist:b\",\"limit\":1}}]}", with_key),
        500);
}

/* It would spoil the channel: its history could not be told, and JSON clients would be closed. */
static void payloads_have_to_be_utf8(void **state)
{
    static const struct {
        const char *uri;
        const char *body;
    } rows[] = {
        {"/api/publish", "{\"channel\":\"hist:utf\",\"data\":\"\xe9\"}"},
        {"/api/publish", "{\"channel\":\"bin:utf\",\"data\":\"\xe9\"}"},
        {"/api/broadcast", "{\"channels\":[\"hist:utf\"],\"data\":{\"\xc3\":1}}"},
        {"/api/subscribe", "{\"channel\":\"a\",\"user\":\"u\",\"info\":\"\xff\"}"},
        {"/api/subscribe", "{\"channel\":\"a\",\"user\":\"u\",\"data\":\"\xff\"}"},
        {"/api/refresh", "{\"user\":\"u\",\"expire_at\":9,\"info\":\"\xff\"}"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *body = fcgi_post(&f, rows[i].uri, rows[i].body);
        assert_ptr_equal(strstr(body, "{\"error\":{\"code\":107,"), body);
        assert_non_null(strstr(body, "UTF-8"));
    }
    assert_non_null(
        strstr(fcgi_post(&f, "/api/publish", "{\"channel\":\"hist:utf\",\"data\":\"\xc3\xa9\"}"),
               "\"offset\":1"));
    assert_non_null(strstr(
        fcgi_post(&f, "/api/publish", "{\"channel\":\"a\",\"data\":\"\xe9\",\"b64data\":\"aGk=\"}"),
        "{\"result\":{}}"));
}

static void transport_mode_uses_status_codes(void **state)
{
    char key[] = "HTTP_X_API_KEY=key";
    char mode[] = "HTTP_X_CENTRIFUGO_ERROR_MODE=transport";
    char *variables[] = {key, mode, NULL};
    (void)state;
    assert_int_equal(
        fcgi_call(&f, "POST", "/api/publish", "{\"channel\":\"no:a\",\"data\":1}", variables), 404);
    assert_ptr_equal(strstr(fcgi_body(&f), "{\"code\":102,\"message\":\"unknown channel"),
                     fcgi_body(&f));
    assert_int_equal(fcgi_call(&f, "POST", "/api/publish", "{}", variables), 400);
    assert_int_equal(fcgi_call(&f, "POST", "/api/rpc", "{\"method\":\"m\"}", variables), 404);
    assert_string_equal(fcgi_body(&f), "{\"code\":104,\"message\":\"not found\"}");
    assert_int_equal(fcgi_call(&f, "POST", "/api/info", "{}", variables), 500);
    assert_int_equal(
        fcgi_call(&f, "POST", "/api/publish", "{\"channel\":\"a\",\"data\":1}", variables), 200);
}

static void without_a_subscriber_the_cluster_is_an_error(void **state)
{
    (void)state;
    const char *const paths[] = {"/api/info", "/api/stats", "/api/channels"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        assert_non_null(strstr(fcgi_post(&f, paths[i], "{}"), "{\"error\":{\"code\":100,"));
    }
}

static void publications_of_several_requests_share_a_pipeline(void **state)
{
    char *const variables[] = {(char[]){"REQUEST_METHOD=POST"},
                               (char[]){"REQUEST_URI=/api/publish"}, (char[]){"HTTP_X_API_KEY=key"},
                               NULL};
    const char *const bodies[] = {"{\"channel\":\"hist:s\",\"data\":1,\"tags\":{\"a\":\"b\"}}",
                                  "{\"channel\":\"hist:s\",\"data\":2}",
                                  "{\"channel\":\"a\",\"data\":3}"};
    struct api_ctx ctx[3];
    struct api_ctx *contexts[3];
    struct request requests[3];
    struct response responses[3] = {{0}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct route route;
        api_ctx_init(&ctx[i], &f.api);
        ctx[i].redis = f.redis;
        contexts[i] = &ctx[i];
        request_init(&requests[i], variables, &ctx[i].arena);
        assert_true(api_admit(&ctx[i], &requests[i], &route, &responses[i]));
        requests[i].body = span_str(bodies[i]);
        assert_int_equal(api_publish_begin(&ctx[i], &requests[i], &route, &responses[i]),
                         API_PREPARED);
    }
    api_publish_group(contexts, 3);
    for (size_t i = 0; i < 3; i++) {
        api_publish_end(&ctx[i], &requests[i], &responses[i]);
    }
    assert_non_null(strstr(buf_cstr(&responses[0].body), "{\"result\":{\"offset\":1,"));
    assert_non_null(strstr(buf_cstr(&responses[1].body), "{\"result\":{\"offset\":2,"));
    assert_string_equal(buf_cstr(&responses[2].body), "{\"result\":{}}");
    for (size_t i = 0; i < 3; i++) {
        api_ctx_fini(&ctx[i]);
        response_free(&responses[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_of_checks_is_path_method_key_body),
        cmocka_unit_test(publish_tells_position_and_errors),
        cmocka_unit_test(a_key_publishes_once),
        cmocka_unit_test(forgotten_scripts_are_loaded_again),
        cmocka_unit_test(broadcast_answers_each_channel),
        cmocka_unit_test(a_large_broadcast_goes_through),
        cmocka_unit_test(history_pages_and_refuses),
        cmocka_unit_test(reading_works_by_get_too),
        cmocka_unit_test(binary_history_cannot_be_told_in_json),
        cmocka_unit_test(payloads_have_to_be_utf8),
        cmocka_unit_test(transport_mode_uses_status_codes),
        cmocka_unit_test(without_a_subscriber_the_cluster_is_an_error),
        cmocka_unit_test(publications_of_several_requests_share_a_pipeline),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
