/* SPDX-License-Identifier: Apache-2.0 */
/* The operators' port over HTTP: every route, as browsers, curl, load balancers and Prometheus see
 * it. */
#include "tests/unit/unit.h"

#include "common/format/jscan.h"
#include "tests/unit/admin_port.h"
#include "tests/unit/prom_text.h"

#include <stdio.h>

static struct admin_port port;
static struct admin_reply reply;

/* printf password | base64 and so on */
#define BASIC_RIGHT "Authorization: Basic YWRtaW46cGFzc3dvcmQ=\r\n"
#define BASIC_WRONG "Authorization: Basic YWRtaW46Z3Vlc3M=\r\n"
#define FORM        "Content-Type: application/x-www-form-urlencoded\r\n"
#define BROWSER     "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"

static int set_up(void **state)
{
    (void)state;
    admin_port_init(&port);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    admin_reply_free(&reply);
    admin_port_fini(&port);
    return 0;
}

static void ask(const char *method, const char *path, const char *headers, const char *body)
{
    if (port.admin == NULL) {
        admin_port_start(&port, 0);
    }
    admin_reply_free(&reply);
    admin_port_ask(&port, method, path, headers, body, &reply);
}

static void assert_header(const char *name, const char *expected)
{
    const char *value = admin_reply_header(&reply, name);
    assert_non_null(value);
    assert_string_equal(value, expected);
}

static void assert_answer(int status, const char *type, const char *body)
{
    assert_int_equal(reply.status, status);
    assert_header("Content-Type", type);
    assert_string_equal(reply.body.p, body);
}

static void ping_answers_any_method(void **state)
{
    (void)state;
    ask("GET", "/api/ping", "", NULL);
    assert_answer(200, "application/json", "{\"result\":{}}");
    ask("POST", "/api/ping?x=1", "", "{\"ignored\":true}");
    assert_answer(200, "application/json", "{\"result\":{}}");
}

static void health_is_an_empty_object(void **state)
{
    (void)state;
    ask("GET", "/health", "", NULL);
    assert_answer(200, "application/json", "{}");
    ask("POST", "/health", "", "");
    assert_answer(200, "application/json", "{}");
    ask("GET", "/health/", "", NULL);
    assert_answer(404, "text/plain; charset=utf-8", "404 page not found\n");
}

static void a_unix_socket_serves_as_well(void **state)
{
    (void)state;
    port.family = AF_UNIX;
    ask("GET", "/health", "", NULL);
    assert_answer(200, "application/json", "{}");
}

static void head_has_the_length_and_no_body(void **state)
{
    (void)state;
    struct admin_client c;
    admin_port_start(&port, 0);
    admin_client_connect(&port, &c);
    admin_client_send(
        &c, "HEAD /api/ping HTTP/1.1\r\nHost: a\r\n\r\nGET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    admin_client_read(&port, &c, "HEAD", &reply);
    assert_int_equal(reply.status, 200);
    assert_header("Content-Length", "13");
    admin_reply_free(&reply);
    admin_client_read(&port, &c, "GET", &reply);
    assert_answer(200, "application/json", "{}");
    admin_client_close(&c);
}

static void wrong_methods_are_told_the_right_ones(void **state)
{
    (void)state;
    ask("PUT", "/admin", "", "x");
    assert_int_equal(reply.status, 405);
    assert_header("Allow", "GET, HEAD");
    ask("GET", "/admin/auth", "", NULL);
    assert_int_equal(reply.status, 405);
    assert_header("Allow", "POST");
}

static void readiness_is_a_status(void **state)
{
    (void)state;
    ask("GET", "/ready", "", NULL);
    assert_answer(200, "application/json", "{\"ready\":true,\"redis\":\"ready\",\"workers\":2}\n");
    port.is_draining = true;
    ask("GET", "/ready", "", NULL);
    assert_answer(503, "application/json", "{\"ready\":false,\"reasons\":[\"draining\"]}\n");
}

static void metrics_are_read_by_a_strict_reader(void **state)
{
    (void)state;
    static struct prom parsed;
    struct err e = {0};
    double value = 0;
    metrics_add(metrics_new(), METRIC_TRANSPORT_SENT, 0, 5);
    ask("GET", "/metrics", "Accept: text/plain;version=0.0.4\r\n", NULL);
    assert_int_equal(reply.status, 200);
    assert_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    if (prom_parse(&parsed, buf_span(&reply.body), &e) != 0) {
        fail_msg("%s", e.text);
    }
    assert_true(
        prom_get(&parsed,
                 "centrifugo_transport_messages_sent{transport=\"websocket\",frame_type=\"\","
                 "channel_namespace=\"\"}",
                 &value));
    assert_true(value == 5);
    assert_true(prom_get(&parsed, "centrifugo_node_num_clients", &value));
    assert_true(value == 5);
}

static void status_needs_the_password_and_says_how(void **state)
{
    (void)state;
    ask("GET", "/admin", "Accept: */*\r\n", NULL);
    assert_int_equal(reply.status, 401);
    assert_header("Content-Type", "application/json");
    assert_header("WWW-Authenticate", "Basic realm=\"pushd admin\", charset=\"UTF-8\"");
    assert_true(jscan_is_valid(buf_span(&reply.body)));
    assert_non_null(strstr(reply.body.p, "curl -u admin:PASSWORD"));
    ask("GET", "/admin", BASIC_WRONG, NULL);
    assert_int_equal(reply.status, 401);
    assert_non_null(strstr(reply.body.p, "wrong admin password"));
    ask("GET", "/admin", "Authorization: token old\r\n", NULL);
    assert_int_equal(reply.status, 401);
    assert_header("WWW-Authenticate", "token realm=\"pushd\"");
}

static void status_is_json_for_curl(void **state)
{
    (void)state;
    ask("GET", "/admin", BASIC_RIGHT "Accept: */*\r\n", NULL);
    assert_int_equal(reply.status, 200);
    assert_header("Content-Type", "application/json");
    assert_header("Cache-Control", "no-store");
    assert_true(jscan_is_valid(buf_span(&reply.body)));
    assert_non_null(strstr(reply.body.p, "\"name\":\"alpha\""));
    assert_non_null(strstr(reply.body.p, "\"batch_send\":\"io_uring\""));
}

static void without_a_password_status_is_forbidden(void **state)
{
    (void)state;
    *port.conf.admin.password = '\0';
    ask("GET", "/admin", "", NULL);
    assert_int_equal(reply.status, 403);
    assert_non_null(strstr(reply.body.p, "CENTRIFUGO_ADMIN_PASSWORD"));
    ask("POST", "/admin/auth", FORM, "password=");
    assert_answer(400, "text/plain; charset=utf-8", "Bad Request\n");
    *port.conf.admin.password = 'p';
}

static void insecure_status_needs_nothing(void **state)
{
    (void)state;
    port.conf.admin.insecure = true;
    ask("GET", "/admin", "", NULL);
    assert_int_equal(reply.status, 200);
    ask("GET", "/admin/init", "", NULL);
    assert_answer(200, "application/json",
                  "{\"authenticated\":true,\"edition\":\"oss\",\"insecure\":true}\n");
}

static void browsers_get_the_page_without_data(void **state)
{
    (void)state;
    ask("GET", "/admin", BROWSER, NULL);
    assert_int_equal(reply.status, 200);
    assert_header("Content-Type", "text/html; charset=utf-8");
    assert_header("X-Content-Type-Options", "nosniff");
    assert_header("Vary", "Accept");
    assert_non_null(
        strstr(admin_reply_header(&reply, "Content-Security-Policy"), "default-src 'none'"));
    assert_null(strstr(reply.body.p, "alpha"));
    ask("GET", "/admin", "Accept: application/json, text/plain\r\n", NULL);
    assert_int_equal(reply.status, 401);
}

/* Takes the token out of {"token":"..."} and puts it into a header. */
static const char *token_header(void)
{
    static char header[256];
    char token[200] = "";
    assert_int_equal(reply.status, 200);
    assert_int_equal(sscanf(reply.body.p, "{\"token\":\"%199[^\"]\"}", token), 1);
    snprintf(header, sizeof(header), "Authorization: token %s\r\n", token);
    return header;
}

static void a_login_gives_a_token_that_opens(void **state)
{
    (void)state;
    ask("GET", "/admin/init", "", NULL);
    assert_answer(200, "application/json",
                  "{\"authenticated\":false,\"edition\":\"oss\",\"insecure\":false}\n");
    ask("POST", "/admin/auth", FORM, "password=password");
    assert_header("Content-Type", "application/json");
    const char *header = token_header();
    ask("GET", "/admin", header, NULL);
    assert_int_equal(reply.status, 200);
    ask("POST", "/admin/init", header, NULL);
    assert_answer(200, "application/json",
                  "{\"authenticated\":true,\"edition\":\"oss\",\"insecure\":false}\n");
    ask("POST", "/admin/auth", "Content-Type: multipart/form-data; boundary=XX\r\n",
        "--XX\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\npassword\r\n--XX--\r\n");
    token_header();
}

static void a_wrong_login_is_a_bad_request(void **state)
{
    (void)state;
    ask("POST", "/admin/auth", FORM, "password=guess");
    assert_answer(400, "text/plain; charset=utf-8", "Bad Request\n");
    ask("POST", "/admin/auth", FORM, "");
    assert_answer(400, "text/plain; charset=utf-8", "Bad Request\n");
    ask("POST", "/admin/auth", "Content-Type: application/json\r\n", "{\"password\":\"password\"}");
    assert_answer(400, "text/plain; charset=utf-8", "Bad Request\n");
    for (int i = 0; i < 100 && reply.status != 429; i++) {
        ask("POST", "/admin/auth", FORM, "password=guess");
    }
    assert_int_equal(reply.status, 429);
    assert_non_null(admin_reply_header(&reply, "Retry-After"));
    ask("GET", "/admin", BASIC_RIGHT, NULL);
    assert_int_equal(reply.status, 429);
}

static void the_command_api_is_elsewhere(void **state)
{
    (void)state;
    ask("POST", "/admin/api", "", "{\"method\":\"info\"}");
    assert_int_equal(reply.status, 401);
    assert_string_equal(reply.body.p, "");
    ask("POST", "/admin/api", "Authorization: token xyz\r\n", "{\"method\":\"info\"}");
    assert_int_equal(reply.status, 401);
    ask("POST", "/admin/api", BASIC_RIGHT, "{\"method\":\"info\"}");
    assert_int_equal(reply.status, 404);
    assert_non_null(strstr(reply.body.p, "push-api"));
}

static void other_spellings_lead_to_the_page(void **state)
{
    (void)state;
    static char prefix[] = "/ops/push";
    ask("GET", "/", "", NULL);
    assert_int_equal(reply.status, 302);
    assert_header("Location", "admin");
    ask("GET", "/admin/", "", NULL);
    assert_int_equal(reply.status, 302);
    assert_header("Location", "../admin");
    admin_port_fini(&port);
    admin_port_init(&port);
    port.conf.admin.handler_prefix = prefix;
    ask("GET", "/ops/push", "", NULL);
    assert_int_equal(reply.status, 302);
    assert_header("Location", "push/admin");
    ask("GET", "/ops/push/admin", BASIC_RIGHT, NULL);
    assert_int_equal(reply.status, 200);
    ask("GET", "/admin", BASIC_RIGHT, NULL);
    assert_int_equal(reply.status, 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ping_answers_any_method, set_up, tear_down),
        cmocka_unit_test_setup_teardown(health_is_an_empty_object, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_unix_socket_serves_as_well, set_up, tear_down),
        cmocka_unit_test_setup_teardown(head_has_the_length_and_no_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_methods_are_told_the_right_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(readiness_is_a_status, set_up, tear_down),
        cmocka_unit_test_setup_teardown(metrics_are_read_by_a_strict_reader, set_up, tear_down),
        cmocka_unit_test_setup_teardown(status_needs_the_password_and_says_how, set_up, tear_down),
        cmocka_unit_test_setup_teardown(status_is_json_for_curl, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_password_status_is_forbidden, set_up, tear_down),
        cmocka_unit_test_setup_teardown(insecure_status_needs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(browsers_get_the_page_without_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_login_gives_a_token_that_opens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_login_is_a_bad_request, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_command_api_is_elsewhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_spellings_lead_to_the_page, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
