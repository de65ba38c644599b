/* SPDX-License-Identifier: Apache-2.0 */
/* The opening handshake: what is accepted, and with which HTTP status the rest is refused. */
#include "pushd/worker/upgrade.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define BASE                                                                                      \
    "Host: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: " \
    "13\r\n" KEY
#define GET "GET /connection/websocket HTTP/1.1\r\n"

static struct conf *conf;

static int setup(void **state)
{
    (void)state;
    static const char text[] = "{\"client\":{\"allowed_origins\":[\"https://"
                               "*.example.com\"],\"user_id_http_header\":\"X-User\","
                               "\"token\":{\"hmac_secret_key\":\"s\"}},"
                               "\"websocket\":{\"compression\":true},"
                               "\"init\":{\"enabled\":true}}";
    struct err e;
    conf = conf_load(&(struct conf_load_opts){.text = text, .text_len = sizeof(text) - 1}, &e);
    return conf != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    conf_free(conf);
    return 0;
}

static struct upgrade read_head(const char *head)
{
    struct upgrade u;
    struct span text = span_str(head);
    /* No prefix of a request is taken for a request. */
    for (size_t n = 0; n + 1 < text.n; n++) {
        if (upgrade_read(conf, span_of(text.p, n), &u) != 0) {
            break;
        }
        assert_true(n + 1 < text.n);
    }
    assert_int_equal(upgrade_read(conf, text, &u), 1);
    return u;
}

static void refusals_have_their_status(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        unsigned status;
    } rows[] = {
        {GET BASE "\r\n", 101},
        {"GET /connection/websocket?x=1 HTTP/1.1\r\n" BASE "\r\n", 101},
        {GET BASE "Origin: https://a.example.com\r\n\r\n", 101},
        {GET BASE "Connection: keep-alive\r\nUpgrade: h2c\r\nSec-WebSocket-Version: 8\r\n\r\n",
         101},
        {GET BASE "Origin: https://evil.test\r\n\r\n", 403},
        {"GET /other HTTP/1.1\r\n" BASE "\r\n", 404},
        {"POST /connection/websocket HTTP/1.1\r\n" BASE "\r\n", 405},
        {GET "Host: x\r\n\r\n", 400},
        {GET "Connection: upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Version: 13\r\n" KEY "\r\n",
         400},
        {GET "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n" KEY "\r\n",
         400},
        {GET "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", 400},
        {GET "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
             "13\r\nSec-WebSocket-Key: short\r\n\r\n",
         400},
        {"GET /connection/websocket HTTP/2.0\r\n" BASE "\r\n", 400},
        {"\x16\x03\x01\x02\r\n\r\n", 400},
        {GET BASE "Bad Header: x\r\n\r\n", 400},
        {GET BASE "Origin: https://a.example.com\rX: y\r\n\r\n", 400},
        {"GET /connection/init HTTP/1.1\r\nHost: x\r\n\r\n", 200},
        {"POST /connection/init HTTP/1.1\r\nHost: x\r\n\r\n", 405},
        {"GET /connection/init/ HTTP/1.1\r\nHost: x\r\n\r\n", 404},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct upgrade u = read_head(rows[i].head);
        if (u.status != rows[i].status) {
            print_error("row %zu: %s", i, rows[i].head);
        }
        assert_int_equal(u.status, rows[i].status);
    }
}

/* Whoever looks for a mistake reads these in the log and in X-Pushd-Reason. */
static void refusals_name_the_mistake(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        const char *word;
    } rows[] = {
        {"GET /connection/websocket HTTP/1.0\r\nHost: x\r\nConnection: close\r\n\r\n",
         "proxy_http_version 1.1"},
        {"\x16\x03\x01\x02\x01\x01\xfc\x03\x03", "TLS"},
        {"\x01\x01\x02\x03", "FastCGI"},
        {"GET /connection/websockets HTTP/1.1\r\n" BASE "\r\n", "websocket.handler_prefix"},
        {"POST /api/publish HTTP/1.1\r\nHost: x\r\n\r\n", "push-api"},
        {"GET /admin HTTP/1.1\r\nHost: x\r\n\r\n", "pushd.admin_listen"},
        {"GET /connection/sse HTTP/1.1\r\nHost: x\r\n\r\n", "SSE"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct upgrade u = read_head(rows[i].head);
        struct buf out = {0};
        assert_non_null(u.detail);
        upgrade_answer(&u, &out);
        assert_non_null(strstr(buf_cstr(&out), "X-Pushd-Reason: "));
        if (strstr(out.p, rows[i].word) == NULL) {
            print_error("row %zu: %s\n", i, out.p);
        }
        assert_non_null(strstr(out.p, rows[i].word));
        buf_free(&out);
    }
}

static void the_first_known_subprotocol_is_echoed(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *echo;
        enum proto_encoding enc;
    } rows[] = {
        {"", "", ENC_JSON},
        {"Sec-WebSocket-Protocol:\r\n", "", ENC_JSON},
        {"Sec-WebSocket-Protocol: x, y\r\n", "", ENC_JSON},
        {"Sec-WebSocket-Protocol: x, centrifuge-protobuf, centrifuge-json\r\n",
         "centrifuge-protobuf", ENC_PROTOBUF},
        {"Sec-WebSocket-Protocol: centrifuge-json\r\n", "centrifuge-json", ENC_JSON},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf head = {0};
        buf_addf(&head, "%s%s%s\r\n", GET, BASE, rows[i].header);
        struct upgrade u = read_head(buf_cstr(&head));
        assert_int_equal(u.status, 101);
        assert_int_equal(u.encoding, rows[i].enc);
        assert_true(span_eq_str(u.subprotocol, rows[i].echo));
        buf_free(&head);
    }
    assert_int_equal(
        read_head("GET /connection/websocket?format=protobuf HTTP/1.1\r\n" BASE "\r\n").encoding,
        ENC_PROTOBUF);
    struct upgrade u = read_head("GET /connection/websocket?cf_protocol=protobuf HTTP/1.1\r\n" BASE
                                 "Sec-WebSocket-Protocol: centrifuge-json\r\n\r\n");
    assert_int_equal(u.encoding, ENC_PROTOBUF);
    assert_true(span_eq_str(u.subprotocol, "centrifuge-json"));
}

static void the_answer_carries_the_key_of_rfc_6455(void **state)
{
    (void)state;
    struct upgrade u = read_head(GET BASE "X-User: 42\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n");
    assert_true(span_eq_str(u.user, "42"));
    assert_true(span_eq_str(u.forwarded_for, "10.0.0.1"));
    struct buf out = {0};
    upgrade_answer(&u, &out);
    assert_non_null(
        strstr(buf_cstr(&out), "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    assert_null(strstr(out.p, "Sec-WebSocket-Protocol"));
    buf_free(&out);
}

static void compression_is_taken_from_any_of_its_headers(void **state)
{
    (void)state;
    struct upgrade u = read_head(GET BASE "Sec-WebSocket-Extensions: a; b=c\r\n"
                                          "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    assert_true(u.has_deflate);
    struct buf out = {0};
    upgrade_answer(&u, &out);
    assert_non_null(strstr(buf_cstr(&out),
                           "\r\nSec-WebSocket-Extensions: permessage-deflate; "
                           "server_no_context_takeover; client_no_context_takeover\r\n"));
    buf_clear(&out);
    u = read_head(GET BASE "\r\n");
    upgrade_answer(&u, &out);
    assert_null(strstr(buf_cstr(&out), "Extensions"));
    buf_free(&out);
}

static void init_answers_pages_of_allowed_origins(void **state)
{
    (void)state;
    static const char head[] = "GET /connection/init HTTP/1.1\r\nOrigin: https://%s\r\n"
                               "Access-Control-Request-Headers: x-a\r\n\r\n";
    struct buf text = {0};
    struct buf out = {0};
    buf_addf(&text, head, "a.example.com");
    struct upgrade u = read_head(buf_cstr(&text));
    upgrade_answer(&u, &out);
    assert_non_null(strstr(buf_cstr(&out), "Access-Control-Allow-Origin: https://a.example.com\r\n"
                                           "Access-Control-Allow-Credentials: true\r\n"
                                           "Access-Control-Allow-Headers: x-a\r\n"));
    buf_clear(&text);
    buf_clear(&out);
    buf_addf(&text, head, "evil.test");
    u = read_head(buf_cstr(&text));
    upgrade_answer(&u, &out);
    assert_non_null(strstr(buf_cstr(&out), "HTTP/1.1 200 OK"));
    assert_null(strstr(out.p, "Access-Control"));
    buf_free(&text);
    buf_free(&out);
}

static void an_endless_head_is_refused(void **state)
{
    (void)state;
    struct buf head = {0};
    buf_add_str(&head, GET "X-Long: ");
    while (head.n < UPGRADE_MAX_HEAD_BYTES + 10) {
        buf_add_char(&head, 'a');
    }
    struct upgrade u;
    assert_int_equal(upgrade_read(conf, buf_span(&head), &u), 1);
    assert_int_equal(u.status, 431);
    buf_free(&head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_have_their_status),
        cmocka_unit_test(refusals_name_the_mistake),
        cmocka_unit_test(the_first_known_subprotocol_is_echoed),
        cmocka_unit_test(the_answer_carries_the_key_of_rfc_6455),
        cmocka_unit_test(compression_is_taken_from_any_of_its_headers),
        cmocka_unit_test(init_answers_pages_of_allowed_origins),
        cmocka_unit_test(an_endless_head_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
