/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about fetching keys: who asks, who waits, and how often the server of keys is bothered. */
#include "pushd/control/keys.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clk.h"
#include "tests/unit/token_make.h"
#include "tests/unit/unit.h"

#define LONG_MS 60000

/* A server of keys in a thread: one answer for every request. */
static struct {
    int fd;
    pthread_t thread;
    char url[64];
    _Atomic int requests;
    _Atomic int64_t last_ms; /* of the last request */
    pthread_mutex_t lock;
    int status;
    struct buf body;
} server;

static struct ev_loop *loop;
static struct bus bus;
static struct keys keys;
static struct jwks_cache *cache;
static EVP_PKEY *key;

static void set_answer(int status, const char *kid)
{
    pthread_mutex_lock(&server.lock);
    server.status = status;
    buf_clear(&server.body);
    buf_add_str(&server.body, "{\"keys\":[");
    make_jwk(&server.body, key, kid, ",\"use\":\"sig\"");
    buf_add_str(&server.body, "]}");
    pthread_mutex_unlock(&server.lock);
}

static void serve_one(int fd)
{
    char request[4096];
    struct buf out = {0};
    if (recv(fd, request, sizeof(request), 0) > 0) {
        pthread_mutex_lock(&server.lock);
        buf_addf(&out, "HTTP/1.0 %d x\r\nContent-Length: %zu\r\n\r\n", server.status,
                 server.body.n);
        buf_add_span(&out, buf_span(&server.body));
        pthread_mutex_unlock(&server.lock);
        server.last_ms = clk_mono_ms();
        server.requests++;
        (void)!send(fd, out.p, out.n, MSG_NOSIGNAL);
    }
    buf_free(&out);
    close(fd);
}

static void *serve(void *arg)
{
    (void)arg;
    for (int fd; (fd = accept(server.fd, NULL, NULL)) >= 0;) {
        serve_one(fd);
    }
    return NULL;
}

static int begin(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    pthread_mutex_init(&server.lock, NULL);
    server.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (key == NULL || bind(server.fd, (struct sockaddr *)&at, n) != 0 ||
        listen(server.fd, 64) != 0 || getsockname(server.fd, (struct sockaddr *)&at, &n) != 0) {
        return -1;
    }
    snprintf(server.url, sizeof(server.url), "http://127.0.0.1:%u/keys", ntohs(at.sin_port));
    metrics_setup();
    loop = ev_loop_new(EVFLAG_AUTO);
    return pthread_create(&server.thread, NULL, serve, NULL);
}

static int end(void **state)
{
    (void)state;
    shutdown(server.fd, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.fd);
    buf_free(&server.body);
    pthread_mutex_destroy(&server.lock);
    EVP_PKEY_free(key);
    ev_loop_destroy(loop);
    metrics_teardown();
    return 0;
}

static int setup(void **state)
{
    (void)state;
    struct err e;
    server.requests = 0;
    cache = jwks_cache_new();
    bus_init(&bus, 2);
    return keys_open(&keys, &(struct keys_opts){loop, &bus, cache, metrics_new()}, &e);
}

static int teardown(void **state)
{
    (void)state;
    keys_close(&keys);
    bus_fini(&bus);
    jwks_cache_free(cache);
    return 0;
}

static void ask(uint16_t worker, const char *kid)
{
    struct bus_op *op = bus_op_new(BUS_KEY, span_str(server.url));
    op->worker = worker;
    op->kid = arena_dup(&op->arena, span_str(kid));
    keys_take(&keys, op);
}

/* The next answer for a worker; NULL in *reason when there is a key. False when none is there. */
static bool take_answer(uint16_t worker, const char **reason)
{
    struct bus_item *item = spsc_shift(&bus.ports[worker].to_worker);
    if (item == NULL) {
        return false;
    }
    struct bus_op *op = CONTAINER_OF(item, struct bus_op, item);
    *reason = op->refused.code == PERR_OK ? NULL : op->refused.reason;
    bus_op_free(op);
    return true;
}

static void wake(struct ev_loop *l, ev_timer *t, int events)
{
    (void)l;
    (void)t;
    (void)events;
}

static void expect(uint16_t worker, const char *wanted)
{
    const char *reason = NULL;
    int64_t until = clk_mono_ms() + LONG_MS;
    ev_timer t;
    ev_timer_init(&t, wake, 0.05, 0.05);
    ev_timer_start(loop, &t);
    while (!take_answer(worker, &reason)) {
        if (clk_mono_ms() > until) {
            fail_msg("no answer");
        }
        ev_run(loop, EVRUN_ONCE);
    }
    ev_timer_stop(loop, &t);
    if ((reason == NULL) != (wanted == NULL) || (reason != NULL && strcmp(reason, wanted) != 0)) {
        fail_msg("%s", reason != NULL ? reason : "a key");
    }
}

static void expect_at_once(uint16_t worker, const char *wanted)
{
    const char *reason = NULL;
    assert_true(take_answer(worker, &reason));
    assert_true(wanted == NULL ? reason == NULL : reason != NULL && strcmp(reason, wanted) == 0);
}

static void all_who_wait_share_a_fetch(void **state)
{
    (void)state;
    set_answer(200, "k");
    for (int i = 0; i < 20; i++) {
        ask((uint16_t)(i % 2), "k");
    }
    for (int i = 0; i < 20; i++) {
        expect((uint16_t)(i % 2), NULL);
    }
    assert_int_equal(server.requests, 1);
    ask(0, "k");
    expect_at_once(0, NULL);
    assert_int_equal(server.requests, 1);
}

static void a_kid_that_is_not_there_is_refused_at_once_for_a_while(void **state)
{
    (void)state;
    set_answer(200, "k");
    ask(0, "x");
    expect(0, "jwks.kid");
    /* What is asked right behind it needs no server. */
    ask(0, "x");
    expect_at_once(0, "jwks.kid");
    assert_int_equal(server.requests, 1);
}

static void fetches_are_a_second_apart(void **state)
{
    (void)state;
    set_answer(200, "k");
    ask(0, "x");
    expect(0, "jwks.kid");
    int64_t first_ms = server.last_ms;
    set_answer(200, "y");
    for (int i = 0; i < 100; i++) {
        char kid[8];
        snprintf(kid, sizeof(kid), "%d", i);
        ask(0, kid);
    }
    ask(1, "y");
    expect(1, NULL);
    assert_int_equal(server.requests, 2);
    assert_true(server.last_ms - first_ms >= KEYS_INTERVAL_MS);
    for (int i = 0; i < 100; i++) {
        expect_at_once(0, "jwks.kid");
    }
}

static void a_failure_is_tried_twice_and_keeps_what_is_here(void **state)
{
    (void)state;
    set_answer(200, "k");
    ask(0, "k");
    expect(0, NULL);
    set_answer(503, "x");
    ask(0, "x");
    expect(0, "jwks.status");
    assert_int_equal(server.requests, 1 + JWKS_ATTEMPTS);
    ask(0, "k");
    expect_at_once(0, NULL);
    set_answer(200, "x");
    ask(0, "x");
    expect(0, NULL);
}

static void a_bad_address_is_answered(void **state)
{
    (void)state;
    struct bus_op *op = bus_op_new(BUS_KEY, SPAN("http://[::1/keys"));
    op->kid = arena_dup(&op->arena, SPAN("k"));
    keys_take(&keys, op);
    expect(0, "jwks.unreachable");
}

/* The documents of tokens that choose their address are bounded, too. */
static void many_addresses_find_an_end(void **state)
{
    (void)state;
    set_answer(200, "k");
    for (int i = 0; i < 80; i++) {
        char url[96];
        snprintf(url, sizeof(url), "%s/%d", server.url, i);
        struct bus_op *op = bus_op_new(BUS_KEY, span_str(url));
        op->worker = i < 64 ? 0 : 1;
        op->kid = arena_dup(&op->arena, SPAN("k"));
        keys_take(&keys, op);
    }
    for (int i = 64; i < 80; i++) {
        expect_at_once(1, "jwks.busy");
    }
    for (int i = 0; i < 64; i++) {
        expect(0, NULL);
    }
}

static void who_waits_at_the_end_is_not_leaked(void **state)
{
    (void)state;
    set_answer(200, "k");
    ask(0, "k");
    ask(0, "x");
}

#define KEYS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYS_TEST(all_who_wait_share_a_fetch),
        KEYS_TEST(a_kid_that_is_not_there_is_refused_at_once_for_a_while),
        KEYS_TEST(fetches_are_a_second_apart),
        KEYS_TEST(a_failure_is_tried_twice_and_keeps_what_is_here),
        KEYS_TEST(a_bad_address_is_answered),
        KEYS_TEST(many_addresses_find_an_end),
        KEYS_TEST(who_waits_at_the_end_is_not_leaked),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
