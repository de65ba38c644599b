/* SPDX-License-Identifier: Apache-2.0 */
/* N client connections to one server: how they are made and closed. */
#include "tests/bench/fleet.h"

#include "tests/bench/payload.h"
#include "tests/bench/token.h"
#include "tests/bench/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES (1u << 20)

static void expand(char *out, size_t size, const char *name_template, unsigned n)
{
    const char *at = strstr(name_template, "{n}");
    int len =
        at ? snprintf(out, size, "%.*s%u%s", (int)(at - name_template), name_template, n, at + 3)
           : snprintf(out, size, "%s", name_template);
    if (len < 0 || (size_t)len >= size)
        die("name is too long: %s", name_template);
}

void channels_make(struct channels *ch, const char *space, const char *name_template,
                   unsigned count)
{
    if (count > 1 && !strstr(name_template, "{n}"))
        die("more than one channel needs {n} in the channel template");
    ch->count = count;
    ch->name = xcalloc(count, sizeof(*ch->name));
    for (unsigned i = 0; i < count; i++) {
        ch->name[i] = xcalloc(1, 256);
        int n = *space ? snprintf(ch->name[i], 256, "%s:", space) : 0;
        if (n < 0 || n >= 256)
            die("name is too long: %s", space);
        expand(ch->name[i] + n, 256 - (size_t)n, name_template, i);
    }
}

void channels_free(struct channels *ch)
{
    for (unsigned i = 0; i < ch->count; i++)
        free(ch->name[i]);
    free(ch->name);
    *ch = (struct channels){0};
}

void fleet_init(struct fleet *f, struct poller *p, const struct fleet_opts *opts, unsigned size)
{
    memset(f, 0, sizeof(*f));
    f->opts = *opts;
    f->poller = p;
    f->size = size;
    f->conns = xcalloc(size, sizeof(*f->conns));
    f->subscribers = xcalloc(opts->channels->count, sizeof(*f->subscribers));
    f->seq = xcalloc(opts->channels->count, sizeof(*f->seq));
    f->at_ns = xcalloc(FLEET_TIMES, sizeof(*f->at_ns));
    f->buffer = xcalloc(1, BUFFER_BYTES);
    f->pong_bytes =
        opts->is_protobuf ? ws_masked_put(f->pong, 2, "\0", 1) : ws_masked_put(f->pong, 1, "{}", 2);
    accept_put(f->accept, FLEET_WS_KEY);
}

static void send_all(struct conn *c, const void *data, size_t n)
{
    ssize_t sent = send(c->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent != (ssize_t)n)
        fleet__conn_lost(c, sent < 0 ? strerror(errno) : "socket full during the handshake");
}

void fleet__send_upgrade(struct conn *c)
{
    const struct fleet *f = c->fleet;
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: " FLEET_WS_KEY "\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
                     f->opts.target->path, f->opts.target->host,
                     f->opts.is_protobuf ? "Sec-WebSocket-Protocol: centrifuge-protobuf\r\n" : "");
    if (n < 0 || (size_t)n >= sizeof(text))
        die("the upgrade request is too long");
    c->state = CONN_UPGRADE;
    send_all(c, text, (size_t)n);
}

/* Command {1: id, FIELD: request {1: text}}, with its length before it. */
static size_t command_pb_put(uint8_t *out, uint8_t id, uint8_t field, const char *text)
{
    uint8_t request[TOKEN_MAX + 16] = {0}, command[TOKEN_MAX + 32];
    size_t text_len = strlen(text), r = 0, n = 0, o = 0;
    if (text_len) {
        request[r++] = 1 << 3 | 2;
        r += varint_put(request + r, text_len);
        memcpy(request + r, text, text_len);
        r += text_len;
    }
    command[n++] = 1 << 3;
    command[n++] = id;
    command[n++] = (uint8_t)(field << 3 | 2);
    n += varint_put(command + n, r);
    memcpy(command + n, request, r);
    n += r;
    o = varint_put(out, n);
    memcpy(out + o, command, n);
    return o + n;
}

static size_t connect_put(const struct conn *c, char *out, size_t size)
{
    const struct fleet_opts *o = &c->fleet->opts;
    char token[TOKEN_MAX] = "", user[128];
    if (o->token_secret) {
        expand(user, sizeof(user), o->user_template, c->index);
        token_put(token, o->token_secret, user);
    }
    if (o->is_protobuf)
        return command_pb_put((uint8_t *)out, 1, 4, token);
    int n = *token ? snprintf(out, size, "{\"id\":1,\"connect\":{\"token\":\"%s\"}}", token)
                   : snprintf(out, size, "{\"id\":1,\"connect\":{}}");
    return (size_t)n;
}

static size_t subscribe_put(const struct conn *c, char *out, size_t size)
{
    const struct fleet_opts *o = &c->fleet->opts;
    const char *channel = o->channels->name[c->channel];
    if (o->is_protobuf)
        return command_pb_put((uint8_t *)out, 2, 5, channel);
    int n =
        snprintf(out, size, "{\"id\":2,\"subscribe\":{\"channel\":\"%s\"%s}}", channel, o->wish);
    return (size_t)n;
}

static void send_frame(struct conn *c, const char *text, size_t n)
{
    uint8_t frame[2048];
    size_t frame_bytes = ws_masked_put(frame, c->fleet->opts.is_protobuf ? 2 : 1, text, n);
    send_all(c, frame, frame_bytes);
}

void fleet__send_hello(struct conn *c)
{
    char text[1600];
    const struct fleet_opts *o = &c->fleet->opts;
    size_t n = connect_put(c, text, sizeof(text));
    c->state = CONN_CONNECT;
    if (!o->waits_for_connect) {
        if (!o->is_protobuf)
            text[n++] = '\n';
        n += subscribe_put(c, text + n, sizeof(text) - n);
    }
    send_frame(c, text, n);
}

void fleet__send_subscribe(struct conn *c)
{
    char text[512];
    size_t n = subscribe_put(c, text, sizeof(text));
    send_frame(c, text, n);
}

void fleet__conn_opened(struct conn *c)
{
    struct fleet *f = c->fleet;
    c->state = CONN_OPEN;
    f->pending--;
    f->open++;
    f->subscribers[c->channel]++;
    f->opened_ns = now_ns();
    hist_add(&f->connect_latency, f->opened_ns - c->started_ns);
}

static void conn_drop(struct conn *c)
{
    close(c->fd);
    free(c->carry);
    c->carry = NULL;
    c->carry_len = 0;
    c->fd = -1;
    c->state = CONN_CLOSED;
}

void fleet__conn_lost(struct conn *c, const char *why)
{
    struct fleet *f = c->fleet;
    if (c->state != CONN_OPEN)
        die("connection %u to %s failed: %s", c->index, f->opts.target->name, why);
    if (!f->count.closed++) {
        snprintf(f->close_text, sizeof(f->close_text), "%s", why);
        note("connection %u to %s was closed: %s", c->index, f->opts.target->name, why);
    }
    f->open--;
    f->subscribers[c->channel]--;
    conn_drop(c);
}

/* False when the server's queue of waiting connections is full (Unix sockets tell at once). */
static bool start_one(struct fleet *f)
{
    struct conn *c = &f->conns[f->started];
    int fd = target_connect(f->opts.target, f->started);
    if (fd < 0 && errno == EAGAIN)
        return false;
    if (fd < 0)
        die("cannot connect to %s (connection %u): %s", f->opts.target->name, f->started,
            strerror(errno));
    memset(c, 0, sizeof(*c));
    c->src.ready = fleet__conn_ready;
    c->fleet = f;
    c->fd = fd;
    c->index = f->started;
    c->channel = f->started % f->opts.channels->count;
    c->state = CONN_TCP;
    c->started_ns = now_ns();
    f->started++;
    f->pending++;
    poller_add(f->poller, fd, &c->src, EPOLLOUT);
    return true;
}

void fleet_open(struct fleet *f, unsigned window, unsigned timeout_sec)
{
    uint64_t deadline = now_ns() + timeout_sec * NS_PER_SEC;
    while (f->open < f->size) {
        while (f->started < f->size && f->pending < window && start_one(f)) {
        }
        uint64_t now = now_ns();
        if (now > deadline)
            die("only %u of %u connections to %s are open after %u s", f->open, f->size,
                f->opts.target->name, timeout_sec);
        if (f->count.closed)
            die("the server closes connections while others are being made: %s", f->close_text);
        poller_run(f->poller, now + 5 * NS_PER_MS);
    }
}

void fleet_close(struct fleet *f)
{
    for (unsigned i = 0; i < f->started; i++)
        if (f->conns[i].state != CONN_CLOSED)
            conn_drop(&f->conns[i]);
    f->started = f->pending = f->open = 0;
    f->expected = 0;
    memset(&f->count, 0, sizeof(f->count));
    memset(&f->latency, 0, sizeof(f->latency));
    memset(f->subscribers, 0, f->opts.channels->count * sizeof(*f->subscribers));
    memset(f->seq, 0, f->opts.channels->count * sizeof(*f->seq));
    f->first_offset = 0;
    f->stream.recovered = f->stream.caught_up = 0;
}

void fleet_fini(struct fleet *f)
{
    fleet_close(f);
    free(f->conns);
    free(f->subscribers);
    free(f->seq);
    free(f->at_ns);
    free(f->buffer);
    free(f->sample.frame);
    memset(f, 0, sizeof(*f));
}
