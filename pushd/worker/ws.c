/* SPDX-License-Identifier: Apache-2.0 */
/* The transport: sockets carried by libwebsockets.
 *
 * Connections are adopted after the WebSocket handshake as plain byte streams (see upgrade.h and
 * ws_frame.h for why framing is ours). Everything runs on the worker's thread; nothing is ever
 * written or freed from inside a callback of the same connection but through the flush and the
 * doomed list. */
#include "pushd/worker/ws.h"

#include <libwebsockets.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "pushd/worker/flush.h"

/* How much is read from a socket at a time. One buffer a context, none a connection. */
#define READ_BYTES 16384
/* libwebsockets' libev plugin loses timers that are set while a later one is armed; a short one
 * that always runs bounds the lateness of all others. */
#define HEARTBEAT_US 200000

/* From 4.3 on libwebsockets counts the connections of a log context without a lock, and aborts when
 * the count is wrong: workers must not share one. */
#define HAS_LOG_CONTEXT ((LWS_LIBRARY_VERSION_NUMBER) >= 4003000)

struct ws {
#if HAS_LOG_CONTEXT
    lws_log_cx_t log;
#endif
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct worker *w;
    lws_sorted_usec_list_t heartbeat;
    struct conn *adopting;
};

static struct conn *conn_of(struct lws *wsi)
{
    return lws_get_opaque_user_data(wsi);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    (void)user;
    struct conn *c = wsi != NULL ? conn_of(wsi) : NULL;
    switch (reason) {
    case LWS_CALLBACK_RAW_RX:
        if (c != NULL && c->state != CONN_DEAD) {
            conn_received(c, in, len);
        }
        break;
    case LWS_CALLBACK_RAW_WRITEABLE:
        if (c != NULL && c->state != CONN_DEAD) {
            conn_writable(c);
        }
        break;
    case LWS_CALLBACK_RAW_CLOSE:
        if (c != NULL) {
            lws_set_opaque_user_data(wsi, NULL);
            c->wsi = NULL;
            conn_cut(c);
        }
        break;
    default:
        break;
    }
    return 0;
}

static const struct lws_protocols protocols[] = {
    /* tx_packet_size: by default lws would write large frames in small pieces, a loop turn each. */
    {.name = "pushd", .callback = on_event, .rx_buffer_size = 0, .tx_packet_size = 65536},
    {.name = NULL},
};

static void beat(lws_sorted_usec_list_t *sul)
{
    struct ws *s = CONTAINER_OF(sul, struct ws, heartbeat);
    lws_sul_schedule(s->context, 0, &s->heartbeat, beat, HEARTBEAT_US);
}

static void on_log(int level, const char *line)
{
    struct span text = span_trim(span_str(line));
    if ((level & LLL_ERR) != 0) {
        log_warn(LOG_SERVER, "libwebsockets", LOG_TEXT("text", text));
    } else {
        log_debug(LOG_SERVER, "libwebsockets", LOG_TEXT("text", text));
    }
}

struct ws *ws_new(struct worker *w, struct err *e)
{
    static const lws_retry_bo_t
        no_policy; /* the default one pings by itself, with a linear timer list */
    lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
    struct ws *s = mem_zalloc(sizeof(*s));
    s->w = w;
    void *loops[1] = {w->loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .pt_serv_buf_size = READ_BYTES,
        .retry_and_idle_policy = &no_policy,
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
    };
#if HAS_LOG_CONTEXT
    s->log.u.emit = on_log;
    s->log.lll_flags = LLL_ERR | LLL_WARN;
    info.log_cx = &s->log;
#endif
    s->context = lws_create_context(&info);
    if (s->context != NULL) {
        s->vhost = lws_create_vhost(s->context, &info);
    }
    if (s->vhost == NULL) {
        err_set(e, ERR_UNAVAILABLE,
                "libwebsockets cannot start its libev event loop. Debian: apt-get install "
                "libwebsockets-evlib-ev");
        ws_free(s);
        return NULL;
    }
    beat(&s->heartbeat);
    return s;
}

void ws_free(struct ws *s)
{
    if (s == NULL) {
        return;
    }
    if (s->context != NULL) {
        lws_context_destroy(s->context);
        /* With a foreign loop the destruction needs turns of the loop, and a second call, to
         * complete. */
        ev_run(s->w->loop, EVRUN_NOWAIT);
    }
    free(s);
}

bool ws_adopt(struct ws *s, struct conn *c)
{
    lws_sock_file_fd_type fd = {.sockfd = c->fd};
    c->wsi = lws_adopt_descriptor_vhost(s->vhost, LWS_ADOPT_SOCKET, fd, protocols[0].name, NULL);
    if (c->wsi == NULL) {
        return false;
    }
    lws_set_opaque_user_data(c->wsi, c);
    return true;
}

bool ws_can_send(const struct conn *c)
{
    return c->wsi != NULL && lws_partial_buffered(c->wsi) == 0;
}

void ws_request_writable(struct conn *c)
{
    lws_callback_on_writable(c->wsi);
}

int ws_write(struct conn *c, const char *p, size_t n)
{
    /* RAW only reads the bytes; the prototype lacks the const. */
    union {
        const char *in;
        unsigned char *out;
    } u = {.in = p};
    return lws_write(c->wsi, u.out, n, LWS_WRITE_RAW) < 0 ? ERR_CLOSED : 0;
}

void ws_read_on(struct conn *c, bool on)
{
    if (c->wsi != NULL) {
        lws_rx_flow_control(c->wsi, on);
    }
}

void ws_doom(struct conn *c)
{
    if (c->state != CONN_DEAD) {
        c->state = CONN_DEAD;
        list_unlink(&c->dirty_link);
        list_append(&c->w->doomed, &c->doom_link);
    }
}

void ws_reap(struct worker *w)
{
    struct list *e;
    while ((e = list_shift(&w->doomed)) != NULL) {
        struct conn *c = LIST_ENTRY(e, struct conn, doom_link);
        if (c->wsi != NULL) {
            lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK,
                            LWS_TO_KILL_SYNC); /* ends in conn_cut */
        } else {
            conn_gone(c);
        }
    }
}

const char *ws_library_version(void)
{
    return lws_get_library_version();
}
