/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about pushctl's HTTP and WebSocket clients, against a server that says what the test
 * wants. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clk.h"
#include "common/base/err.h"
#include "common/format/b64.h"
#include "pushctl/ws_client.h"

#include <openssl/sha.h>

#include "tests/unit/unit.h"

#define TIMEOUT_MS 60000

/* One connection: reads a request with `body_bytes` behind its headers, answers, then closes. */
struct server {
    char dir[32];
    char path[64];
    int listener;
    pthread_t thread;
    bool is_joined;
    size_t body_bytes;
    struct span answer; /* HTTP mode; "%s" in it becomes the right Sec-WebSocket-Accept */
    size_t at_once;     /* bytes of a write, 0: all */
    struct buf request;
    struct buf after; /* what the client sent behind the request */
    size_t wait_for;  /* ends when so many bytes of that have come */
};

static struct span accept_of(struct span request, char out[32])
{
    char text[128];
    unsigned char digest[SHA_DIGEST_LENGTH];
    const char *key = memmem(request.p, request.n, "Sec-WebSocket-Key: ", 19);
    if (key == NULL) {
        return SPAN("");
    }
    int n = snprintf(text, sizeof(text), "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 19);
    SHA1((const unsigned char *)text, (size_t)n, digest);
    struct buf b = {0};
    b64_encode(&b, span_of(digest, sizeof(digest)));
    memcpy(out, b.p, b.n);
    struct span s = span_of(out, b.n);
    buf_free(&b);
    return s;
}

/* Reads what has come; false at the end. */
static bool read_some(int fd, struct buf *b)
{
    char *at = buf_reserve(b, 4096);
    ssize_t n = read(fd, at, 4096);
    if (n > 0) {
        b->n += (size_t)n;
    }
    return n > 0;
}

static size_t head_bytes(const struct buf *b)
{
    for (size_t i = 4; i <= b->n; i++) {
        if (memcmp(b->p + i - 4, "\r\n\r\n", 4) == 0) {
            return i;
        }
    }
    return 0;
}

static void *serve(void *arg)
{
    struct server *s = arg;
    int fd = accept(s->listener, NULL, NULL);
    while (head_bytes(&s->request) == 0 && read_some(fd, &s->request)) {
    }
    while (s->request.n < head_bytes(&s->request) + s->body_bytes && read_some(fd, &s->request)) {
    }
    struct buf out = {0};
    char accept[32];
    const char *mark = memmem(s->answer.p, s->answer.n, "%s", 2);
    size_t before = mark != NULL ? (size_t)(mark - s->answer.p) : s->answer.n;
    buf_add(&out, s->answer.p, before);
    if (mark != NULL) {
        buf_add_span(&out, accept_of(buf_span(&s->request), accept));
        buf_add_span(&out, span_from(s->answer, before + 2));
    }
    size_t step = s->at_once != 0 ? s->at_once : out.n;
    for (size_t i = 0; i < out.n; i += step) {
        ssize_t ignored = send(fd, out.p + i, step < out.n - i ? step : out.n - i, MSG_NOSIGNAL);
        (void)ignored;
    }
    while (s->after.n < s->wait_for && read_some(fd, &s->after)) {
    }
    buf_free(&out);
    close(fd);
    return NULL;
}

static void server_start(struct server *s, struct net_url *u)
{
    strcpy(s->dir, "/tmp/pushctl-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof(s->path), "%s/s", s->dir);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, s->path);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        bind(s->listener, (const struct sockaddr *)(const void *)&address, sizeof(address)), 0);
    assert_int_equal(listen(s->listener, 1), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
    char text[80];
    snprintf(text, sizeof(text), "unix:%s", s->path);
    assert_int_equal(net_url_parse(text, "/api/publish", u, NULL), 0);
}

/* After this `request` and `after` are whole. */
static void server_join(struct server *s)
{
    if (!s->is_joined) {
        pthread_join(s->thread, NULL);
        s->is_joined = true;
    }
}

static void server_stop(struct server *s)
{
    server_join(s);
    close(s->listener);
    unlink(s->path);
    rmdir(s->dir);
    buf_free(&s->request);
    buf_free(&s->after);
}

static int post(struct server *s, struct http_answer *a, struct err *e)
{
    struct net_url u;
    s->body_bytes = 2;
    server_start(s, &u);
    return http_post(&u, "k", SPAN("{}"), TIMEOUT_MS, a, e);
}

static void answers_end_by_length_by_chunks_or_by_close(void **state)
{
    (void)state;
    static const struct span answers[] = {
        SPAN("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloXX"),
        SPAN("HTTP/1.1 200 OK\nx: y\ncontent-length:5 \n\nhello"),
        SPAN("HTTP/1.0 200 OK\r\n\r\nhello"),
        SPAN("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
             "Chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n"),
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(answers); i++) {
        struct server s = {.answer = answers[i / 2], .at_once = i % 2};
        struct http_answer a = {0};
        struct err e = {0};
        if (post(&s, &a, &e) != 0) {
            fail_msg("answer %zu: %s", i, e.text);
        }
        assert_int_equal(a.status, 200);
        assert_string_equal(buf_cstr(&a.body), "hello");
        server_stop(&s);
        http_answer_fini(&a);
    }
}

static void a_request_is_complete(void **state)
{
    (void)state;
    struct server s = {
        .answer = SPAN("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nX-Y:  z \r\n\r\n")};
    struct http_answer a = {0};
    struct err e = {0};
    assert_int_equal(post(&s, &a, &e), 0);
    assert_int_equal(a.status, 401);
    assert_true(span_eq_str(http_header(&a, "x-y"), "z"));
    assert_null(http_header(&a, "z").p);
    server_join(&s);
    assert_string_equal(
        buf_cstr(&s.request),
        "POST /api/publish HTTP/1.1\r\nHost: localhost\r\nUser-Agent: pushctl\r\nX-API-Key: k\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    server_stop(&s);
    http_answer_fini(&a);
}

static void answers_that_are_none_are_errors(void **state)
{
    (void)state;
    static const struct {
        struct span answer;
        int code;
    } rows[] = {
        {SPAN(""), ERR_CLOSED},
        {SPAN("SSH-2.0-OpenSSH_9.2\r\n"), ERR_SYNTAX},
        {SPAN("HTTP/1.1 abc\r\n\r\n"), ERR_SYNTAX},
        {SPAN("HTTP/1.1 200 OK\r\nContent-Le"), ERR_CLOSED},
        {SPAN("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"), ERR_CLOSED},
        {SPAN("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhell"), ERR_SYNTAX},
        {SPAN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), ERR_SYNTAX},
        {SPAN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n"), ERR_SYNTAX},
        {SPAN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nhe"), ERR_CLOSED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server s = {.answer = rows[i].answer};
        struct http_answer a = {0};
        struct err e = {0};
        int rc = post(&s, &a, &e);
        if (rc != rows[i].code || e.text[0] == '\0') {
            fail_msg("answer %zu: %d %s", i, rc, e.text);
        }
        server_stop(&s);
        http_answer_fini(&a);
    }
}

#define UPGRADE \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n"

static void expect_frame(struct ws_client *c, enum ws_kind kind, uint32_t code, const char *text)
{
    struct ws_frame f;
    struct err e = {0};
    int rc = ws_client_receive(c, clk_mono_ms() + TIMEOUT_MS, NULL, &f, &e);
    if (rc != 0) {
        fail_msg("%d %s", rc, e.text);
    }
    assert_int_equal(f.kind, kind);
    assert_int_equal(f.code, code);
    assert_true(span_eq_str(f.payload, text));
}

static void messages_are_joined_and_control_frames_go_between(void **state)
{
    (void)state;
    for (size_t at_once = 0; at_once < 2; at_once++) {
        struct server s = {.answer = SPAN(UPGRADE "\x81\x02hi"
                                                  "\x01\x03{\"a\x89\x01p\x00\x02\":\x80\x02"
                                                  "1}"
                                                  "\x82\x00"
                                                  "\x8a\x00"
                                                  "\x88\x05\x0d\xac"
                                                  "why"),
                           .at_once = at_once};
        struct net_url u;
        struct err e = {0};
        server_start(&s, &u);
        struct ws_client *c = ws_client_open(&u, NULL, TIMEOUT_MS, NULL, &e);
        if (c == NULL) {
            fail_msg("%s", e.text);
        }
        expect_frame(c, WS_TEXT, 0, "hi");
        expect_frame(c, WS_PING, 0, "p");
        expect_frame(c, WS_TEXT, 0, "{\"a\":1}");
        expect_frame(c, WS_BINARY, 0, "");
        expect_frame(c, WS_PONG, 0, "");
        expect_frame(c, WS_CLOSE, 3500, "why");
        struct ws_frame f;
        assert_int_equal(ws_client_receive(c, clk_mono_ms() + TIMEOUT_MS, NULL, &f, &e),
                         ERR_CLOSED);
        server_stop(&s);
        ws_client_free(c);
    }
}

static void long_messages_have_long_lengths(void **state)
{
    (void)state;
    struct buf answer = {0};
    char *text = malloc(70001);
    assert_non_null(text);
    memset(text, 'x', 70000);
    text[70000] = '\0';
    buf_add_str(&answer, UPGRADE);
    buf_add(&answer, "\x81\x7e\x01\x00", 4);
    buf_add(&answer, text, 256);
    buf_add(&answer, "\x81\x7f\0\0\0\0\0\x01\x11\x70", 10);
    buf_add(&answer, text, 70000);
    struct server s = {.answer = buf_span(&answer), .wait_for = 14 + 70000};
    struct net_url u;
    server_start(&s, &u);
    struct ws_client *c = ws_client_open(&u, NULL, TIMEOUT_MS, NULL, NULL);
    assert_non_null(c);
    assert_int_equal(ws_client_send_text(c, span_of(text, 70000), NULL), 0);
    expect_frame(c, WS_TEXT, 0, text + 70000 - 256);
    expect_frame(c, WS_TEXT, 0, text);
    server_join(&s);
    const unsigned char *sent = (const unsigned char *)s.after.p;
    assert_int_equal(s.after.n, 14 + 70000);
    assert_memory_equal(sent, "\x81\xff\0\0\0\0\0\x01\x11\x70", 10);
    for (size_t i = 0; i < 70000; i++) {
        assert_int_equal(sent[14 + i] ^ sent[10 + i % 4], 'x');
    }
    server_stop(&s);
    ws_client_free(c);
    buf_free(&answer);
    free(text);
}

static void frames_that_break_the_protocol_are_errors(void **state)
{
    (void)state;
    static const struct span answers[] = {
        SPAN(UPGRADE "\xc1\x00"), /* reserved bit */
        SPAN(UPGRADE "\x81\x80"
                     "1234"),     /* masked */
        SPAN(UPGRADE "\x83\x00"), /* unknown */
        SPAN(UPGRADE "\x8b\x00"), /* unknown control frame */
        SPAN(UPGRADE "\x80\x00"), /* continues nothing */
        SPAN(UPGRADE "\x01\x01"
                     "a"
                     "\x81\x01"
                     "b"),                /* new message inside another */
        SPAN(UPGRADE "\x09\x00"),         /* fragmented ping */
        SPAN(UPGRADE "\x89\x7e\x00\x7e"), /* long ping */
        SPAN(UPGRADE "\x88\x01x"),        /* half a code */
        SPAN(UPGRADE "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"),
    };
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct server s = {.answer = answers[i]};
        struct net_url u;
        struct ws_frame f;
        struct err e = {0};
        server_start(&s, &u);
        struct ws_client *c = ws_client_open(&u, NULL, TIMEOUT_MS, NULL, &e);
        assert_non_null(c);
        assert_int_equal(ws_client_receive(c, clk_mono_ms() + TIMEOUT_MS, NULL, &f, &e),
                         ERR_SYNTAX);
        assert_true(e.text[0] != '\0');
        server_stop(&s);
        ws_client_free(c);
    }
}

static void a_refused_handshake_keeps_what_the_server_said(void **state)
{
    (void)state;
    struct server s = {.answer =
                           SPAN("HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nForbidden")};
    struct net_url u;
    struct http_answer refusal = {0};
    struct err e = {0};
    server_start(&s, &u);
    assert_null(ws_client_open(&u, "http://evil", TIMEOUT_MS, &refusal, &e));
    assert_int_equal(refusal.status, 403);
    assert_string_equal(buf_cstr(&refusal.body), "Forbidden");
    server_join(&s);
    assert_non_null(memmem(s.request.p, s.request.n, "\r\nOrigin: http://evil\r\n", 23));
    server_stop(&s);
    http_answer_fini(&refusal);
}

static void a_wrong_accept_is_refused(void **state)
{
    (void)state;
    struct server s = {
        .answer = SPAN("HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: AAAA\r\n\r\n\x81\x00")};
    struct net_url u;
    struct err e = {0};
    server_start(&s, &u);
    assert_null(ws_client_open(&u, NULL, TIMEOUT_MS, NULL, &e));
    assert_int_equal(e.code, ERR_INVALID);
    server_stop(&s);
}

static void nobody_listening_is_told_apart(void **state)
{
    (void)state;
    struct net_url u;
    struct err e = {0};
    int fd;
    assert_int_equal(net_url_parse("unix:/nonexistent/socket", "/", &u, NULL), 0);
    assert_int_equal(net_connect(&u, clk_mono_ms() + TIMEOUT_MS, &fd, &e), ERR_UNAVAILABLE);
    assert_non_null(strstr(e.text, "unix:/nonexistent/socket"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_end_by_length_by_chunks_or_by_close),
        cmocka_unit_test(a_request_is_complete),
        cmocka_unit_test(answers_that_are_none_are_errors),
        cmocka_unit_test(messages_are_joined_and_control_frames_go_between),
        cmocka_unit_test(long_messages_have_long_lengths),
        cmocka_unit_test(frames_that_break_the_protocol_are_errors),
        cmocka_unit_test(a_refused_handshake_keeps_what_the_server_said),
        cmocka_unit_test(a_wrong_accept_is_refused),
        cmocka_unit_test(nobody_listening_is_told_apart),
    };
    return cmocka_run_group_tests_name("pushctl net", tests, NULL, NULL);
}
