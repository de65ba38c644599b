/* SPDX-License-Identifier: Apache-2.0 */
/* What push-api reads from FastCGI variables, queries and cookies, and what it writes. */
#include "tests/unit/unit.h"

#include "common/protocol/api.h"
#include "fcgi/auth.h"
#include "fcgi/query.h"
#include "fcgi/records.h"
#include "fcgi/request.h"
#include "fcgi/response.h"
#include "fcgi/router.h"
#include "tests/unit/fcgi_client.h"

#include <string.h>

#define assert_span(s, text) assert_memory_equal((s).p, text, assert_length(s, sizeof(text) - 1))

static size_t assert_length(struct span s, size_t n)
{
    assert_int_equal(s.n, n);
    return n;
}

static void variables_become_a_request(void **state)
{
    char *const variables[] = {
        (char[]){"REQUEST_METHOD=POST"},
        (char[]){"REQUEST_URI=/api/publish?api_key=a%20b"},
        (char[]){"HTTP_AUTHORIZATION=apikey k"},
        (char[]){"HTTP_COOKIE=a=1"},
        (char[]){"REMOTE_USER=7"},
        (char[]){"CONTENT_LENGTH=12"},
        NULL,
    };
    struct arena a = {0};
    struct request r;
    (void)state;
    request_init(&r, variables, &a);
    assert_span(r.method, "POST");
    assert_span(r.path, "/api/publish");
    assert_span(r.query, "api_key=a%20b");
    assert_span(r.authorization, "apikey k");
    assert_span(r.cookie, "a=1");
    assert_span(r.content_length, "12");
    assert_span(request_variable(&r, "REMOTE_USER"), "7");
    assert_null(request_variable(&r, "REMOTE_USE").p);
    assert_null(request_variable(&r, "").p);
    assert_null(r.api_key.p);
    arena_fini(&a);
}

static struct span path_of(char *uri, struct arena *a)
{
    char *const variables[] = {uri, NULL};
    struct request r;
    request_init(&r, variables, a);
    return r.path;
}

static void paths_are_decoded_and_freed_of_origins(void **state)
{
    struct arena a = {0};
    (void)state;
    assert_span(path_of((char[]){"REQUEST_URI=/a%70i/%zz"}, &a), "/api/%zz");
    assert_span(path_of((char[]){"REQUEST_URI=http://host:8/api/info?x"}, &a), "/api/info");
    assert_span(path_of((char[]){"REQUEST_URI=http://host"}, &a), "");
    assert_span(path_of((char[]){"REQUEST_URI=/?"}, &a), "/");
    assert_span(path_of((char[]){"SCRIPT_NAME=/api"}, &a), "/api");
    assert_null(path_of((char[]){"X=/api"}, &a).p);
    arena_fini(&a);
}

static void query_parameters_are_found_and_decoded(void **state)
{
    struct arena a = {0};
    (void)state;
    assert_span(query_get(span_str("a=1&b=x+y%2Bz&b=&c"), "a", &a), "1");
    assert_span(query_get(span_str("b=x+y%2Bz"), "b", &a), "x y+z");
    assert_span(query_get(span_str("b=0&a=1&a=2"), "a", &a), "1");
    assert_span(query_get(span_str("&&c"), "c", &a), "");
    assert_null(query_get(span_str("a=1"), "b", &a).p);
    assert_null(query_get((struct span){0}, "b", &a).p);
    assert_span(query_unescape(span_str("%4"), true, &a), "%4");
    assert_span(query_unescape(span_str("100%"), true, &a), "100%");
    arena_fini(&a);
}

static void a_query_fills_a_message(void **state)
{
    struct arena a = {0};
    struct api_history h;
    struct schema_error e = {0};
    (void)state;
    assert_int_equal(
        query_decode(&api_history_schema,
                     span_str("channel=a%3Ab&limit=-1&reverse=1&since_offset=5&since.epoch=xy&z=1"),
                     &a, &h, &e),
        0);
    assert_span(h.channel, "a:b");
    assert_int_equal(h.limit, -1);
    assert_true(h.reverse);
    assert_non_null(h.since);
    assert_int_equal(h.since->offset, 5);
    assert_span(h.since->epoch, "xy");
    assert_int_equal(query_decode(&api_history_schema, span_str("limit=x"), &a, &h, &e), ERR_TYPE);
    assert_string_equal(e.field.p, "limit");
    assert_int_equal(query_decode(&api_history_schema, span_str("limit=2147483648"), &a, &h, NULL),
                     ERR_TYPE);
    assert_int_equal(query_decode(&api_history_schema, span_str("reverse=yes"), &a, &h, NULL),
                     ERR_TYPE);
    assert_int_equal(
        query_decode(&api_publish_schema, span_str("data=1"), &a, &(struct api_publish){0}, NULL),
        ERR_TYPE);
    arena_fini(&a);
}

static void cookies_are_found_by_name(void **state)
{
    (void)state;
    struct span header = span_str("a=1; session=\"x y\";b=2; sessions=no;session=later");
    assert_span(cookie_get(header, span_str("session")), "x y");
    assert_span(cookie_get(header, span_str("b")), "2");
    assert_null(cookie_get(header, span_str("c")).p);
    assert_null(cookie_get((struct span){0}, span_str("c")).p);
    assert_null(cookie_get(span_str("novalue; ;"), span_str("novalue")).p);
    assert_span(cookie_get(span_str("e="), span_str("e")), "");
}

static const struct conf_api_key *key_found;

static enum auth_result check(const struct conf *c, const char *x_api_key,
                              const char *authorization, const char *query)
{
    struct arena a = {0};
    struct request r = {
        .api_key = span_str(x_api_key),
        .authorization = span_str(authorization),
        .query = span_str(query),
    };
    enum auth_result result = auth_check(c, &r, &a, &key_found);
    arena_fini(&a);
    return result;
}

static void the_key_is_taken_from_headers_and_query(void **state)
{
    struct conf c = {.http_api.key = (char[]){"secret"}};
    (void)state;
    assert_int_equal(check(&c, "secret", NULL, NULL), AUTH_OK);
    assert_int_equal(check(&c, NULL, "apikey secret", NULL), AUTH_OK);
    assert_int_equal(check(&c, NULL, "ApiKey    secret ", NULL), AUTH_OK);
    assert_int_equal(check(&c, NULL, "apikey secret more", NULL), AUTH_WRONG_SCHEME);
    assert_int_equal(check(&c, NULL, "Bearer secret", NULL), AUTH_WRONG_SCHEME);
    assert_int_equal(check(&c, NULL, "apikey", NULL), AUTH_WRONG_SCHEME);
    assert_int_equal(check(&c, "wrong", "apikey secret", NULL), AUTH_WRONG_KEY);
    assert_int_equal(check(&c, "wrong", NULL, "api_key=secret"), AUTH_OK);
    assert_int_equal(check(&c, NULL, NULL, "api_key=%73ecret"), AUTH_OK);
    assert_int_equal(check(&c, NULL, NULL, "api_key=wrong"), AUTH_WRONG_KEY);
    assert_int_equal(check(&c, NULL, NULL, NULL), AUTH_NO_CREDENTIAL);
    assert_int_equal(check(&c, "", "", ""), AUTH_NO_CREDENTIAL);
}

static void an_empty_key_lets_nobody_in_but_insecure_does(void **state)
{
    struct conf c = {.http_api.key = (char[]){""}};
    (void)state;
    assert_int_equal(check(&c, "", NULL, NULL), AUTH_NOT_CONFIGURED);
    assert_int_equal(check(&c, NULL, NULL, "api_key="), AUTH_NOT_CONFIGURED);
    c.http_api.insecure = true;
    assert_int_equal(check(&c, NULL, NULL, NULL), AUTH_OK);
}

static void a_named_key_is_told_apart(void **state)
{
    struct conf_api_key keys[] = {{.name = (char[]){"a"}, .key = (char[]){"first"}},
                                  {.name = (char[]){"b"}, .key = (char[]){"second"}}};
    struct conf c = {.http_api.key = (char[]){""},
                     .pushd = {.api_keys = keys, .api_key_count = ARRAY_LEN(keys)}};
    (void)state;
    assert_int_equal(check(&c, "second", NULL, NULL), AUTH_OK);
    assert_ptr_equal(key_found, &keys[1]);
    assert_string_equal(auth_key_name(key_found), "b");
    assert_int_equal(check(&c, "wrong", NULL, "api_key=first"), AUTH_OK);
    assert_ptr_equal(key_found, &keys[0]);
    assert_int_equal(check(&c, NULL, "apikey first", "api_key=second"), AUTH_OK);
    assert_ptr_equal(key_found, &keys[0]);
    assert_int_equal(check(&c, "wrong", NULL, NULL), AUTH_WRONG_KEY);
    assert_null(key_found);
    assert_int_equal(check(&c, "", NULL, NULL), AUTH_NO_CREDENTIAL);
    assert_string_equal(auth_key_name(NULL), "http_api.key");
}

static enum route_kind kind(const struct conf *c, const char *path)
{
    return route_find(c, span_str(path)).kind;
}

static void only_exact_paths_have_a_route(void **state)
{
    struct conf c = {.http_api.handler_prefix = (char[]){"/api/"}};
    (void)state;
    c.pushd.token.endpoint = (char[]){"/token"};
    c.pushd.token.subscription_endpoint = (char[]){"/sub"};
    assert_int_equal(kind(&c, "/api/publish"), ROUTE_METHOD);
    assert_string_equal(route_find(&c, SPAN("/api/history_remove")).method->name, "history_remove");
    assert_int_equal(kind(&c, "/api/batch"), ROUTE_BATCH);
    assert_int_equal(kind(&c, "/api"), ROUTE_LEGACY);
    assert_int_equal(kind(&c, "/api/ping"), ROUTE_PING);
    assert_int_equal(kind(&c, "/token"), ROUTE_TOKEN);
    assert_int_equal(kind(&c, "/sub"), ROUTE_SUBSCRIPTION_TOKEN);
    const char *const unknown[] = {"",
                                   "/",
                                   "/api/",
                                   "/api/publish/",
                                   "/apipublish",
                                   "/api//publish",
                                   "/api/Publish",
                                   "/api/nothing",
                                   "/token/"};
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        assert_int_equal(kind(&c, unknown[i]), ROUTE_NONE);
    }
}

static void prefixes_move_the_api_and_disabling_removes_it(void **state)
{
    struct conf c = {.http_api.handler_prefix = (char[]){"/push/v1"}};
    (void)state;
    c.pushd.token.endpoint = (char[]){"/token"};
    c.pushd.token.subscription_endpoint = (char[]){"/sub"};
    assert_int_equal(kind(&c, "/push/v1/publish"), ROUTE_METHOD);
    assert_int_equal(kind(&c, "/api/publish"), ROUTE_NONE);
    assert_int_equal(kind(&c, "/api/ping"), ROUTE_PING);
    c.http_api.handler_prefix = (char[]){""};
    assert_int_equal(kind(&c, "/publish"), ROUTE_METHOD);
    assert_int_equal(kind(&c, "/"), ROUTE_LEGACY);
    c.http_api.disabled = true;
    assert_int_equal(kind(&c, "/publish"), ROUTE_NONE);
    assert_int_equal(kind(&c, "/token"), ROUTE_TOKEN);
}

static void the_table_of_methods_fits_its_users(void **state)
{
    (void)state;
    assert_true(api_method_count <= 16); /* api_batch.c holds a slot for each */
    for (size_t i = 0; i < api_method_count; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(api_methods[i].name, api_methods[k].name);
            assert_true(api_methods[i].number < 0 ||
                        api_methods[i].number != api_methods[k].number);
        }
        assert_true(api_methods[i].request->size <= 256);
    }
}

static void heads_are_written_as_a_responder_has_to(void **state)
{
    struct response r = {0};
    struct buf head = {0};
    (void)state;
    response_clear(&r);
    response_json(&r, 200);
    buf_add_str(&r.body, "{}");
    response_head(&r, &head);
    assert_string_equal(buf_cstr(&head),
                        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n");
    buf_clear(&head);
    response_empty(&r, 405);
    r.allow = "POST";
    r.reason = "x.y";
    r.no_store = true;
    response_head(&r, &head);
    assert_string_equal(buf_cstr(&head),
                        "Status: 405 Method Not Allowed\r\nX-Pushd-Reason: x.y\r\nAllow: POST\r\n"
                        "Cache-Control: no-store\r\nContent-Length: 0\r\n\r\n");
    buf_free(&head);
    response_free(&r);
}

static enum records_state check_records(const char *p, size_t n)
{
    struct buf scratch = {0};
    enum records_state state = records_check((const unsigned char *)p, n, &scratch);
    buf_free(&scratch);
    return state;
}

static void a_head_is_ready_when_its_last_record_is_there(void **state)
{
    struct buf body = {0};
    struct buf b = {0};
    (void)state;
    buf_add_str(&body, "{}");
    fcgi_add_request(&b, "/api/publish", &body, body.n, true);
    size_t head = b.n - 8 - 10; /* the body's record and its end */
    for (size_t n = 0; n <= b.n; n++) {
        assert_int_equal(check_records(b.p, n), n < head ? RECORDS_PARTIAL : RECORDS_READY);
    }
    fcgi_add_request(&b, "/api/publish", &body, body.n, true);
    assert_int_equal(check_records(b.p, b.n), RECORDS_READY);
    buf_free(&body);
    buf_free(&b);
}

static void records_that_would_hurt_libfcgi_are_garbage(void **state)
{
    /* Each spoils one byte of a good request: version, type, id, length, padding of BEGIN_REQUEST;
     * type and id of the parameters; lengths, a NUL and a '=' in a name. */
    static const struct {
        size_t at;
        char byte;
    } spoilt[] = {{0, 2},  {1, 9},  {3, 0},       {5, 7},  {6, 1},
                  {17, 9}, {19, 2}, {24, '\x7f'}, {26, 0}, {26, '='}};
    struct buf body = {0};
    struct buf b = {0};
    (void)state;
    fcgi_add_request(&b, "/api/publish", &body, 0, true);
    for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
        char good = b.p[spoilt[i].at];
        b.p[spoilt[i].at] = spoilt[i].byte;
        assert_int_equal(check_records(b.p, b.n), RECORDS_GARBAGE);
        b.p[spoilt[i].at] = good;
    }
    assert_int_equal(check_records(b.p, b.n), RECORDS_READY);
    assert_int_equal(check_records("GET", 3), RECORDS_GARBAGE);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_become_a_request),
        cmocka_unit_test(paths_are_decoded_and_freed_of_origins),
        cmocka_unit_test(query_parameters_are_found_and_decoded),
        cmocka_unit_test(a_query_fills_a_message),
        cmocka_unit_test(cookies_are_found_by_name),
        cmocka_unit_test(the_key_is_taken_from_headers_and_query),
        cmocka_unit_test(an_empty_key_lets_nobody_in_but_insecure_does),
        cmocka_unit_test(a_named_key_is_told_apart),
        cmocka_unit_test(only_exact_paths_have_a_route),
        cmocka_unit_test(prefixes_move_the_api_and_disabling_removes_it),
        cmocka_unit_test(the_table_of_methods_fits_its_users),
        cmocka_unit_test(a_head_is_ready_when_its_last_record_is_there),
        cmocka_unit_test(records_that_would_hurt_libfcgi_are_garbage),
        cmocka_unit_test(heads_are_written_as_a_responder_has_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
