/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking Redis connections: hiredis parses the replies, the socket is ours so that every wait has
 * a deadline. */
#include "fcgi/redis_sync.h"

#include "common/base/clk.h"
#include "common/base/mem.h"
#include "common/engine/engine.h"
#include "common/engine/rcmd.h"

#include <hiredis/hiredis.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#define READ_BYTES 16384
/* After this long without use the connection is looked at before it is used: Redis may have closed
 * it meanwhile. */
#define IDLE_MS 20

struct rsync {
    struct rsync_target *target;
    int fd;
    redisReader *reader;
    int64_t used_at_ms;
    int64_t begun_at_ms; /* the run that was begun */
    int64_t deadline_ms; /* of it */
    int64_t sent_at_ms;  /* a run waits for its first answer since then; else 0 */
    char input[READ_BYTES];
};

struct rsync *rsync_new(struct rsync_target *t)
{
    struct rsync *r = mem_zalloc(sizeof(*r));
    r->target = t;
    r->fd = -1;
    return r;
}

void rsync_close(struct rsync *r)
{
    if (r->fd >= 0) {
        close(r->fd);
        r->fd = -1;
    }
    if (r->reader != NULL) {
        redisReaderFree(r->reader);
        r->reader = NULL;
    }
}

void rsync_free(struct rsync *r)
{
    if (r != NULL) {
        rsync_close(r);
        free(r);
    }
}

int rsync_fd(const struct rsync *r)
{
    return r->fd;
}

void rsync_reply_free(struct redisReply *reply)
{
    if (reply != NULL) {
        freeReplyObject(reply);
    }
}

struct span rsync_reply_text(const struct redisReply *reply)
{
    if (reply == NULL || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS)) {
        return (struct span){0};
    }
    return span_of(reply->str, reply->len);
}

struct span rsync_reply_error(const struct redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR ? engine_error_text(reply) : (struct span){0};
}

const struct redisReply *rsync_reply_item(const struct redisReply *reply, size_t n, size_t i)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == n && i < n ? reply->element[i]
                                                                             : NULL;
}

/* Waits until the descriptor is ready. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - clk_mono_ms();
        struct pollfd p = {.fd = fd, .events = events};
        int rc = poll(&p, 1, left > 0 ? (int)left : 0);
        if (rc > 0) {
            return 0;
        }
        if (rc == 0) {
            return ERR_TIMEOUT;
        }
        if (errno != EINTR) {
            return ERR_CLOSED;
        }
    }
}

/* Returns 0 or an errno; a timeout is ETIMEDOUT. */
static int connect_one(const struct sockaddr *addr, socklen_t len, int64_t deadline_ms, int *out)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return errno;
    }
    int number = connect(fd, addr, len) == 0 ? 0 : errno;
    if (number == EINPROGRESS) {
        socklen_t size = sizeof(number);
        if (wait_for(fd, POLLOUT, deadline_ms) != 0) {
            number = ETIMEDOUT;
        } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
            number = errno;
        }
    }
    if (number != 0) {
        close(fd);
        return number;
    }
    *out = fd;
    return 0;
}

/* As the reference words it, because people search for it: "dial tcp HOST:PORT: connect: connection
 * refused". */
static int dial_error(const struct rsync_target *t, int number, struct err *e)
{
    const char *network = t->url->path != NULL ? "unix" : "tcp";
    if (number == 0) { /* its name has no address, which is found out elsewhere */
        return err_set(e, ERR_UNAVAILABLE, "dial tcp %s: lookup %s: no such host", t->url->display,
                       t->url->host);
    }
    if (number == ETIMEDOUT) {
        return err_set(e, ERR_UNAVAILABLE, "dial %s %s: i/o timeout", network, t->url->display);
    }
    char text[64];
    snprintf(text, sizeof(text), "%s", strerror(number));
    text[0] = (char)tolower((unsigned char)text[0]);
    return err_set(e, ERR_UNAVAILABLE, "dial %s %s: connect: %s", network, t->url->display, text);
}

/* Tries the addresses one after the other; the last failure is the one reported. */
static int dial(struct rsync *r, int64_t deadline_ms, struct err *e)
{
    struct rsync_target *t = r->target;
    int number = 0;
    for (size_t i = 0; i < RSYNC_MAX_ADDRESSES; i++) {
        struct sockaddr_storage addr;
        pthread_mutex_lock(&t->lock);
        bool is_end = i >= t->address_count;
        socklen_t len = is_end ? 0 : t->addresses[i].len;
        if (!is_end) {
            addr = t->addresses[i].addr;
        }
        pthread_mutex_unlock(&t->lock);
        if (is_end) {
            break;
        }
        int64_t limit = clk_mono_ms() + t->url->connect_timeout_ms;
        number = connect_one((struct sockaddr *)&addr, len,
                             limit < deadline_ms ? limit : deadline_ms, &r->fd);
        if (number == 0) {
            return 0;
        }
    }
    return dial_error(t, number, e);
}

static void set_up_socket(struct rsync *r)
{
    struct rsync_target *t = r->target;
    /* The first wait for an answer relies on the socket's own timeout, which saves a poll. */
    struct timeval tv = {.tv_usec = RSYNC_SUSPECT_MS * 1000};
    int one = 1;
    fcntl(r->fd, F_SETFL, fcntl(r->fd, F_GETFL) & ~O_NONBLOCK);
    setsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    if (t->url->path == NULL) {
        setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        setsockopt(r->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    }
}

/* The commands that make a connection usable; returns how many. PING comes last: a Redis that loads
 * its data refuses it. */
static size_t add_hello(const struct rsync_target *t, struct buf *b)
{
    const struct redis_url *u = t->url;
    size_t n = 1;
    if (u->password != NULL && *u->password != '\0') {
        bool has_user = u->user != NULL && *u->user != '\0';
        rcmd_begin(b, has_user ? 3 : 2);
        rcmd_arg_str(b, "AUTH");
        if (has_user) {
            rcmd_arg_str(b, u->user);
        }
        rcmd_arg_str(b, u->password);
        n++;
    }
    if (u->db != 0) {
        rcmd_begin(b, 2);
        rcmd_arg_str(b, "SELECT");
        rcmd_arg_i64(b, u->db);
        n++;
    }
    if (*t->client_name != '\0') {
        rcmd_begin(b, 3);
        rcmd_arg_str(b, "CLIENT");
        rcmd_arg_str(b, "SETNAME");
        rcmd_arg_str(b, t->client_name);
        n++;
    }
    rcmd_begin(b, 1);
    rcmd_arg_str(b, "PING");
    return n;
}

static int say_hello(struct rsync *r, int64_t deadline_ms, struct err *e)
{
    struct buf b = {0};
    size_t count = add_hello(r->target, &b);
    int rc = rsync_send(r, buf_span(&b), deadline_ms, e);
    mem_wipe(b.p, b.n); /* it holds the password */
    buf_free(&b);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        redisReply *reply = NULL;
        rc = rsync_receive(r, deadline_ms, &reply, e);
        bool is_name = *r->target->client_name != '\0' && i + 2 == count;
        if (rc == 0 && reply->type == REDIS_REPLY_ERROR && !is_name && !engine_is_misconf(reply)) {
            struct span text = engine_error_text(reply);
            const char *advice = engine_error_advice(text);
            rc = err_set(e, ERR_DENIED, "%s: %.*s%s%s", r->target->url->display,
                         (int)(text.n < 200 ? text.n : 200), text.p, advice != NULL ? "; " : "",
                         advice != NULL ? advice : "");
        }
        rsync_reply_free(reply);
    }
    return rc;
}

int rsync_connect(struct rsync *r, int64_t deadline_ms, struct err *e)
{
    rsync_close(r);
    int rc = dial(r, deadline_ms, e);
    if (rc != 0) {
        return rc;
    }
    set_up_socket(r);
    r->reader = redisReaderCreate();
    rc = r->reader != NULL ? say_hello(r, deadline_ms, e)
                           : err_set(e, ERR_UNAVAILABLE, "out of memory");
    if (rc != 0) {
        rsync_close(r);
    }
    return rc;
}

/* *sent tells how far it came when it fails. */
static int send_all(struct rsync *r, struct span bytes, int64_t deadline_ms, size_t *sent,
                    struct err *e)
{
    *sent = 0;
    while (*sent < bytes.n) {
        ssize_t n = send(r->fd, bytes.p + *sent, bytes.n - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            *sent += (size_t)n;
        } else if (errno == EAGAIN) {
            if (wait_for(r->fd, POLLOUT, deadline_ms) != 0) {
                return err_set(e, ERR_TIMEOUT, "%s: write: i/o timeout", r->target->url->display);
            }
        } else if (errno != EINTR) {
            return err_set(e, ERR_CLOSED, "%s: write: %s", r->target->url->display,
                           strerror(errno));
        }
    }
    return 0;
}

int rsync_send(struct rsync *r, struct span bytes, int64_t deadline_ms, struct err *e)
{
    size_t sent;
    return send_all(r, bytes, deadline_ms, &sent, e);
}

/* Reads what has arrived into the parser; waits until the deadline. */
static int fill(struct rsync *r, int64_t deadline_ms, struct err *e)
{
    const char *where = r->target->url->display;
    bool is_first = r->sent_at_ms != 0;
    for (;;) {
        if (!is_first && wait_for(r->fd, POLLIN, deadline_ms) != 0) {
            return err_set(e, ERR_TIMEOUT, "%s: read: i/o timeout", where);
        }
        ssize_t n = recv(r->fd, r->input, sizeof(r->input), is_first ? 0 : MSG_DONTWAIT);
        if (n > 0) {
            r->sent_at_ms = 0;
            return redisReaderFeed(r->reader, r->input, (size_t)n) == REDIS_OK
                       ? 0
                       : err_set(e, ERR_CLOSED, "%s: %s", where, r->reader->errstr);
        }
        if (n == 0) {
            return err_set(e, ERR_CLOSED, "%s: read: EOF", where);
        }
        if (errno != EINTR && errno != EAGAIN) {
            return err_set(e, ERR_CLOSED, "%s: read: %s", where, strerror(errno));
        }
        if (is_first && errno == EAGAIN) {
            rsync_target_suspect(r->target, r->sent_at_ms);
            r->sent_at_ms = 0;
            is_first = false;
        }
    }
}

static int next_reply(struct rsync *r, int64_t deadline_ms, redisReply **reply, struct err *e)
{
    for (;;) {
        void *got = NULL;
        if (redisReaderGetReply(r->reader, &got) != REDIS_OK) {
            return err_set(e, ERR_CLOSED, "%s: %s", r->target->url->display, r->reader->errstr);
        }
        if (got != NULL) {
            *reply = got;
            return 0;
        }
        int rc = fill(r, deadline_ms, e);
        if (rc != 0) {
            return rc;
        }
    }
}

int rsync_receive(struct rsync *r, int64_t deadline_ms, struct redisReply **reply, struct err *e)
{
    return next_reply(r, deadline_ms, reply, e);
}

static bool peer_has_closed(const struct rsync *r)
{
    char c;
    ssize_t n = recv(r->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/* Gets the commands out, over a fresh connection where the old one is dead and nothing was sent
 * yet. */
static int deliver(struct rsync *r, struct span commands, int64_t now_ms, int64_t deadline_ms,
                   struct err *e)
{
    size_t sent;
    if (r->fd >= 0 && (now_ms - r->used_at_ms <= IDLE_MS || !peer_has_closed(r))) {
        int rc = send_all(r, commands, deadline_ms, &sent, e);
        if (rc == 0 || sent != 0) {
            return rc;
        }
    }
    if (rsync_connect(r, deadline_ms, e) != 0) {
        return ERR_UNAVAILABLE; /* whatever it was: none of the commands was sent */
    }
    return send_all(r, commands, deadline_ms, &sent, e);
}

static int failed(struct rsync *r, int rc, const struct err *own, struct err *e)
{
    rsync_close(r);
    rsync_target_trip(r->target, clk_mono_ms() - r->begun_at_ms, RSYNC_TRIP_MS, own->text);
    return err_set(e, rc, "%s", own->text);
}

int rsync_begin(struct rsync *r, struct span commands, int64_t now_ms, int64_t by_ms, struct err *e)
{
    struct err own = {0};
    if (!rsync_target_may_try(r->target, now_ms)) {
        return rsync_target_refuse(r->target, e);
    }
    r->begun_at_ms = now_ms;
    r->deadline_ms = rsync_target_deadline(r->target, now_ms);
    int rc = deliver(r, commands, now_ms, by_ms < r->deadline_ms ? by_ms : r->deadline_ms, &own);
    if (UNLIKELY(rc != 0)) {
        return failed(r, rc, &own, e);
    }
    r->sent_at_ms = now_ms;
    return 0;
}

int64_t rsync_note_silence(struct rsync *r, int64_t now_ms)
{
    if (r->sent_at_ms != 0 && now_ms - r->sent_at_ms >= RSYNC_SUSPECT_MS) {
        rsync_target_suspect(r->target, r->sent_at_ms);
        r->sent_at_ms = 0;
    }
    return r->deadline_ms - now_ms;
}

int rsync_end(struct rsync *r, size_t count, rsync_reply_fn fn, void *arg, struct err *e)
{
    struct rsync_target *t = r->target;
    struct err own = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        redisReply *reply = NULL;
        rc = next_reply(r, r->deadline_ms, &reply, &own);
        if (rc == 0) {
            fn(reply, i, arg);
            rsync_reply_free(reply);
        }
    }
    r->sent_at_ms = 0;
    if (UNLIKELY(rc != 0)) {
        return failed(r, rc, &own, e);
    }
    r->used_at_ms = r->begun_at_ms;
    if (UNLIKELY(!rsync_target_is_well(t))) {
        rsync_target_heard(t, r->begun_at_ms);
    }
    return 0;
}

int rsync_run(struct rsync *r, struct span commands, size_t count, rsync_reply_fn fn, void *arg,
              struct err *e)
{
    int rc = rsync_begin(r, commands, clk_mono_ms(), INT64_MAX, e);
    return rc == 0 ? rsync_end(r, count, fn, arg, e) : rc;
}
