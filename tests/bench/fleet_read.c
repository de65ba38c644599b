/* SPDX-License-Identifier: Apache-2.0 */
/* N client connections to one server: what they receive. This is the client's hot path. */
#include "tests/bench/fleet.h"

#include "tests/bench/payload.h"
#include "tests/bench/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define BUFFER_BYTES (1u << 20)

static void count_publication(struct conn *c, uint64_t seq, uint64_t latency_ns)
{
    struct fleet_count *n = &c->fleet->count;
    if (seq > c->last_seq) {
        uint64_t step = seq - c->last_seq;
        c->window = step < 64 ? c->window << step | 1 : 1;
        c->last_seq = seq;
    } else {
        uint64_t back = c->last_seq - seq;
        uint64_t bit = back < 64 ? 1ull << back : 0;
        if (c->window & bit) {
            n->duplicated++;
            return;
        }
        c->window |= bit;
        n->disordered++;
    }
    n->unique++;
    hist_add(&c->fleet->latency, latency_ns);
}

static bool is_ping(const struct fleet *f, const char *m, size_t n)
{
    return f->opts.is_protobuf ? n == 0 : n == 2 && m[0] == '{' && m[1] == '}';
}

static void answer_ping(struct conn *c)
{
    struct fleet *f = c->fleet;
    f->count.pings++;
    if (send(c->fd, f->pong, f->pong_bytes, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)f->pong_bytes)
        f->count.other++;
}

/* Id of a reply, 0 of anything else. */
static unsigned reply_id(const struct fleet *f, const char *m, size_t n)
{
    if (f->opts.is_protobuf)
        return n > 2 && m[0] == 1 << 3 ? (unsigned char)m[1] : 0;
    return n > 7 && !memcmp(m, "{\"id\":", 6) && (m[7] == ',' || m[7] == '}') ? m[6] - '0' : 0;
}

static bool is_error(const struct fleet *f, const char *m, size_t n)
{
    if (f->opts.is_protobuf)
        return m[2] == (2 << 3 | 2);
    return memmem(m, n, "\"error\":{", 9) != NULL;
}

/* The number behind `name` in a JSON message, 0 when it is not there. */
static uint64_t number_after(const char *m, size_t n, const char *name)
{
    uint64_t value = 0;
    const char *end = m + n, *p = memmem(m, n, name, strlen(name));
    for (p = p ? p + strlen(name) : end; p < end && *p >= '0' && *p <= '9'; p++)
        value = value * 10 + (uint64_t)(*p - '0');
    return value;
}

/* Position and recovery as the subscribe reply tells them. */
static void read_stream(struct fleet *f, const char *m, size_t n)
{
    struct fleet_stream *s = &f->stream;
    const char *end = m + n, *head = memmem(m, n, "\"epoch\":\"", 9);
    const char *epoch_end = head ? memchr(head + 9, '"', (size_t)(end - head - 9)) : NULL;
    if (!epoch_end)
        return;
    snprintf(s->epoch, sizeof(s->epoch), "%.*s", (int)(epoch_end - head - 9), head + 9);
    if (!memmem(m, n, "\"recovered\":true", 16)) {
        s->offset = number_after(m, n, "\"offset\":");
        return;
    }
    s->recovered++;
    for (const char *p = m; (p = payload_find(p, (size_t)(end - p), 0)); p++)
        s->caught_up++;
}

static void on_reply(struct conn *c, const char *m, size_t n)
{
    unsigned id = reply_id(c->fleet, m, n);
    if (!id) {
        c->fleet->count.other++;
        return;
    }
    if (is_error(c->fleet, m, n))
        die("the server refused %s: %.*s", id == 1 ? "the connect" : "the subscribe", (int)n, m);
    if (id == 1 && c->state == CONN_CONNECT) {
        c->state = CONN_SUBSCRIBE;
        if (c->fleet->opts.waits_for_connect)
            fleet__send_subscribe(c);
    } else if (id == 2 && c->state == CONN_SUBSCRIBE) {
        if (!c->fleet->opts.is_protobuf)
            read_stream(c->fleet, m, n);
        fleet__conn_opened(c);
    }
}

/* A publication whose payload is a patch: its number follows from its offset. */
static void on_delta(struct conn *c, const char *m, size_t n, uint64_t now)
{
    struct fleet *f = c->fleet;
    uint64_t offset = number_after(m, n, "\"offset\":");
    if (!f->first_offset)
        f->first_offset = offset;
    if (!offset || offset < f->first_offset) {
        f->count.other++;
        return;
    }
    uint64_t seq = offset - f->first_offset + 1, at = f->at_ns[seq % FLEET_TIMES];
    f->patches += memmem(m, n, "\"delta\":true", 12) != NULL;
    count_publication(c, seq, now > at ? now - at : 0);
}

static void on_message(struct conn *c, const char *m, size_t n, uint64_t now)
{
    struct fleet *f = c->fleet;
    uint64_t seq, at;
    if (is_ping(f, m, n)) {
        answer_ping(c);
        return;
    }
    if (c->state != CONN_OPEN) {
        on_reply(c, m, n);
        return;
    }
    if (f->opts.is_delta) {
        on_delta(c, m, n, now);
        return;
    }
    const char *p = payload_find(m, n, f->hint);
    if (!p || !payload_get(p, (size_t)(m + n - p), &seq, &at)) {
        f->count.other++;
        return;
    }
    f->hint = (size_t)(p - m);
    count_publication(c, seq, now > at ? now - at : 0);
}

/* Where the JSON message at `p` ends. A payload of known size is stepped over, not searched. */
static const char *json_end(const struct fleet *f, const char *p, const char *end)
{
    size_t skip = f->hint + f->opts.payload_bytes, left = (size_t)(end - p);
    if (f->hint && skip < left && payload_find(p, skip, f->hint) == p + f->hint) {
        const char *nl = memchr(p + skip, '\n', left - skip);
        return nl ? nl : end;
    }
    const char *nl = memchr(p, '\n', left);
    return nl ? nl : end;
}

static void on_frame(struct conn *c, const char *p, size_t n, uint64_t now)
{
    const char *end = p + n;
    struct fleet *f = c->fleet;
    f->count.frames++;
    while (p < end && c->state != CONN_CLOSED) {
        const char *stop;
        if (f->opts.is_protobuf) {
            uint64_t size;
            size_t head = varint_get((const uint8_t *)p, (size_t)(end - p), &size);
            if (!head || size > (uint64_t)(end - p) - head) {
                fleet__conn_lost(c, "the server sent a malformed protobuf message");
                return;
            }
            p += head;
            stop = p + size;
            on_message(c, p, (size_t)size, now);
            p = stop;
        } else {
            stop = json_end(f, p, end);
            on_message(c, p, (size_t)(stop - p), now);
            p = stop + 1;
        }
    }
}

/* Keeps the first frame that carries one publication and nothing else. */
static void take_sample(struct fleet *f, const char *frame, size_t header, size_t n)
{
    const char *body = frame + header;
    const char *p = payload_find(body, n, 0);
    if (!p || payload_find(p + 1, (size_t)(body + n - p - 1), 0))
        return;
    f->sample.frame = xcalloc(1, header + n);
    memcpy(f->sample.frame, frame, header + n);
    f->sample.frame_bytes = header + n;
    f->sample.payload_at = (size_t)(p - frame);
}

static void on_close_frame(struct conn *c, const char *p, size_t n)
{
    char why[160];
    unsigned code = n >= 2 ? (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1] : 1005;
    snprintf(why, sizeof(why), "close frame %u %.*s", code, n > 2 ? (int)(n - 2) : 0, p + 2);
    fleet__conn_lost(c, why);
}

static void on_opcode(struct conn *c, const char *frame, size_t header, size_t n, uint64_t now)
{
    const char *p = frame + header;
    uint8_t pong[140];
    switch (frame[0] & 0x8f) {
    case 0x81:
    case 0x82:
        if (!c->fleet->sample.frame && c->state == CONN_OPEN)
            take_sample(c->fleet, frame, header, n);
        on_frame(c, p, n, now);
        break;
    case 0x88:
        on_close_frame(c, p, n);
        break;
    case 0x89:
        c->fleet->count.pings++;
        if (n < 126 && send(c->fd, pong, ws_masked_put(pong, 10, p, n), MSG_NOSIGNAL) < 0)
            c->fleet->count.other++;
        break;
    case 0x8a:
        break;
    default:
        fleet__conn_lost(c, "the server sent a fragmented or unknown WebSocket frame");
    }
}

/* Header length and payload size of the frame at `p`; 0 when its header is incomplete. */
static size_t frame_header(const char *p, size_t n, uint64_t *size)
{
    const uint8_t *b = (const uint8_t *)p;
    if (n < 2)
        return 0;
    unsigned extra = b[1] == 126 ? 2 : b[1] == 127 ? 8 : 0;
    if (n < 2 + extra)
        return 0;
    *size = extra ? 0 : b[1];
    for (unsigned i = 0; i < extra; i++)
        *size = *size << 8 | b[2 + i];
    return 2 + extra;
}

/* Reads the whole frames of [p, p + n); returns how many bytes they were. */
static size_t read_frames(struct conn *c, const char *p, size_t n, uint64_t now)
{
    size_t off = 0;
    while (c->state != CONN_CLOSED) {
        uint64_t size = 0;
        size_t header = frame_header(p + off, n - off, &size);
        if (header && size > BUFFER_BYTES - 16) {
            fleet__conn_lost(c, "the server sent a frame of more than 1 MiB");
            break;
        }
        if (!header || size > n - off - header)
            break;
        on_opcode(c, p + off, header, (size_t)size, now);
        off += header + (size_t)size;
    }
    return off;
}

/* Length of the 101 answer, 0 while it is incomplete. */
static size_t read_upgrade(struct conn *c, const char *p, size_t n)
{
    const char *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t len = (size_t)(end + 4 - p);
    const char *line_end = memchr(p, '\r', len);
    if (len < 12 || memcmp(p, "HTTP/1.1 101", 12))
        die("the server refused the upgrade: %.*s", (int)(line_end - p), p);
    if (!memmem(p, len, c->fleet->accept, strlen(c->fleet->accept)))
        die("the server answered a wrong Sec-WebSocket-Accept");
    if (c->fleet->opts.is_protobuf && !memmem(p, len, "centrifuge-protobuf", 19))
        die("the server did not echo the subprotocol centrifuge-protobuf");
    fleet__send_hello(c);
    return len;
}

static void on_connected(struct conn *c)
{
    int error = 0;
    socklen_t len = sizeof(error);
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        fleet__conn_lost(c, strerror(error));
        return;
    }
    poller_change(c->fleet->poller, c->fd, &c->src, EPOLLIN);
    fleet__send_upgrade(c);
}

static void keep_rest(struct conn *c, const char *rest, size_t n)
{
    free(c->carry);
    c->carry = NULL;
    if (n) {
        c->carry = xcalloc(1, n);
        memcpy(c->carry, rest, n);
    }
    c->carry_len = (uint32_t)n;
}

void fleet__conn_ready(struct source *s, uint32_t events)
{
    struct conn *c = (struct conn *)s;
    struct fleet *f = c->fleet;
    (void)events;
    if (c->state == CONN_CLOSED)
        return; /* closed by an earlier event of the same batch */
    if (c->state == CONN_TCP) {
        on_connected(c);
        return;
    }
    size_t have = c->carry_len, used = 0;
    if (have)
        memcpy(f->buffer, c->carry, have);
    ssize_t got = recv(c->fd, f->buffer + have, BUFFER_BYTES - have, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            fleet__conn_lost(c, got ? strerror(errno) : "the server closed without a close frame");
        return;
    }
    f->count.reads++;
    size_t n = have + (size_t)got;
    if (c->state == CONN_UPGRADE)
        used = read_upgrade(c, f->buffer, n);
    if (c->state != CONN_UPGRADE && c->state != CONN_CLOSED)
        used += read_frames(c, f->buffer + used, n - used, now_ns());
    if (c->state != CONN_CLOSED && (used < n || have))
        keep_rest(c, f->buffer + used, n - used);
}
