/* SPDX-License-Identifier: Apache-2.0 */
/* Many commands in one request: batch and the single endpoint. */
#include "tests/unit/unit.h"

#include "tests/unit/fcgi_fixture.h"
#include "tests/unit/redis_server.h"

#include <stdio.h>

static const char config[] =
    "{\"http_api\":{\"key\":\"key\"},\"channel\":{\"namespaces\":["
    "{\"name\":\"hist\",\"history_size\":3,\"history_ttl\":\"60s\",\"presence\":true}]}}";

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

static void a_batch_keeps_order_whatever_it_mixes(void **state)
{
    (void)state;
    const char *body = fcgi_post(
        &f, "/api/batch",
        "{\"parallel\":false,\"commands\":[{\"publish\":{\"channel\":\"hist:m\",\"data\":1}},"
        "{\"Publish\":{\"channel\":\"hist:m\",\"data\":2}},{\"history\":{\"channel\":\"hist:m\","
        "\"limit\":9}},"
        "{\"publish\":{\"channel\":\"no:m\",\"data\":1}},null,{},{\"rpc\":{},\"publish\":{"
        "\"channel\":\"a\",\"data\":1}},"
        "{\"publish\":null,\"presence_stats\":{\"channel\":\"hist:m\"}},{\"stats\":{}}]}");
    assert_ptr_equal(strstr(body, "{\"replies\":[{\"publish\":{\"offset\":1,"), body);
    const char *const order[] = {
        "\"offset\":2,",
        "{\"history\":{\"publications\":[{\"data\":1,\"offset\":1},{\"data\":2,",
        "{\"error\":{\"code\":102,",
        "{\"error\":{\"code\":107,",
        "{\"error\":{\"code\":104,",
        "{\"publish\":{}}",
        "{\"presence_stats\":{\"num_clients\":0,\"num_users\":0}}",
        "{\"error\":{\"code\":104,",
        "]}"};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        body = strstr(body, order[i]);
        assert_non_null(body);
        body++;
    }
    assert_string_equal(fcgi_post(&f, "/api/batch", "{\"commands\":[]}"), "{}");
    assert_string_equal(fcgi_post(&f, "/api/batch", "null"), "{}");
}

/* The next publication that a subscriber gets has this in it. */
static void assert_next_message(redisContext *subscriber, const char *text)
{
    redisReply *r = NULL;
    assert_int_equal(redisGetReply(subscriber, (void **)&r), REDIS_OK);
    assert_int_equal(r->elements, 3);
    assert_non_null(memmem(r->element[2]->str, r->element[2]->len, text, strlen(text)));
    freeReplyObject(r);
}

/* The commands need different scripts, or none, and Redis knows some of the scripts only. */
static void a_batch_keeps_its_order_when_scripts_are_missing(void **state)
{
    static const char body[] =
        "{\"commands\":["
        "{\"publish\":{\"channel\":\"hist:ord\",\"data\":\"one\"}},"
        "{\"publish\":{\"channel\":\"hist:ord\",\"data\":\"two\",\"skip_history\":true}},"
        "{\"publish\":{\"channel\":\"hist:ord\",\"data\":\"three\",\"skip_history\":true,"
        "\"idempotency_key\":\"%s\"}},"
        "{\"publish\":{\"channel\":\"hist:ord\",\"data\":\"four\"}}]}";
    static const char *const expected[] = {"one", "two", "three", "four"};
    redisContext *c = redis_server_connect(&server);
    redisContext *subscriber = redis_server_connect(&server);
    (void)state;
    freeReplyObject(redisCommand(subscriber, "SUBSCRIBE centrifugo.client.hist:ord"));
    for (int round = 0; round < 3; round++) {
        char text[512];
        char key[] = {(char)('a' + round), '\0'};
        freeReplyObject(redisCommand(c, "SCRIPT FLUSH"));
        if (round == 1) { /* the script of histories is known */
            fcgi_post(&f, "/api/publish", "{\"channel\":\"hist:else\",\"data\":1}");
        } else if (round == 2) { /* that of keys without a history is */
            fcgi_post(&f, "/api/publish",
                      "{\"channel\":\"else\",\"data\":1,\"idempotency_key\":\"x\"}");
        }
        snprintf(text, sizeof(text), body, key);
        assert_null(strstr(fcgi_post(&f, "/api/batch", text), "error"));
        for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
            assert_next_message(subscriber, expected[i]);
        }
    }
    redisFree(subscriber);
    redisFree(c);
}

static void a_long_batch_is_published_completely(void **state)
{
    struct buf b = {0};
    (void)state;
    buf_add_str(&b, "{\"commands\":[");
    for (int i = 0; i < 700; i++) {
        buf_addf(&b, "%s{\"publish\":{\"channel\":\"hist:long\",\"b64data\":\"aGk=\",\"data\":%d}}",
                 i == 0 ? "" : ",", i);
    }
    buf_add_str(&b, "]}");
    assert_non_null(
        strstr(fcgi_post(&f, "/api/batch", buf_cstr(&b)), "{\"publish\":{\"offset\":700,"));
    buf_free(&b);
}

static void a_batch_with_a_wrong_type_runs_nothing(void **state)
{
    (void)state;
    assert_string_equal(fcgi_post(&f, "/api/batch",
                                  "{\"commands\":[{\"publish\":{\"channel\":\"hist:w\",\"data\":1}}"
                                  ",{\"history\":{\"limit\":\"x\"}}]}"),
                        "Bad Request\n");
    assert_non_null(
        strstr(fcgi_post(&f, "/api/history", "{\"channel\":\"hist:w\"}"), "\"offset\":0"));
    const char *const wrong[] = {"{\"commands\":{}}", "{\"commands\":[1]}",  "[]",
                                 "{\"parallel\":1}",  "{\"commands\":[]} x", ""};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_string_equal(fcgi_post(&f, "/api/batch", wrong[i]), "Bad Request\n");
    }
}

/* As the reference, which runs all before it writes the answer. */
static void a_batch_runs_all_even_when_it_cannot_be_answered(void **state)
{
    char key[] = "HTTP_X_API_KEY=key";
    char *with_key[] = {key, NULL};
    (void)state;
    fcgi_post(&f, "/api/publish", "{\"channel\":\"hist:b2\",\"b64data\":\"/wA=\"}");
    assert_int_equal(fcgi_call(&f, "POST", "/api/batch",
                               "{\"commands\":[{\"history\":{\"channel\":\"hist:b2\",\"limit\":1}},"
                               "{\"publish\":{\"channel\":\"hist:b3\",\"data\":1}}]}",
                               with_key),
                     500);
    assert_non_null(
        strstr(fcgi_post(&f, "/api/history", "{\"channel\":\"hist:b3\"}"), "\"offset\":1"));
}

static void the_single_endpoint_answers_in_lines(void **state)
{
    (void)state;
    assert_string_equal(
        fcgi_post(&f, "/api",
                  "{\"method\":\"publish\",\"params\":{\"channel\":\"a\",\"data\":1}}\n"
                  "{\"id\":2,\"method\":5,\"params\":{\"channel\":\"hist:a\"}} "
                  "{\"id\":3,\"method\":14,\"params\":{}}"),
        "{\"result\":{}}\n{\"id\":2,\"result\":{\"num_clients\":0,\"num_users\":0}}\n"
        "{\"id\":3,\"error\":{\"code\":104,\"message\":\"not found\"}}");
    assert_non_null(strstr(fcgi_post(&f, "/api", "null"), "{\"error\":{\"code\":107,"));
    assert_non_null(strstr(fcgi_post(&f, "/api", "{\"method\":\"map_publish\"}"), "\"code\":104"));
    const char *const wrong[] = {
        "",
        " \n",
        "[]",
        "{\"method\":\"nobody\"}",
        "{\"method\":\"batch\"}",
        "{\"id\":-1}",
        "{\"method\":{}}",
        "{\"method\":\"publish\",\"params\":{\"channel\":\"a\",\"data\":1}} {"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_string_equal(fcgi_post(&f, "/api", wrong[i]), "Bad Request\n");
    }
}

/* A small request may ask for much: many histories, each complete. */
static void an_answer_has_a_limit(void **state)
{
    static const struct {
        const char *uri;
        const char *body;
    } rows[] = {
        {"/api/history", "{\"channel\":\"hist:big\",\"limit\":9}"},
        {"/api/batch", "{\"commands\":[{\"history\":{\"channel\":\"hist:big\",\"limit\":9}},"
                       "{\"history\":{\"channel\":\"hist:big\",\"limit\":9}}]}"},
        {"/api", "{\"method\":\"history\",\"params\":{\"channel\":\"hist:big\",\"limit\":9}}"
                 "{\"method\":\"history\",\"params\":{\"channel\":\"hist:big\",\"limit\":9}}"},
    };
    char key[] = "HTTP_X_API_KEY=key";
    char *with_key[] = {key, NULL};
    (void)state;
    for (int i = 0; i < 3; i++) {
        fcgi_post(&f, "/api/publish", "{\"channel\":\"hist:big\",\"data\":\"0123456789abcdef\"}");
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(fcgi_call(&f, "POST", rows[i].uri, rows[i].body, with_key), 200);
        buf_free(&f.response.body);
        f.response.body.max = 128;
        assert_int_equal(fcgi_call(&f, "POST", rows[i].uri, rows[i].body, with_key), 500);
        assert_string_equal(f.response.reason, "result.too_large");
        f.response.body.max = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_keeps_order_whatever_it_mixes),
        cmocka_unit_test(a_batch_keeps_its_order_when_scripts_are_missing),
        cmocka_unit_test(a_long_batch_is_published_completely),
        cmocka_unit_test(a_batch_with_a_wrong_type_runs_nothing),
        cmocka_unit_test(a_batch_runs_all_even_when_it_cannot_be_answered),
        cmocka_unit_test(the_single_endpoint_answers_in_lines),
        cmocka_unit_test(an_answer_has_a_limit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
