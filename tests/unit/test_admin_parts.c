/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of the operators' port: routes, forms, framing of requests, the page. */
#include "tests/unit/unit.h"

#include "common/base/err.h"
#include "common/format/b64.h"
#include "pushd/admin/form.h"
#include "pushd/admin/framing.h"
#include "pushd/admin/page.h"
#include "pushd/admin/routes.h"

#include <openssl/evp.h>

/* ---- routes ---- */

static char empty[] = "";
static char api[] = "/api";
static char health[] = "/health";
static char metrics[] = "/metrics";

static struct conf default_conf(void)
{
    return (struct conf){
        .http_api = {.handler_prefix = api},
        .health = {.handler_prefix = health},
        .prometheus = {.handler_prefix = metrics},
        .admin = {.handler_prefix = empty},
    };
}

static enum admin_route find(const struct conf *conf, const char *method, const char *path,
                             const char **allow)
{
    struct admin_routes routes;
    struct admin_request rq = {.method = span_str(method), .path = span_str(path)};
    admin_routes_init(&routes, conf);
    enum admin_route route = admin_routes_find(&routes, &rq, allow);
    admin_routes_fini(&routes);
    return route;
}

static void default_paths_are_the_references(void **state)
{
    (void)state;
    struct conf conf = default_conf();
    static const struct {
        const char *method;
        const char *path;
        enum admin_route route;
    } rows[] = {
        {"GET", "/api/ping", ADMIN_ROUTE_PING},     {"POST", "/api/ping", ADMIN_ROUTE_PING},
        {"OPTIONS", "/health", ADMIN_ROUTE_HEALTH}, {"GET", "/health/", ADMIN_ROUTE_NO_PATH},
        {"GET", "/Health", ADMIN_ROUTE_NO_PATH},    {"GET", "/ready", ADMIN_ROUTE_READY},
        {"GET", "/metrics", ADMIN_ROUTE_METRICS},   {"GET", "/admin", ADMIN_ROUTE_STATUS},
        {"HEAD", "/admin", ADMIN_ROUTE_STATUS},     {"PUT", "/admin", ADMIN_ROUTE_NO_METHOD},
        {"GET", "/admin/", ADMIN_ROUTE_SLASH},      {"GET", "/admin/init", ADMIN_ROUTE_INIT},
        {"POST", "/admin/auth", ADMIN_ROUTE_AUTH},  {"GET", "/admin/auth", ADMIN_ROUTE_NO_METHOD},
        {"POST", "/admin/api", ADMIN_ROUTE_API},    {"GET", "/", ADMIN_ROUTE_ROOT},
        {"GET", "", ADMIN_ROUTE_NO_PATH},           {"GET", "/api/publish", ADMIN_ROUTE_NO_PATH},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *allow = NULL;
        assert_int_equal(find(&conf, rows[i].method, rows[i].path, &allow), rows[i].route);
    }
}

static void refused_methods_come_with_the_allowed_ones(void **state)
{
    (void)state;
    struct conf conf = default_conf();
    const char *allow = NULL;
    find(&conf, "DELETE", "/admin", &allow);
    assert_string_equal(allow, "GET, HEAD");
    find(&conf, "GET", "/admin/auth", &allow);
    assert_string_equal(allow, "POST");
}

static void prefixes_move_the_paths(void **state)
{
    (void)state;
    struct conf conf = default_conf();
    const char *allow = NULL;
    char api_prefix[] = "/centrifugo/api/";
    char health_prefix[] = "alive";
    char admin_prefix[] = "/ops/push";
    char metrics_prefix[] = "/";
    conf.http_api.handler_prefix = api_prefix;
    conf.health.handler_prefix = health_prefix;
    conf.admin.handler_prefix = admin_prefix;
    conf.prometheus.handler_prefix = metrics_prefix;
    assert_int_equal(find(&conf, "GET", "/centrifugo/api/ping", &allow), ADMIN_ROUTE_PING);
    assert_int_equal(find(&conf, "GET", "/api/ping", &allow), ADMIN_ROUTE_NO_PATH);
    assert_int_equal(find(&conf, "GET", "/alive", &allow), ADMIN_ROUTE_HEALTH);
    assert_int_equal(find(&conf, "GET", "/ops/push/admin", &allow), ADMIN_ROUTE_STATUS);
    assert_int_equal(find(&conf, "POST", "/ops/push/admin/auth", &allow), ADMIN_ROUTE_AUTH);
    assert_int_equal(find(&conf, "GET", "/ops/push/", &allow), ADMIN_ROUTE_ROOT);
    assert_int_equal(find(&conf, "GET", "/ops/push", &allow), ADMIN_ROUTE_BASE);
    assert_int_equal(find(&conf, "GET", "/", &allow), ADMIN_ROUTE_METRICS);
}

/* ---- forms ---- */

static int field(const char *type, struct span body, const char *expected)
{
    struct buf out = {0};
    int rc = admin_form_field(span_str(type), body, "password", &out);
    if (rc == 0) {
        assert_string_equal(buf_cstr(&out), expected);
    }
    buf_free(&out);
    return rc;
}

#define URLENCODED "application/x-www-form-urlencoded"
#define MULTIPART  "multipart/form-data; boundary=XX"

static void urlencoded_fields_are_decoded(void **state)
{
    (void)state;
    assert_int_equal(field(URLENCODED, SPAN("password=a+b%20c%2Bd%C3%a4"), "a b c+d\xc3\xa4"), 0);
    assert_int_equal(field(URLENCODED "; charset=utf-8", SPAN("user=x&password=p&password=q"), "p"),
                     0);
    assert_int_equal(field(URLENCODED, SPAN("password="), ""), 0);
    assert_int_equal(field(URLENCODED, SPAN("password"), ""), 0);
    assert_int_equal(field(URLENCODED, SPAN("xpassword=p"), NULL), ERR_MISSING);
    assert_int_equal(field(URLENCODED, SPAN(""), NULL), ERR_MISSING);
    assert_int_equal(field(URLENCODED, SPAN("password=%4"), NULL), ERR_SYNTAX);
    assert_int_equal(field(URLENCODED, SPAN("password=%zz"), NULL), ERR_SYNTAX);
}

static void multipart_fields_are_found(void **state)
{
    (void)state;
    assert_int_equal(field(MULTIPART,
                           SPAN("--XX\r\nContent-Disposition: form-data; "
                                "name=\"password\"\r\n\r\nsecret\r\n--XX--\r\n"),
                           "secret"),
                     0);
    assert_int_equal(
        field("Multipart/Form-Data; charset=utf-8; boundary=\"X X\"",
              SPAN("preamble\r\n--X X\r\ncontent-disposition: form-data; name=user\r\n\r\nx\r\n--X "
                   "X\r\n"
                   "Content-Type: text/plain\r\nContent-Disposition:form-data; filename=\"a;b\"; "
                   "name=password\r\n\r\na\r\nb\r\n--X X--"),
              "a\r\nb"),
        0);
    assert_int_equal(
        field(MULTIPART,
              SPAN("--XX\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n\r\n--XX--"),
              ""),
        0);
}

static void broken_multipart_is_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "--XX\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nsecret",
        "--XX\r\nContent-Disposition: form-data; name=\"password\"\r\nsecret\r\n--XX--",
        "--XX\r\n",
        "--XX",
    };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        assert_int_not_equal(field(MULTIPART, span_str(bodies[i]), NULL), 0);
    }
    assert_int_equal(field(MULTIPART, SPAN("--XX--\r\n"), NULL), ERR_MISSING);
    assert_int_equal(field(MULTIPART, SPAN(""), NULL), ERR_MISSING);
    assert_int_equal(field("multipart/form-data", SPAN("--\r\n"), NULL), ERR_SYNTAX);
    assert_int_equal(field("multipart/form-data; boundary=", SPAN("--\r\n"), NULL), ERR_SYNTAX);
    assert_int_equal(field("multipart/form-data; boundary=\"XX", SPAN("--XX\r\n"), NULL),
                     ERR_SYNTAX);
    assert_int_equal(
        field("multipart/form-data; boundary="
              "12345678901234567890123456789012345678901234567890123456789012345678901",
              SPAN("--X\r\n"), NULL),
        ERR_SYNTAX);
    assert_int_equal(field("application/json", SPAN("{}"), NULL), ERR_TYPE);
    assert_int_equal(admin_form_field((struct span){0}, SPAN("password=x"), "password", NULL),
                     ERR_TYPE);
}

/* Any change of a good form leads to an answer, under a sanitizer to one without reading beyond the
 * end. */
static void no_form_makes_the_reader_fall(void **state)
{
    (void)state;
    static const char good[] =
        "a=%41&--XX\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nsecret\r\n--XX--";
    static const char *const types[] = {URLENCODED, MULTIPART,
                                        "multipart/form-data; x=\"; boundary=XX; boundary=XX"};
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        char *body = test_malloc(sizeof(good));
        size_t n = sizeof(good) - 1;
        memcpy(body, good, sizeof(good));
        for (int i = 0; i < 3; i++) {
            seed = seed * 1664525 + 1013904223;
            body[seed >> 8 & 0x7f ? (seed >> 8) % n : 0] = "\r\n-X%=&;:\" "[seed >> 24 & 7];
        }
        n = (seed >> 16) % (n + 1);
        struct buf out = {0};
        admin_form_field(span_str(types[round % 3]), span_of(body, n), "password", &out);
        buf_free(&out);
        test_free(body);
    }
}

/* ---- framing ---- */

/* The request has a Host besides these. */
static bool is_bad(const char *const headers[][2], size_t n)
{
    struct admin_framing f = {0};
    admin_framing_add(&f, SPAN("Host"), SPAN("a"));
    for (size_t i = 0; i < n; i++) {
        admin_framing_add(&f, span_str(headers[i][0]), span_str(headers[i][1]));
    }
    return admin_framing_is_bad(&f, SPAN("HTTP/1.1"));
}

#define HEADERS(...)                       \
    (const char *const[][2]){__VA_ARGS__}, \
        sizeof((const char *const[][2]){__VA_ARGS__}) / sizeof(char *[2])

static void ambiguous_lengths_are_refused(void **state)
{
    (void)state;
    assert_false(is_bad(HEADERS({"X-Key", "a\tb \xc3\xa4"}, {"Content-Length", "5"})));
    assert_false(is_bad(HEADERS({"Transfer-Encoding", "Chunked"})));
    assert_true(is_bad(HEADERS({"Content-Length", "5"}, {"content-length", "5"})));
    assert_true(is_bad(HEADERS({"Content-Length", "5"}, {"Transfer-Encoding", "chunked"})));
    assert_true(
        is_bad(HEADERS({"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"})));
    assert_true(is_bad(HEADERS({"Transfer-Encoding", "gzip, chunked"})));
    assert_true(is_bad(HEADERS({"Content-Length", "+5"})));
    assert_true(is_bad(HEADERS({"Content-Length", "5, 5"})));
    assert_true(is_bad(HEADERS({"Content-Length", ""})));
    assert_true(is_bad(HEADERS({"Content-Length ", "5"})));
    assert_true(is_bad(HEADERS({"X-Key", "a\x01"})));
    assert_true(is_bad(HEADERS({"", "a"})));
    assert_true(is_bad(HEADERS({"host", "b"})));
}

static void only_old_clients_may_leave_out_the_host(void **state)
{
    (void)state;
    struct admin_framing f = {0};
    assert_true(admin_framing_is_bad(&f, SPAN("HTTP/1.1")));
    assert_false(admin_framing_is_bad(&f, SPAN("HTTP/1.0")));
}

/* ---- the page ---- */

static void the_page_is_whole_and_names_nothing_foreign(void **state)
{
    (void)state;
    struct span page = admin_page();
    assert_true(span_is_utf8(page));
    assert_int_equal(memchr(page.p, '\0', page.n) != NULL, 0);
    assert_true(span_starts(page, SPAN("<!doctype html>\n")));
    assert_non_null(strstr(page.p, "</html>\n"));
    assert_null(strstr(page.p, "https://"));
    assert_null(strstr(page.p, " style="));
    assert_null(strstr(page.p, " onclick="));
    assert_null(strstr(page.p, "innerHTML"));
}

static void the_policy_lets_only_this_script_run(void **state)
{
    (void)state;
    struct buf policy = {0};
    struct buf hash = {0};
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    admin_page_security(&policy);
    const char *start = strstr(admin_page().p, "<script>") + 8;
    const char *end = strstr(start, "</script>");
    assert_null(strstr(end, "<script"));
    EVP_Digest(start, (size_t)(end - start), digest, &n, EVP_sha256(), NULL);
    buf_add_str(&hash, "script-src 'sha256-");
    b64_encode(&hash, span_of(digest, n));
    buf_add_str(&hash, "'");
    assert_non_null(strstr(buf_cstr(&policy), buf_cstr(&hash)));
    assert_non_null(strstr(policy.p, "style-src 'sha256-"));
    assert_null(strstr(policy.p, "unsafe"));
    buf_free(&policy);
    buf_free(&hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_paths_are_the_references),
        cmocka_unit_test(refused_methods_come_with_the_allowed_ones),
        cmocka_unit_test(prefixes_move_the_paths),
        cmocka_unit_test(urlencoded_fields_are_decoded),
        cmocka_unit_test(multipart_fields_are_found),
        cmocka_unit_test(broken_multipart_is_refused),
        cmocka_unit_test(no_form_makes_the_reader_fall),
        cmocka_unit_test(ambiguous_lengths_are_refused),
        cmocka_unit_test(only_old_clients_may_leave_out_the_host),
        cmocka_unit_test(the_page_is_whole_and_names_nothing_foreign),
        cmocka_unit_test(the_policy_lets_only_this_script_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
