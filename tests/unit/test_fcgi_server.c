/* SPDX-License-Identifier: Apache-2.0 */
/* The FastCGI side, spoken to byte by byte: hand-off, keep-alive, and peers that misbehave. */
#include "tests/unit/unit.h"

#include "common/base/clk.h"
#include "fcgi/serve.h"
#include "tests/unit/fcgi_client.h"
#include "tests/unit/fcgi_fixture.h"

#include <fcgiapp.h>

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define THREADS  2
#define MAX_BODY "65536"

static const char config[] =
    "{\"http_api\":{\"key\":\"key\"},\"pushd\":{\"api_max_body_size\":" MAX_BODY "}}";

static struct fcgi_fixture f;
static char dir[64];
static char path[96];
static int listener;
static struct server *server;
static pthread_t ticker;
static _Atomic bool is_over;

static void *tick(void *arg)
{
    (void)arg;
    while (!is_over) {
        server_tick(server);
        poll(NULL, 0, 20);
    }
    return NULL;
}

static int set_up(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct err e;
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
    FCGX_Init();
    fcgi_fixture_open(&f, config, NULL);
    strcpy(dir, "/tmp/pushd-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    strcpy(un.sun_path, path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(listener, 64), 0);
    struct server_opts opts = {
        .listener = listener,
        .threads = THREADS,
        .arg = &f.api,
        .thread_new = serve_thread_new,
        .thread_free = serve_thread_free,
        .job_new = serve_job_new,
        .job_free = serve_job_free,
        .begin = serve_begin,
        .group = serve_group,
        .alone = serve_alone,
        .answer = serve_answer,
    };
    server = server_new(&opts, &e);
    assert_non_null(server);
    is_over = false;
    assert_int_equal(pthread_create(&ticker, NULL, tick, NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    is_over = true;
    pthread_join(ticker, NULL);
    server_free(server);
    close(listener);
    unlink(path);
    rmdir(dir);
    fcgi_fixture_close(&f);
    return 0;
}

/* ---- a FastCGI client ---- */

static int dial(void)
{
    return fcgi_dial(path);
}

static void exchange(int fd, const char *uri, const char *text, const char *expected)
{
    struct buf body = {0};
    struct buf b = {0};
    struct buf answer = {0};
    buf_add_str(&body, text);
    fcgi_add_request(&b, uri, &body, body.n, true);
    fcgi_send_bytes(fd, b.p, b.n);
    assert_true(fcgi_read_answer(fd, &answer));
    assert_non_null(strstr(answer.p, expected));
    buf_free(&body);
    buf_free(&b);
    buf_free(&answer);
}

/* The server is well if a new connection gets an answer. */
static void assert_serves(void)
{
    int fd = dial();
    exchange(fd, "/api/ping", "", "{\"result\":{}}");
    close(fd);
}

/* Whether the server closes the connection, after whatever it may have to say. */
static bool ends(int fd)
{
    char rest[256];
    for (;;) {
        struct pollfd w = {.fd = fd, .events = POLLIN};
        if (poll(&w, 1, 60000) != 1) {
            return false;
        }
        if (recv(fd, rest, sizeof(rest), 0) <= 0) {
            return true;
        }
    }
}

static size_t open_files(void)
{
    size_t n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n;
}

/* Waits until the server has closed what its peers have closed. */
static void assert_closes_to(size_t files)
{
    int64_t deadline = clk_mono_ms() + 60000;
    while (open_files() > files) {
        assert_true(clk_mono_ms() < deadline);
        poll(NULL, 0, 2);
    }
}

/* ---- the tests ---- */

static void a_kept_connection_serves_many_requests(void **state)
{
    int fd = dial();
    (void)state;
    for (int i = 0; i < 50; i++) {
        exchange(fd, "/api/ping", "", "Content-Length: 13\r\n\r\n{\"result\":{}}");
        exchange(fd, "/api/publish", "{}", "\"code\":107");
        exchange(fd, "/api/nothing", "some body", "Status: 404 Not Found");
    }
    close(fd);
}

static void idle_connections_hold_no_thread(void **state)
{
    int fds[16];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = dial();
        exchange(fds[i], "/api/ping", "", "{\"result\":{}}");
    }
    assert_serves();
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        exchange(fds[i], "/api/ping", "", "{\"result\":{}}");
        close(fds[i]);
    }
}

static void without_keep_the_connection_ends(void **state)
{
    struct buf body = {0};
    struct buf b = {0};
    struct buf answer = {0};
    int fd = dial();
    (void)state;
    fcgi_add_request(&b, "/api/ping", &body, 0, false);
    fcgi_send_bytes(fd, b.p, b.n);
    assert_true(fcgi_read_answer(fd, &answer));
    assert_true(ends(fd));
    close(fd);
    buf_free(&b);
    buf_free(&answer);
}

static void bodies_are_limited(void **state)
{
    size_t files = open_files();
    struct buf body = {0};
    struct buf b = {0};
    struct buf answer = {0};
    int fd = dial();
    (void)state;
    memset(buf_reserve(&body, 16 << 20), ' ', 16 << 20);
    body.n = 16 << 20;
    fcgi_add_request(&b, "/api/publish", &body, body.n, true);
    fcgi_send_bytes(fd, b.p, b.n);
    assert_true(fcgi_read_answer(fd, &answer));
    assert_non_null(strstr(answer.p, "Status: 413 "));
    assert_non_null(strstr(answer.p, "pushd.api_max_body_size, which is " MAX_BODY " bytes"));
    exchange(
        fd, "/api/ping", "",
        "{\"result\":{}}"); /* what was too much has been read, so the connection is still good */
    close(fd);
    buf_free(&body);
    buf_free(&b);
    buf_free(&answer);
    assert_closes_to(files);
}

static void a_body_of_another_length_is_refused(void **state)
{
    const size_t announced[] = {3, 9};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(announced); i++) {
        struct buf body = {0};
        struct buf b = {0};
        struct buf answer = {0};
        int fd = dial();
        buf_add_str(&body, "{   }");
        fcgi_add_request(&b, "/api/publish", &body, announced[i], true);
        fcgi_send_bytes(fd, b.p, b.n);
        assert_true(fcgi_read_answer(fd, &answer));
        assert_non_null(strstr(answer.p, "Status: 400 "));
        assert_true(ends(fd));
        close(fd);
        buf_free(&body);
        buf_free(&b);
        buf_free(&answer);
    }
}

static void a_peer_may_hang_up_anywhere(void **state)
{
    size_t files = open_files();
    struct buf body = {0};
    struct buf b = {0};
    (void)state;
    buf_add_str(&body, "{\"channel\":\"a\"}");
    fcgi_add_request(&b, "/api/publish", &body, body.n, true);
    for (size_t n = 0; n <= b.n; n += 3) {
        int fd = dial();
        fcgi_send_bytes(fd, b.p, n);
        close(fd);
    }
    assert_serves();
    buf_free(&body);
    buf_free(&b);
    assert_closes_to(files);
}

/* BEGIN_REQUEST, and parameters whose names and values have lengths near 2^31: libfcgi would end
 * the process. */
static const char absurd[] = "\x01\x01\x00\x01\x00\x08\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00"
                             "\x01\x04\x00\x01\x00\x0a\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"
                             "ab\x01\x04\x00\x01\x00\x00\x00\x00\x01\x05\x00\x01\x00\x00\x00\x00";

static void absurd_lengths_do_not_reach_libfcgi(void **state)
{
    int fd = dial();
    (void)state;
    fcgi_send_bytes(fd, absurd, sizeof(absurd) - 1);
    assert_true(ends(fd));
    close(fd);
    assert_serves();
}

static void garbage_ends_the_connection(void **state)
{
    size_t files = open_files();
    static const char *const garbage[] = {
        "GET / HTTP/1.1\r\n\r\n", "\x01\x01\x00\x01\xff\xff\x00\x00", "\x01\x09zzzzzzzzzzzz",
        "\x01\x04\x00\x01\x00\x04\x00\x00\x7f\x7f\x7f\x7f"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
        char bytes[64] = {0};
        int fd = dial();
        memcpy(bytes, garbage[i], strlen(garbage[i]));
        fcgi_send_bytes(fd, bytes, sizeof(bytes));
        shutdown(fd, SHUT_WR);
        assert_true(ends(fd));
        close(fd);
    }
    assert_serves();
    assert_closes_to(files);
}

/* Whether others were served before the slow ones were cut off. */
static bool serves_beside_slow_senders(void)
{
    size_t files = open_files();
    struct buf body = {0};
    struct buf b = {0};
    int slow[8];
    int proven = dial();
    exchange(proven, "/api/ping", "", "{\"result\":{}}");
    fcgi_add_request(&b, "/api/ping", &body, 0, true);
    for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
        slow[i] = dial();
        fcgi_send_bytes(slow[i], b.p, 20);
    }
    fcgi_send_bytes(proven, b.p,
                    20); /* one that has been good before: it gets a thread, and stops there */
    int64_t start = clk_mono_ms();
    assert_serves();
    bool is_in_time = clk_mono_ms() - start < SERVER_READ_MS;
    for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
        assert_true(ends(slow[i]));
        close(slow[i]);
    }
    assert_true(ends(proven));
    assert_true(clk_mono_ms() - start >= SERVER_READ_MS - 100);
    close(proven);
    buf_free(&b);
    assert_closes_to(files);
    return is_in_time;
}

static void slow_senders_hold_nobody_up_and_are_cut_off(void **state)
{
    int attempts = 5; /* a machine may be busy for so long that serving takes as long as waiting */
    (void)state;
    while (!serves_beside_slow_senders()) {
        assert_true(--attempts > 0);
    }
}

static void a_head_in_pieces_is_put_together(void **state)
{
    struct buf body = {0};
    struct buf b = {0};
    struct buf answer = {0};
    int fd = dial();
    (void)state;
    fcgi_add_request(&b, "/api/ping", &body, 0, true);
    for (size_t at = 0; at < b.n; at += 7) {
        fcgi_send_bytes(fd, b.p + at, b.n - at < 7 ? b.n - at : 7);
        poll(NULL, 0, 1);
    }
    assert_true(fcgi_read_answer(fd, &answer));
    assert_non_null(strstr(answer.p, "{\"result\":{}}"));
    close(fd);
    buf_free(&b);
    buf_free(&answer);
}

struct client {
    pthread_t thread;
    int answers;
};

static void *hammer(void *arg)
{
    struct client *c = arg;
    int fd = dial();
    for (int i = 0; i < 200; i++) {
        exchange(fd, i % 5 == 0 ? "/api/batch" : "/api/publish",
                 i % 5 == 0 ? "{\"commands\":[]}" : "{\"channel\":\"a\",\"data\":1}",
                 i % 5 == 0 ? "{}" : "\"code\":100");
        c->answers++;
    }
    close(fd);
    return NULL;
}

static void many_peers_get_their_own_answers(void **state)
{
    struct client clients[12] = {{0}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        assert_int_equal(pthread_create(&clients[i].thread, NULL, hammer, &clients[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        pthread_join(clients[i].thread, NULL);
        assert_int_equal(clients[i].answers, 200);
    }
}

#if defined(__SANITIZE_ADDRESS__)
/* Of all threads, in bytes, exact. */
size_t __sanitizer_get_current_allocated_bytes(void);

static void broadcast_to_nobody(int fd, const char *member)
{
    struct buf body = {0};
    buf_addf(&body, "{\"channels\":[\"no:x\"],\"%s\":\"%060000d\"}", member, 0);
    exchange(fd, "/api/broadcast", buf_cstr(&body), "\"code\":102");
    buf_free(&body);
}

/* Each of many idle jobs would keep what its last request decoded. */
static void an_idle_server_keeps_no_payload(void **state)
{
    (void)state;
    int fd = dial();
    broadcast_to_nobody(fd, "data"); /* buffers grow */
    size_t before = __sanitizer_get_current_allocated_bytes();
    broadcast_to_nobody(fd, "b64data");
    size_t after = before + 60000;
    for (int i = 0; i < 6000 && after > before + 16384; i++) { /* the answer comes before the end */
        poll(NULL, 0, 10);
        after = __sanitizer_get_current_allocated_bytes();
    }
    assert_true(after <= before + 16384);
    close(fd);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kept_connection_serves_many_requests),
        cmocka_unit_test(idle_connections_hold_no_thread),
        cmocka_unit_test(without_keep_the_connection_ends),
        cmocka_unit_test(bodies_are_limited),
        cmocka_unit_test(a_body_of_another_length_is_refused),
        cmocka_unit_test(a_peer_may_hang_up_anywhere),
        cmocka_unit_test(garbage_ends_the_connection),
        cmocka_unit_test(absurd_lengths_do_not_reach_libfcgi),
        cmocka_unit_test(slow_senders_hold_nobody_up_and_are_cut_off),
        cmocka_unit_test(a_head_in_pieces_is_put_together),
        cmocka_unit_test(many_peers_get_their_own_answers),
#if defined(__SANITIZE_ADDRESS__)
        cmocka_unit_test(an_idle_server_keeps_no_payload),
#endif
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
