/* SPDX-License-Identifier: Apache-2.0 */
/* A small HTTP/1.1 server on a libev loop, on top of libmicrohttpd. */
#include "pushd/admin/http.h"

#include "common/base/clk.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "pushd/admin/acceptor.h"
#include "pushd/admin/framing.h"

#include <microhttpd.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define MAX_CONNECTIONS 128
/* Behind a web server all connections come from one address, so this leaves only a few to others.
 */
#define MAX_CONNECTIONS_PER_IP 112
#define MEMORY_PER_CONNECTION  32768
#define IDLE_TIMEOUT_S         10
#define ACCEPTS_PER_TURN       16
#define PAUSE_S                1.0
/* A body beyond the limit is read up to here, so that the client sees the 413; then the connection
 * is dropped. */
#define MAX_SWALLOWED_BYTES (16 * ADMIN_HTTP_MAX_BODY)

/* What callbacks return; an int before libmicrohttpd 0.9.71. */
#if MHD_VERSION >= 0x00097002
#define RESULT enum MHD_Result
#else
#define RESULT int
#endif

struct admin_http {
    struct MHD_Daemon *daemon;
    struct ev_loop *loop;
    admin_handle_fn handle;
    void *arg;
    int64_t request_timeout_ms;
    struct admin_acceptor acceptor;
    struct list connections; /* of struct connection, the one that expires first in front */
    struct log_limit exhausted;
    bool should_refill;
    ev_io listen_io;
    ev_io daemon_io;
    ev_prepare prepare;
    ev_timer run_timer;
    ev_timer expire_timer;
    ev_timer pause_timer;
};

/* libmicrohttpd's own timeout counts idle time only: a client that sends a byte now and then would
 * stay for ever. */
struct connection {
    struct list node;
    int fd;
    int64_t expires_ms;
    bool is_expired;
};

/* One request while its body arrives. */
struct exchange {
    struct buf body;
    size_t swallowed;
};

/* ---- the deadline of a request ---- */

static void arm_expire_timer(struct admin_http *h)
{
    ev_timer_stop(h->loop, &h->expire_timer);
    if (list_is_empty(&h->connections)) {
        return;
    }
    const struct connection *first = LIST_ENTRY(h->connections.next, struct connection, node);
    int64_t left_ms = first->expires_ms - clk_mono_ms();
    ev_timer_set(&h->expire_timer, left_ms > 0 ? (double)left_ms / 1000.0 : 0.0, 0.0);
    ev_timer_start(h->loop, &h->expire_timer);
}

/* The connection's next request has its whole time from now on; all have the same, so the list
 * stays sorted. */
static void restart_deadline(struct admin_http *h, struct connection *c)
{
    list_unlink(&c->node);
    c->expires_ms = clk_mono_ms() + h->request_timeout_ms;
    list_append(&h->connections, &c->node);
    arm_expire_timer(h);
}

static void on_expire(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    struct admin_http *h = w->data;
    int64_t now = clk_mono_ms();
    while (!list_is_empty(&h->connections)) {
        struct connection *c = LIST_ENTRY(h->connections.next, struct connection, node);
        if (c->expires_ms > now) {
            break;
        }
        list_unlink(&c->node);
        c->is_expired = true;
        /* libmicrohttpd reads the end and closes; the descriptor is its own. */
        shutdown(c->fd, SHUT_RDWR);
        log_debug(LOG_ADMIN, "request took too long", LOG_NUM("timeout_ms", h->request_timeout_ms));
    }
    arm_expire_timer(h);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct admin_http *h = arg;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        struct connection *c = mem_zalloc(sizeof(*c));
        list_init(&c->node);
        c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        *context = c;
        restart_deadline(h, c);
    } else if (*context != NULL) {
        struct connection *c = *context;
        *context = NULL;
        list_unlink(&c->node);
        free(c);
        arm_expire_timer(h);
        h->should_refill = true;
    }
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why)
{
    (void)why;
    struct admin_http *h = arg;
    struct exchange *x = *context;
    *context = NULL;
    if (x != NULL) {
        mem_wipe(x->body.p, x->body.n); /* it may hold a password */
        buf_free(&x->body);
        free(x);
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *c = info != NULL ? info->socket_context : NULL;
    if (c != NULL && !c->is_expired) {
        restart_deadline(h, c);
    }
}

/* ---- requests and responses ---- */

static void add_header(struct MHD_Response *r, const char *name, const char *value)
{
    if (value != NULL) {
        MHD_add_response_header(r, name, value);
    }
}

static RESULT send_response(struct MHD_Connection *connection, struct admin_response *rs,
                            bool is_last)
{
    if (rs->body.failed) {
        buf_clear(&rs->body);
        rs->status = 500;
    }
    bool is_page = rs->page.p != NULL;
    struct span bytes = is_page ? rs->page : buf_span(&rs->body);
    union {
        const void *in;
        void *out;
    } unconst = {
        .in = bytes.p}; /* only MUST_FREE lets the library touch it, and then it is ours to give */
    bool is_given = !is_page && rs->body.p != NULL;
    struct MHD_Response *r = MHD_create_response_from_buffer(
        bytes.n, unconst.out, is_given ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (r == NULL) {
        buf_free(&rs->body);
        return MHD_NO;
    }
    rs->body = (struct buf){0};
    add_header(r, "Content-Type", rs->content_type);
    add_header(r, "Content-Security-Policy", rs->security);
    add_header(r, "WWW-Authenticate", rs->challenge);
    add_header(r, "Allow", rs->allow);
    add_header(r, "Location", rs->location);
    add_header(r, "Vary", rs->vary);
    add_header(r, "Cache-Control", "no-store");
    add_header(r, "X-Content-Type-Options", "nosniff");
    add_header(r, "Connection", is_last ? "close" : NULL);
    if (rs->retry_after_s != 0) {
        char text[16];
        snprintf(text, sizeof(text), "%u", rs->retry_after_s);
        add_header(r, "Retry-After", text);
    }
    RESULT result = MHD_queue_response(connection, rs->status, r);
    MHD_destroy_response(r);
    return result;
}

static RESULT send_text(struct MHD_Connection *connection, unsigned status, struct span text)
{
    struct admin_response rs = {
        .status = status, .content_type = "text/plain; charset=utf-8", .page = text};
    return send_response(connection, &rs, true);
}

static RESULT check_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    admin_framing_add(arg, span_str(name), span_str(value));
    return MHD_YES;
}

static RESULT start_exchange(struct MHD_Connection *connection, const char *version, void **context)
{
    struct admin_framing f = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, check_header, &f);
    if (admin_framing_is_bad(&f, span_str(version))) {
        return send_text(connection, 400,
                         SPAN("400 Bad Request: ambiguous length, malformed header or no Host\n"));
    }
    if (f.length > ADMIN_HTTP_MAX_BODY) {
        return send_text(connection, 413, SPAN("413 Content Too Large\n"));
    }
    struct exchange *x = mem_zalloc(sizeof(*x));
    x->body.max = ADMIN_HTTP_MAX_BODY;
    *context = x;
    return MHD_YES;
}

static struct span header_of(struct MHD_Connection *connection, const char *name)
{
    return span_str(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name));
}

static RESULT answer(struct admin_http *h, struct MHD_Connection *connection, const char *url,
                     const char *method, struct exchange *x)
{
    if (x->swallowed > ADMIN_HTTP_MAX_BODY) {
        return send_text(connection, 413, SPAN("413 Content Too Large\n"));
    }
    struct admin_request rq = {
        .method = span_str(method),
        .path = span_str(url),
        .accept = header_of(connection, "Accept"),
        .authorization = header_of(connection, "Authorization"),
        .content_type = header_of(connection, "Content-Type"),
        .body = buf_span(&x->body),
    };
    struct admin_response rs = {.status = 200};
    h->handle(&rq, &rs, h->arg);
    log_debug(LOG_ADMIN, "request", LOG_TEXT("method", rq.method), LOG_TEXT("path", rq.path),
              LOG_NUM("status", rs.status));
    return send_response(connection, &rs, false);
}

/* Called with the headers, then for each piece of the body, then once with nothing: only then it
 * may answer, because 0.9 drops a connection that is answered in the middle of an upload. Answering
 * the headers alone is possible, and ends it. */
static RESULT on_request(void *arg, struct MHD_Connection *connection, const char *url,
                         const char *method, const char *version, const char *data, size_t *data_n,
                         void **context)
{
    struct exchange *x = *context;
    if (x == NULL) {
        return start_exchange(connection, version, context);
    }
    if (*data_n != 0) {
        buf_add(&x->body, data, *data_n);
        x->swallowed += *data_n;
        *data_n = 0;
        return x->swallowed <= MAX_SWALLOWED_BYTES ? MHD_YES : MHD_NO;
    }
    return answer(arg, connection, url, method, x);
}

/* ---- the loop ---- */

static void on_turn(struct ev_loop *loop, ev_prepare *w, int events)
{
    (void)events;
    struct admin_http *h = w->data;
    if (h->should_refill) {
        h->should_refill = false;
        admin_acceptor_refill(&h->acceptor);
    }
    unsigned long long left_ms;
    ev_timer_stop(loop, &h->run_timer);
    if (MHD_get_timeout(h->daemon, &left_ms) == MHD_YES) {
        ev_timer_set(&h->run_timer, (double)left_ms / 1000.0, 0.0);
        ev_timer_start(loop, &h->run_timer);
    }
}

static void on_run_timer(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)loop;
    (void)events;
    struct admin_http *h = w->data;
    MHD_run(h->daemon);
}

static void on_daemon_ready(struct ev_loop *loop, ev_io *w, int events)
{
    (void)loop;
    (void)events;
    struct admin_http *h = w->data;
    MHD_run(h->daemon);
}

/* We accept instead of libmicrohttpd, which would spin for as long as the process has no descriptor
 * left. */
static void on_listen_ready(struct ev_loop *loop, ev_io *w, int events)
{
    (void)events;
    struct admin_http *h = w->data;
    MHD_run(
        h->daemon); /* first: connections that ended in the meantime make room under the limit */
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer;
        socklen_t peer_n;
        int fd = admin_acceptor_next(&h->acceptor, &peer, &peer_n);
        if (fd >= 0) {
            MHD_add_connection(h->daemon, fd, (struct sockaddr *)&peer, peer_n);
            continue;
        }
        if (fd == ERR_UNAVAILABLE) {
            uint32_t left_out;
            if (log_limit_pass(&h->exhausted, clk_mono_ms(), &left_out)) {
                log_warn(LOG_ADMIN, "out of file descriptors: raise LimitNOFILE",
                         LOG_NUM("left_out", left_out));
            }
            ev_io_stop(loop, w);
            ev_timer_set(&h->pause_timer, PAUSE_S, 0.0);
            ev_timer_start(loop, &h->pause_timer);
        }
        break;
    }
    MHD_run(h->daemon);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *w, int events)
{
    (void)events;
    struct admin_http *h = w->data;
    h->should_refill = true;
    ev_io_start(loop, &h->listen_io);
}

static void log_library(void *arg, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
static void log_library(void *arg, const char *fmt, va_list ap)
{
    (void)arg;
    char text[256];
    vsnprintf(text, sizeof(text), fmt, ap);
    log_debug(LOG_ADMIN, "libmicrohttpd", LOG_TEXT("text", span_trim(span_str(text))));
}

static struct MHD_Daemon *start_daemon(struct admin_http *h)
{
    int64_t idle_s = h->request_timeout_ms / 1000 + 1;
    const struct MHD_OptionItem options[] = {
        {MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, MAX_CONNECTIONS_PER_IP, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_PER_CONNECTION, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT,
         (intptr_t)(idle_s < IDLE_TIMEOUT_S ? idle_s : IDLE_TIMEOUT_S), NULL},
#if MHD_VERSION >= 0x00097701
        {MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1, NULL},
#endif
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER,
                            log_library, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_ARRAY, options,
                            MHD_OPTION_END);
}

static void start_watchers(struct admin_http *h)
{
    int epoll_fd = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    ev_io_init(&h->listen_io, on_listen_ready, h->acceptor.listen_fd, EV_READ);
    ev_io_init(&h->daemon_io, on_daemon_ready, epoll_fd, EV_READ);
    ev_prepare_init(&h->prepare, on_turn);
    h->listen_io.data = h;
    h->daemon_io.data = h;
    h->prepare.data = h;
    ev_io_start(h->loop, &h->listen_io);
    ev_io_start(h->loop, &h->daemon_io);
    ev_prepare_start(h->loop, &h->prepare);
}

struct admin_http *admin_http_new(const struct admin_http_opts *opts, struct err *e)
{
    struct admin_http *h = mem_zalloc(sizeof(*h));
    h->loop = opts->loop;
    h->handle = opts->handle;
    h->arg = opts->arg;
    h->request_timeout_ms = opts->request_timeout_ms;
    h->exhausted = (struct log_limit){.period_ms = 10000, .burst = 1};
    list_init(&h->connections);
    admin_acceptor_init(&h->acceptor, opts->listen_fd);
    ev_timer_init(&h->run_timer, on_run_timer, 0.0, 0.0);
    ev_timer_init(&h->expire_timer, on_expire, 0.0, 0.0);
    ev_timer_init(&h->pause_timer, on_pause_over, 0.0, 0.0);
    h->run_timer.data = h;
    h->expire_timer.data = h;
    h->pause_timer.data = h;
    h->daemon = start_daemon(h);
    if (h->daemon == NULL) {
        err_set(
            e, ERR_IO,
            "libmicrohttpd %s did not start its epoll mode; run with log.level debug to see why",
            MHD_get_version());
        admin_acceptor_fini(&h->acceptor);
        free(h);
        return NULL;
    }
    start_watchers(h);
    return h;
}

void admin_http_free(struct admin_http *h)
{
    if (h == NULL) {
        return;
    }
    ev_io_stop(h->loop, &h->listen_io);
    ev_io_stop(h->loop, &h->daemon_io);
    ev_prepare_stop(h->loop, &h->prepare);
    MHD_stop_daemon(h->daemon);
    ev_timer_stop(h->loop, &h->run_timer);
    ev_timer_stop(h->loop, &h->expire_timer);
    ev_timer_stop(h->loop, &h->pause_timer);
    admin_acceptor_fini(&h->acceptor);
    free(h);
}

const char *admin_http_library_version(void)
{
    return MHD_get_version();
}
