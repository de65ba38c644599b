/* SPDX-License-Identifier: Apache-2.0 */
/* A real operators' port on a loop of the test, and its client. */
#include "tests/unit/unit.h"

#include "tests/unit/admin_port.h"

#include "common/base/clk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 60.0 /* ends what hangs; no claim about speed */

static struct bus_port ports[ADMIN_PORT_WORKERS];

static const struct control_node nodes[] = {
    {.uid = {"uid-1", 5},
     .name = {"alpha", 5},
     .version = {"0.1.0", 5},
     .num_clients = 5,
     .num_users = 3,
     .num_channels = 7,
     .num_subs = 9,
     .uptime_s = 61,
     .is_self = true},
    {.uid = {"uid-2", 5},
     .name = {"<beta>", 6},
     .version = {"6.9.0 OSS", 9},
     .num_clients = 50,
     .num_users = 30,
     .num_channels = 70,
     .num_subs = 90,
     .uptime_s = 3600},
};

void admin_port_init(struct admin_port *p)
{
    static char api[] = "/api";
    static char health[] = "/health";
    static char metrics[] = "/metrics";
    static char empty[] = "";
    static char password[] = "password";
    static char secret[] = "admin_secret";
    log_threshold = LOG_LEVEL_NONE;
    metrics_setup();
    *p = (struct admin_port){.loop = ev_loop_new(EVFLAG_AUTO), .family = AF_INET};
    p->conf.http_api.handler_prefix = api;
    p->conf.health.handler_prefix = health;
    p->conf.prometheus.handler_prefix = metrics;
    p->conf.prometheus.enabled = true;
    p->conf.admin.handler_prefix = empty;
    p->conf.admin.password = password;
    p->conf.admin.secret = secret;
    p->control.redis = CONTROL_REDIS_READY;
    p->control.redis_error = "";
    p->control.redis_refusal = "";
    p->control.nodes = nodes;
    p->control.node_count = ARRAY_LEN(nodes);
    p->bus.workers = ADMIN_PORT_WORKERS;
    p->bus.ports = ports;
    for (size_t i = 0; i < ADMIN_PORT_WORKERS; i++) {
        atomic_store(&ports[i].gauges.heartbeat_ms, clk_mono_ms());
        atomic_store(&ports[i].gauges.clients, (uint32_t)i + 2);
        atomic_store(&ports[i].gauges.subscriptions, (uint32_t)i * 10);
    }
}

void admin_port_start(struct admin_port *p, int64_t request_timeout_ms)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un unnamed = {.sun_family = AF_UNIX};
    bool is_unix = p->family == AF_UNIX;
    p->listen_fd = socket(p->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listen_fd,
                          is_unix ? (struct sockaddr *)&unnamed : (struct sockaddr *)&loopback,
                          is_unix ? sizeof(unnamed.sun_family) : sizeof(loopback)),
                     0);
    assert_int_equal(listen(p->listen_fd, 512),
                     0); /* connecting must not wait for a turn of the loop */
    p->address_n = sizeof(p->address);
    assert_int_equal(getsockname(p->listen_fd, (struct sockaddr *)&p->address, &p->address_n), 0);
    struct admin_opts opts = {
        .conf = &p->conf,
        .loop = p->loop,
        .bus = &p->bus,
        .control = &p->control,
        .listen_fd = p->listen_fd,
        .batch_send = "io_uring",
        .is_draining = &p->is_draining,
        .request_timeout_ms = request_timeout_ms,
    };
    struct err e = {0};
    p->admin = admin_new(&opts, &e);
    if (p->admin == NULL) {
        fail_msg("%s", e.text);
    }
}

void admin_port_fini(struct admin_port *p)
{
    admin_free(p->admin);
    ev_loop_destroy(p->loop);
    metrics_teardown();
}

/* ---- the client ---- */

static void on_patience_over(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)events;
    bool *is_over = w->data;
    *is_over = true;
    ev_break(loop, EVBREAK_ALL);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int events)
{
    (void)events;
    (void)w;
    ev_break(loop, EVBREAK_ALL);
}

/* Turns the loop until the client has something to read. */
static void wait_readable(struct admin_port *p, struct admin_client *c)
{
    bool is_over = false;
    ev_io io;
    ev_timer patience;
    ev_io_init(&io, on_readable, c->fd, EV_READ);
    ev_timer_init(&patience, on_patience_over, PATIENCE_S, 0.0);
    patience.data = &is_over;
    ev_now_update(p->loop);
    ev_io_start(p->loop, &io);
    ev_timer_start(p->loop, &patience);
    ev_run(p->loop, 0);
    ev_io_stop(p->loop, &io);
    ev_timer_stop(p->loop, &patience);
    if (is_over) {
        fail_msg("no answer for %g s; so far: %s", PATIENCE_S, buf_cstr(&c->in));
    }
}

static void receive(struct admin_port *p, struct admin_client *c)
{
    wait_readable(p, c);
    char bytes[4096];
    ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n > 0) {
        buf_add(&c->in, bytes, (size_t)n);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        c->is_ended = true;
    }
}

void admin_client_connect(struct admin_port *p, struct admin_client *c)
{
    *c = (struct admin_client){.fd = socket(p->family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(c->fd >= 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&p->address, p->address_n), 0);
}

void admin_client_send(struct admin_client *c, const char *bytes)
{
    assert_int_equal(send(c->fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

void admin_client_wait_end(struct admin_port *p, struct admin_client *c)
{
    while (!c->is_ended) {
        receive(p, c);
    }
}

void admin_client_close(struct admin_client *c)
{
    close(c->fd);
    buf_free(&c->in);
}

static void drop_front(struct buf *b, size_t n)
{
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

void admin_client_read(struct admin_port *p, struct admin_client *c, const char *method,
                       struct admin_reply *r)
{
    const char *end = NULL;
    *r = (struct admin_reply){0};
    while ((end = c->in.n != 0 ? strstr(buf_cstr(&c->in), "\r\n\r\n") : NULL) == NULL) {
        if (c->is_ended) {
            return;
        }
        receive(p, c);
    }
    size_t head = (size_t)(end - c->in.p) + 4;
    buf_add(&r->head, c->in.p, head);
    drop_front(&c->in, head);
    assert_int_equal(sscanf(buf_cstr(&r->head), "HTTP/1.1 %d", &r->status), 1);
    const char *length = admin_reply_header(r, "Content-Length");
    size_t n = length != NULL && strcmp(method, "HEAD") != 0 ? strtoul(length, NULL, 10) : 0;
    while (c->in.n < n && !c->is_ended) {
        receive(p, c);
    }
    assert_true(c->in.n >= n);
    buf_add(&r->body, c->in.p, n);
    drop_front(&c->in, n);
    buf_cstr(&r->body);
}

void admin_port_ask(struct admin_port *p, const char *method, const char *path, const char *headers,
                    const char *body, struct admin_reply *r)
{
    struct admin_client c;
    struct buf request = {0};
    admin_client_connect(p, &c);
    buf_addf(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, path, headers);
    if (body != NULL) {
        buf_addf(&request, "Content-Length: %zu\r\n", strlen(body));
    }
    buf_addf(&request, "\r\n%s", body != NULL ? body : "");
    admin_client_send(&c, buf_cstr(&request));
    admin_client_read(p, &c, method, r);
    buf_free(&request);
    admin_client_close(&c);
}

const char *admin_reply_header(const struct admin_reply *r, const char *name)
{
    static char value[512];
    struct span rest = buf_span(&r->head);
    struct span line;
    while (span_split(&rest, '\n', &line)) {
        size_t colon = span_find(line, ':', 0);
        if (colon < line.n && span_eq_nocase(span_of(line.p, colon), span_str(name))) {
            struct span text = span_trim(span_from(line, colon + 1));
            snprintf(value, sizeof(value), "%.*s", SPAN_FMT(text));
            return value;
        }
    }
    return NULL;
}

void admin_reply_free(struct admin_reply *r)
{
    buf_free(&r->head);
    buf_free(&r->body);
}
