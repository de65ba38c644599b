/* SPDX-License-Identifier: Apache-2.0 */
/* What the operators' port does with requests that are too large, too slow, ambiguous or too many.
 */
#include "tests/unit/unit.h"

#include "common/base/clk.h"
#include "common/base/mem.h"
#include "tests/unit/admin_port.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#define TIMEOUT_MS 400
/* What a busy machine may make of it. */
#define MOST_MS 30000

static struct admin_port port;
static struct admin_reply reply;

static int set_up(void **state)
{
    (void)state;
    admin_port_init(&port);
    admin_port_start(&port, TIMEOUT_MS);
    return 0;
}

/* For requests that a busy machine may bring late. */
static int set_up_patient(void **state)
{
    (void)state;
    admin_port_init(&port);
    admin_port_start(&port, 60000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    admin_reply_free(&reply);
    admin_port_fini(&port);
    return 0;
}

/* Sends bytes, expects one answer with this status and then the end of the connection. */
static void assert_refused(const char *bytes, int status)
{
    struct admin_client c;
    admin_client_connect(&port, &c);
    admin_client_send(&c, bytes);
    admin_reply_free(&reply);
    admin_client_read(&port, &c, "GET", &reply);
    assert_int_equal(reply.status, status);
    admin_client_wait_end(&port, &c);
    if (c.in.n != 0) {
        fail_msg("something follows the answer: %s%s", buf_cstr(&reply.head), buf_cstr(&c.in));
    }
    admin_client_close(&c);
}

static void ambiguous_requests_are_refused_and_end_the_connection(void **state)
{
    (void)state;
    assert_refused("POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: "
                   "2\r\n\r\nabGET /health HTTP/1.1\r\n"
                   "Host: a\r\n\r\n",
                   400);
    assert_refused("POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\nTransfer-Encoding: "
                   "chunked\r\n\r\n0\r\n\r\n"
                   "GET /health HTTP/1.1\r\nHost: a\r\n\r\n",
                   400);
    assert_refused("POST /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 400);
    assert_refused("GET /health HTTP/1.1\r\nHost: a\r\nX-Key : v\r\n\r\n", 400);
    assert_refused("GET /health HTTP/1.1\r\n\r\n", 400);
}

static void bodies_have_a_limit(void **state)
{
    (void)state;
    assert_refused("POST /admin/auth HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n", 413);
    struct buf request = {0};
    struct admin_client c;
    buf_add_str(&request,
                "POST /admin/auth HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 17; i++) {
        char chunk[4097];
        memset(chunk, 'x', 4096);
        chunk[4096] = '\0';
        buf_addf(&request, "1000\r\n%s\r\n", chunk);
    }
    buf_add_str(&request, "0\r\n\r\n");
    admin_client_connect(&port, &c);
    admin_client_send(&c, buf_cstr(&request));
    admin_reply_free(&reply);
    admin_client_read(&port, &c, "POST", &reply);
    assert_int_equal(reply.status, 413);
    admin_client_close(&c);
    buf_free(&request);
}

static void chunked_bodies_are_read(void **state)
{
    (void)state;
    struct admin_client c;
    admin_client_connect(&port, &c);
    admin_client_send(&c, "POST /admin/auth HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                          "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
                          "5\r\npassw\r\nc\r\nord=password\r\n0\r\n\r\n");
    admin_client_read(&port, &c, "POST", &reply);
    assert_int_equal(reply.status, 200);
    admin_client_close(&c);
}

static void long_addresses_and_headers_have_a_limit(void **state)
{
    (void)state;
    struct buf request = {0};
    buf_add_str(&request, "GET /");
    for (int i = 0; i < 40000; i++) {
        buf_add_char(&request, 'a');
    }
    buf_add_str(&request, " HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_refused(buf_cstr(&request), 414);
    buf_clear(&request);
    buf_add_str(&request, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 4000; i++) {
        buf_addf(&request, "X-%d: aaaaaaaa\r\n", i);
    }
    buf_add_str(&request, "\r\n");
    assert_refused(buf_cstr(&request), 431);
    buf_free(&request);
}

struct dribble {
    ev_timer timer;
    struct admin_client *client;
};

static void on_dribble(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    struct dribble *d = w->data;
    send(d->client->fd, "a", 1, MSG_NOSIGNAL);
}

/* Sends the start, then a byte every 20 ms, which keeps the connection from ever being idle. */
static int64_t dribble_until_cut(const char *start)
{
    struct admin_client c;
    struct dribble d = {.client = &c};
    int64_t began_ms = clk_mono_ms();
    admin_client_connect(&port, &c);
    admin_client_send(&c, start);
    ev_now_update(port.loop);
    ev_timer_init(&d.timer, on_dribble, 0.02, 0.02);
    d.timer.data = &d;
    ev_timer_start(port.loop, &d.timer);
    admin_client_wait_end(&port, &c);
    ev_timer_stop(port.loop, &d.timer);
    assert_int_equal(c.in.n, 0);
    admin_client_close(&c);
    return clk_mono_ms() - began_ms;
}

static void dribbling_clients_are_cut_off(void **state)
{
    (void)state;
    assert_in_range(dribble_until_cut("GET /"), TIMEOUT_MS - 50, MOST_MS);
    assert_in_range(dribble_until_cut("GET /health HTTP/1.1\r\nX: "), TIMEOUT_MS - 50, MOST_MS);
    assert_in_range(
        dribble_until_cut("POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n"),
        TIMEOUT_MS - 50, MOST_MS);
}

static void silent_clients_are_cut_off(void **state)
{
    (void)state;
    struct admin_client c;
    admin_client_connect(&port, &c);
    admin_client_wait_end(&port, &c);
    admin_client_close(&c);
}

/* Whether a connection lasts for longer than a request may take. It ends before when this process
 * is not allowed to run for as long as that. */
static bool lasts(void)
{
    struct admin_client c;
    int64_t began_ms = clk_mono_ms();
    bool is_open = true;
    admin_client_connect(&port, &c);
    for (int answers = 0; is_open && (answers < 10 || clk_mono_ms() - began_ms < 2 * TIMEOUT_MS);
         answers++) {
        admin_client_send(&c, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
        admin_reply_free(&reply);
        admin_client_read(&port, &c, "GET", &reply);
        is_open = reply.status == 200;
    }
    if (is_open) {
        admin_client_wait_end(&port, &c);
    }
    admin_client_close(&c);
    return is_open;
}

static void each_request_on_a_connection_has_its_own_time(void **state)
{
    (void)state;
    int attempts = 5;
    while (!lasts()) {
        assert_true(--attempts > 0);
    }
}

static void connections_over_the_limit_are_closed_and_others_served(void **state)
{
    (void)state;
    struct admin_client many[140];
    size_t ended = 0;
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        admin_client_connect(&port, &many[i]);
        admin_client_send(&many[i], "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        admin_reply_free(&reply);
        admin_client_read(&port, &many[i], "GET", &reply);
        ended += reply.status == 0;
    }
    assert_in_range(ended, 1, ARRAY_LEN(many) - 100);
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        admin_client_close(&many[i]);
    }
    admin_reply_free(&reply);
    admin_port_ask(&port, "GET", "/health", "", NULL, &reply);
    assert_int_equal(reply.status, 200);
}

/* With all descriptors in use the reserve still serves an operator, and running out of that, too,
 * does not make the loop spin. */
static void operators_are_served_when_descriptors_have_run_out(void **state)
{
    (void)state;
    struct admin_client clients[8];
    int fill[4096];
    size_t filled = 0;
    size_t answered = 0;
    struct rlimit limit;
    struct rlimit low;
    getrlimit(RLIMIT_NOFILE, &limit);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        admin_client_connect(&port, &clients[i]);
    }
    low = (struct rlimit){.rlim_cur = 256, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (filled < ARRAY_LEN(fill) &&
           (fill[filled] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
        filled++;
    }
    unsigned turns = ev_iteration(port.loop);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        admin_client_send(&clients[i], "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
        admin_reply_free(&reply);
        admin_client_read(&port, &clients[i], "GET", &reply);
        answered += reply.status == 200;
    }
    /* The later ones waited for the first to time out. */
    assert_int_equal(answered, ARRAY_LEN(clients));
    assert_in_range(ev_iteration(port.loop) - turns, 1, 500);
    while (filled != 0) {
        close(fill[--filled]);
    }
    setrlimit(RLIMIT_NOFILE, &limit);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        admin_client_close(&clients[i]);
    }
}

static void freeing_with_open_connections_leaves_nothing(void **state)
{
    (void)state;
    struct admin_client c;
    admin_client_connect(&port, &c);
    admin_client_send(&c, "GET /health HTTP/1.1\r\nHost: a\r\n\r\nPOST /admin/auth "
                          "HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab");
    admin_client_read(&port, &c, "GET", &reply);
    assert_int_equal(reply.status, 200);
    admin_free(port.admin);
    port.admin = NULL;
    assert_int_equal(fcntl(port.listen_fd, F_GETFD), -1);
    admin_client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ambiguous_requests_are_refused_and_end_the_connection,
                                        set_up_patient, tear_down),
        cmocka_unit_test_setup_teardown(bodies_have_a_limit, set_up_patient, tear_down),
        cmocka_unit_test_setup_teardown(chunked_bodies_are_read, set_up_patient, tear_down),
        cmocka_unit_test_setup_teardown(long_addresses_and_headers_have_a_limit, set_up_patient,
                                        tear_down),
        cmocka_unit_test_setup_teardown(dribbling_clients_are_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(silent_clients_are_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_request_on_a_connection_has_its_own_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(connections_over_the_limit_are_closed_and_others_served,
                                        set_up_patient, tear_down),
        cmocka_unit_test_setup_teardown(operators_are_served_when_descriptors_have_run_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(freeing_with_open_connections_leaves_nothing,
                                        set_up_patient, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
