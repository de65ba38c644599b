/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines, reconnecting and the circuit breaker of blocking Redis connections. */
#include "tests/unit/unit.h"

#include "common/base/clk.h"
#include "common/base/log.h"
#include "fcgi/redis_sync.h"
#include "tests/unit/redis_server.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT_MS 300
/* No test that passes waits for so long, on the slowest machine. */
#define PATIENT_MS 60000
/* What a machine under load may add to a deadline, and still far from PATIENT_MS. */
#define SLACK_MS 10000

static const struct span incr = SPAN("*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n");

static struct redis_server server;
static char display[] = "test";
static struct redis_url url;
static struct rsync_target target;
static struct rsync *r;
static int64_t last_integer;

static void open_at(char *path)
{
    url = (struct redis_url){.path = path,
                             .connect_timeout_ms = PATIENT_MS,
                             .io_timeout_ms = PATIENT_MS,
                             .display = display};
    rsync_target_init(&target, &url, PATIENT_MS);
    assert_int_equal(rsync_target_resolve(&target, NULL), 0);
    r = rsync_new(&target);
    last_integer = -1;
}

static void close_all(void)
{
    rsync_free(r);
    rsync_target_fini(&target);
}

static void keep(const struct redisReply *reply, size_t index, void *arg)
{
    (void)index;
    (void)arg;
    last_integer = reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
}

static int run(void)
{
    return rsync_run(r, incr, 1, keep, NULL, NULL);
}

static void commands_are_answered_in_order(void **state)
{
    (void)state;
    open_at(server.socket);
    assert_int_equal(run(), 0);
    int64_t first = last_integer;
    struct buf b = {0};
    for (int i = 0; i < 100; i++) {
        buf_add_span(&b, incr);
    }
    assert_int_equal(rsync_run(r, buf_span(&b), 100, keep, NULL, NULL), 0);
    assert_int_equal(last_integer, first + 100);
    buf_free(&b);
    close_all();
}

static void a_connection_that_redis_closed_is_opened_again(void **state)
{
    redisContext *c = redis_server_connect(&server);
    (void)state;
    open_at(server.socket);
    assert_int_equal(run(), 0);
    int64_t first = last_integer;
    freeReplyObject(redisCommand(c, "CLIENT KILL TYPE normal SKIPME yes"));
    assert_int_equal(run(), 0); /* nothing was sent into the dead connection, so nothing was lost */
    assert_int_equal(last_integer, first + 1);
    redisFree(c);
    close_all();
}

static void a_refused_connection_fails_at_once_and_every_time(void **state)
{
    char nowhere[] = "/nonexistent/redis.sock";
    struct err e = {0};
    (void)state;
    open_at(nowhere);
    for (int i = 0; i < 3; i++) {
        int64_t start = clk_mono_ms();
        assert_int_equal(rsync_run(r, incr, 1, keep, NULL, &e), ERR_UNAVAILABLE);
        assert_true(clk_mono_ms() - start < SLACK_MS);
        assert_non_null(strstr(e.text, "connect: no such file"));
    }
    assert_true(rsync_target_is_down(&target));
    assert_true(rsync_target_may_try(&target, clk_mono_ms())); /* trying costs nothing */
    close_all();
}

static void a_frozen_redis_costs_one_deadline_and_then_nothing(void **state)
{
    (void)state;
    open_at(server.socket);
    assert_int_equal(run(), 0);
    target.timeout_ms = TIMEOUT_MS;
    redis_server_freeze(&server, true);
    int64_t start = clk_mono_ms();
    assert_int_equal(run(), ERR_TIMEOUT);
    int64_t took = clk_mono_ms() - start;
    assert_true(took >= TIMEOUT_MS - 20 && took < TIMEOUT_MS + SLACK_MS);
    assert_int_not_equal(target.retry_at_ms, 0);
    target.retry_at_ms = INT64_MAX; /* else it may be over when a busy machine goes on with us */
    assert_int_equal(run(), ERR_UNAVAILABLE);
    redis_server_freeze(&server, false);
    target.timeout_ms = PATIENT_MS;
    rsync_target_reset(&target); /* what the background thread does when it hears from Redis */
    assert_int_equal(run(), 0);
    assert_false(rsync_target_is_down(&target));
    close_all();
}

static void an_open_breaker_lets_one_through_when_its_time_is_over(void **state)
{
    (void)state;
    open_at(server.socket);
    rsync_target_trip(&target, RSYNC_QUICK_MS + 1, 50, "test");
    int64_t until = target.retry_at_ms;
    assert_false(rsync_target_may_try(&target, until - 1));
    assert_true(rsync_target_may_try(&target, until));
    assert_false(rsync_target_may_try(&target, until));
    close_all();
}

static void later_commands_share_the_deadline_of_the_waiting_one(void **state)
{
    (void)state;
    open_at(server.socket);
    int64_t now = clk_mono_ms();
    assert_int_equal(rsync_target_deadline(&target, now), now + PATIENT_MS);
    rsync_target_suspect(&target, now - 200);
    assert_int_equal(rsync_target_deadline(&target, now), now - 200 + PATIENT_MS);
    rsync_target_suspect(&target, now); /* the first one counts */
    assert_int_equal(rsync_target_deadline(&target, now), now - 200 + PATIENT_MS);
    assert_int_equal(run(), 0);
    assert_int_equal(rsync_target_deadline(&target, now), now + PATIENT_MS);
    close_all();
}

static void *run_aside(void *rc)
{
    *(int *)rc = run();
    return NULL;
}

static void the_late_answer_itself_ends_the_suspicion(void **state)
{
    pthread_t thread;
    int rc = -1;
    (void)state;
    open_at(server.socket);
    assert_int_equal(run(), 0);
    assert_true(rsync_target_is_well(&target));
    redis_server_freeze(&server, true);
    assert_int_equal(pthread_create(&thread, NULL, run_aside, &rc), 0);
    while (rsync_target_is_well(&target)) {
        poll(NULL, 0, 2);
    }
    redis_server_freeze(&server, false);
    pthread_join(thread, NULL);
    assert_int_equal(rc, 0);
    assert_true(rsync_target_is_well(&target));
    close_all();
}

/* It had left Redis before Redis went, and would have the outage told twice. */
static void an_answer_from_before_an_outage_does_not_end_it(void **state)
{
    struct err e = {0};
    (void)state;
    open_at(server.socket);
    clk_fake(1000, -1);
    assert_int_equal(rsync_begin(r, incr, 1000, INT64_MAX, &e), 0);
    clk_fake(1001, -1);
    rsync_target_trip(&target, 0, RSYNC_TRIP_MS, "another connection broke");
    assert_int_equal(rsync_end(r, 1, keep, NULL, &e), 0);
    assert_true(rsync_target_is_down(&target));
    assert_int_equal(run(), 0);
    assert_false(rsync_target_is_down(&target));
    clk_fake(-1, -1);
    close_all();
}

static void wrong_credentials_are_told(void **state)
{
    char password[] = "wrong";
    struct err e = {0};
    (void)state;
    open_at(server.socket);
    url.password = password;
    assert_int_equal(rsync_connect(r, clk_mono_ms() + PATIENT_MS, &e), ERR_DENIED);
    assert_non_null(strstr(e.text, "AUTH"));
    assert_int_equal(rsync_run(r, incr, 1, keep, NULL, &e), ERR_UNAVAILABLE);
    url.password = NULL;
    url.db = 99;
    assert_int_equal(rsync_connect(r, clk_mono_ms() + PATIENT_MS, &e), ERR_DENIED);
    assert_int_equal(rsync_fd(r), -1);
    close_all();
}

/* ---- a Redis that takes commands and hangs up ---- */

struct rude {
    char dir[64];
    char path[96];
    int listener;
    pthread_t thread;
    int commands; /* INCRs that arrived */
};

static void rude_serve(struct rude *x, int fd)
{
    char text[256];
    for (;;) {
        ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
        if (n <= 0) {
            return;
        }
        text[n] = '\0';
        if (strstr(text, "INCR") != NULL) {
            x->commands++;
            return;
        }
        if (send(fd, "+PONG\r\n", 7, MSG_NOSIGNAL) != 7) {
            return;
        }
    }
}

static void *rude_run(void *arg)
{
    struct rude *x = arg;
    for (;;) {
        int fd = accept(x->listener, NULL, NULL);
        if (fd < 0) {
            return NULL;
        }
        rude_serve(x, fd);
        close(fd);
    }
}

static void what_may_have_run_is_not_sent_again(void **state)
{
    struct rude x = {.dir = "/tmp/pushd-test-XXXXXX"};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)state;
    assert_non_null(mkdtemp(x.dir));
    snprintf(x.path, sizeof(x.path), "%s/s", x.dir);
    strcpy(un.sun_path, x.path);
    x.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(x.listener, (struct sockaddr *)&un, sizeof(un)), 0);
    assert_int_equal(listen(x.listener, 8), 0);
    assert_int_equal(pthread_create(&x.thread, NULL, rude_run, &x), 0);
    open_at(x.path);
    assert_int_equal(run(), ERR_CLOSED);
    assert_int_equal(run(), ERR_CLOSED);
    close_all();
    shutdown(x.listener, SHUT_RDWR);
    pthread_join(x.thread, NULL);
    assert_int_equal(x.commands, 2); /* one for each call */
    close(x.listener);
    unlink(x.path);
    rmdir(x.dir);
}

static int set_up(void **state)
{
    (void)state;
    log_threshold = LOG_LEVEL_NONE;
    if (!redis_server_start(&server)) {
        printf("redis-server is not installed: skipped\n");
        _exit(77);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    redis_server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_answered_in_order),
        cmocka_unit_test(a_connection_that_redis_closed_is_opened_again),
        cmocka_unit_test(a_refused_connection_fails_at_once_and_every_time),
        cmocka_unit_test(a_frozen_redis_costs_one_deadline_and_then_nothing),
        cmocka_unit_test(an_open_breaker_lets_one_through_when_its_time_is_over),
        cmocka_unit_test(later_commands_share_the_deadline_of_the_waiting_one),
        cmocka_unit_test(the_late_answer_itself_ends_the_suspicion),
        cmocka_unit_test(an_answer_from_before_an_outage_does_not_end_it),
        cmocka_unit_test(wrong_credentials_are_told),
        cmocka_unit_test(what_may_have_run_is_not_sent_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
