/* SPDX-License-Identifier: Apache-2.0 */
/* A WebSocket client that waits. */
#include "pushctl/ws_client.h"

#include <openssl/sha.h>

#include <stdlib.h>
#include <unistd.h>

#include "common/base/clk.h"
#include "common/base/mem.h"
#include "common/base/rnd.h"
#include "common/format/b64.h"

#define SEND_TIMEOUT_MS 10000

enum {
    OP_CONTINUE = 0,
    OP_TEXT = 1,
    OP_BINARY = 2,
    OP_CLOSE = 8,
    OP_PING = 9,
    OP_PONG = 10
};

struct ws_client {
    int fd;
    struct buf in;   /* received and not yet taken */
    size_t in_taken; /* bytes of `in` that the last frame used */
    struct buf message;
    int message_op; /* of the fragments in `message`; OP_CONTINUE: none */
    struct buf out;
};

static void make_accept(struct span key, struct buf *out)
{
    struct buf b = {0};
    unsigned char digest[SHA_DIGEST_LENGTH];
    buf_add_span(&b, key);
    buf_add_str(&b, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"); /* RFC 6455, 1.3 */
    SHA1((const unsigned char *)b.p, b.n, digest);
    b64_encode(out, span_of(digest, sizeof(digest)));
    buf_free(&b);
}

static int ask(int fd, const struct net_url *u, const char *origin, struct span key,
               int64_t deadline_ms, struct err *e)
{
    struct buf b = {0};
    buf_addf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
             u->path, *u->unix_path != '\0' ? "localhost" : u->display);
    buf_addf(&b, "Sec-WebSocket-Key: %.*s\r\nSec-WebSocket-Version: 13\r\nUser-Agent: pushctl\r\n",
             SPAN_FMT(key));
    if (origin != NULL) {
        buf_addf(&b, "Origin: %s\r\n", origin);
    }
    buf_add_str(&b, "\r\n");
    int rc = net_send(fd, buf_span(&b), deadline_ms, e);
    buf_free(&b);
    return rc;
}

/* Whatever the server says after a refusal is of use to a person, as far as it comes at once. */
static void read_refusal(int fd, int64_t deadline_ms, struct http_answer *a)
{
    uint64_t want = 0;
    struct span length = http_header(a, "Content-Length");
    if (length.p == NULL || span_to_u64(length, &want) != 0 || want > 4096) {
        want = 0;
    }
    while (a->raw.n - a->head_bytes < want &&
           net_receive(fd, &a->raw, deadline_ms, NULL, NULL) == 0) {
    }
    buf_add(&a->body, a->raw.p + a->head_bytes, a->raw.n - a->head_bytes);
}

static int check_answer(const struct http_answer *a, struct span key, struct err *e)
{
    struct buf accept = {0};
    make_accept(key, &accept);
    bool is_right = span_eq(http_header(a, "Sec-WebSocket-Accept"), buf_span(&accept));
    buf_free(&accept);
    if (a->status != 101) {
        return err_set(e, ERR_DENIED, "the server answered the WebSocket handshake with status %d",
                       a->status);
    }
    return is_right ? 0
                    : err_set(e, ERR_INVALID,
                              "the answer to the handshake has a wrong Sec-WebSocket-Accept: a "
                              "cache in between?");
}

static int handshake(struct ws_client *c, const struct net_url *u, const char *origin,
                     int64_t deadline_ms, struct http_answer *refusal, struct err *e)
{
    unsigned char random[16];
    struct buf key = {0};
    struct http_answer answer = {0};
    rnd_bytes(random, sizeof(random));
    b64_encode(&key, span_of(random, sizeof(random)));
    int rc = ask(c->fd, u, origin, buf_span(&key), deadline_ms, e);
    if (rc == 0) {
        rc = http_read_head(c->fd, deadline_ms, &answer, e);
    }
    if (rc == 0) {
        rc = check_answer(&answer, buf_span(&key), e);
        if (rc == ERR_DENIED) {
            read_refusal(c->fd, deadline_ms, &answer);
        }
    }
    if (rc == 0) {
        buf_add(&c->in, answer.raw.p + answer.head_bytes, answer.raw.n - answer.head_bytes);
    }
    if (rc == ERR_DENIED && refusal != NULL) {
        *refusal = answer;
    } else {
        http_answer_fini(&answer);
    }
    buf_free(&key);
    return rc;
}

struct ws_client *ws_client_open(const struct net_url *u, const char *origin, int64_t timeout_ms,
                                 struct http_answer *refusal, struct err *e)
{
    int64_t deadline = clk_mono_ms() + timeout_ms;
    struct ws_client *c = mem_zalloc(sizeof(*c));
    c->in.max = WS_MAX_MESSAGE_BYTES + (1 << 20);
    c->message.max = WS_MAX_MESSAGE_BYTES;
    if (net_connect(u, deadline, &c->fd, e) != 0) {
        free(c);
        return NULL;
    }
    if (handshake(c, u, origin, deadline, refusal, e) != 0) {
        ws_client_free(c);
        return NULL;
    }
    return c;
}

void ws_client_free(struct ws_client *c)
{
    if (c != NULL) {
        close(c->fd);
        buf_free(&c->in);
        buf_free(&c->message);
        buf_free(&c->out);
        free(c);
    }
}

/* Frames of a client are masked (RFC 6455, 5.3). */
static int send_frame(struct ws_client *c, int op, struct span payload, struct err *e)
{
    unsigned char head[14] = {(unsigned char)(0x80 | op)};
    size_t n = 2;
    if (payload.n < 126) {
        head[1] = (unsigned char)(0x80 | payload.n);
    } else {
        size_t bytes = payload.n < 65536 ? 2 : 8;
        head[1] = (unsigned char)(0x80 | (bytes == 2 ? 126 : 127));
        for (size_t i = 0; i < bytes; i++) {
            head[n++] = (unsigned char)((uint64_t)payload.n >> 8 * (bytes - 1 - i));
        }
    }
    unsigned char *mask = head + n;
    rnd_bytes(mask, 4);
    buf_clear(&c->out);
    buf_add(&c->out, head, n + 4);
    for (size_t i = 0; i < payload.n; i++) {
        buf_add_char(&c->out, (char)((unsigned char)payload.p[i] ^ mask[i % 4]));
    }
    return net_send(c->fd, buf_span(&c->out), clk_mono_ms() + SEND_TIMEOUT_MS, e);
}

int ws_client_send_text(struct ws_client *c, struct span text, struct err *e)
{
    return send_frame(c, OP_TEXT, text, e);
}

int ws_client_send_pong(struct ws_client *c, struct span payload, struct err *e)
{
    return send_frame(c, OP_PONG, payload, e);
}

int ws_client_send_close(struct ws_client *c, uint32_t code, struct err *e)
{
    const char bytes[2] = {(char)(code >> 8), (char)code};
    return send_frame(c, OP_CLOSE, span_of(bytes, 2), e);
}

struct raw_frame {
    int op;
    bool is_last;
    struct span payload;
};

/* Takes a frame from what has arrived. ERR_MISSING when it is not complete yet. */
static int take_frame(struct ws_client *c, struct raw_frame *f, struct err *e)
{
    struct span s = buf_span(&c->in);
    if (s.n < 2) {
        return ERR_MISSING;
    }
    unsigned char first = (unsigned char)s.p[0];
    unsigned char second = (unsigned char)s.p[1];
    size_t head = 2;
    uint64_t n = second & 0x7f;
    size_t length_bytes = n == 126 ? 2 : n == 127 ? 8 : 0;
    if ((first & 0x70) != 0 || (second & 0x80) != 0) {
        return err_set(e, ERR_SYNTAX, "the server sent a frame with %s",
                       (second & 0x80) != 0 ? "a mask" : "reserved bits");
    }
    if (s.n < head + length_bytes) {
        return ERR_MISSING;
    }
    if (length_bytes != 0) {
        n = 0;
    }
    for (size_t i = 0; i < length_bytes; i++) {
        n = n << 8 | (unsigned char)s.p[head + i];
    }
    head += length_bytes;
    f->op = first & 0x0f;
    f->is_last = (first & 0x80) != 0;
    if (n > WS_MAX_MESSAGE_BYTES || (f->op >= OP_CLOSE && (n > 125 || !f->is_last))) {
        return err_set(e, ERR_SYNTAX, "the server sent a frame of %llu bytes, which is too long",
                       (unsigned long long)n);
    }
    if (s.n < head + n) {
        return ERR_MISSING;
    }
    f->payload = span_of(s.p + head, (size_t)n);
    c->in_taken = head + (size_t)n;
    return 0;
}

static int take_control(const struct raw_frame *f, struct ws_frame *out, struct err *e)
{
    out->payload = f->payload;
    if (f->op == OP_PING || f->op == OP_PONG) {
        out->kind = f->op == OP_PING ? WS_PING : WS_PONG;
        return 0;
    }
    if (f->op != OP_CLOSE || f->payload.n == 1) {
        return err_set(e, ERR_SYNTAX, "the server sent a frame of unknown kind %d", f->op);
    }
    out->kind = WS_CLOSE;
    out->code = 1005;
    if (f->payload.n >= 2) {
        out->code = (uint32_t)(unsigned char)f->payload.p[0] << 8 | (unsigned char)f->payload.p[1];
        out->payload = span_from(f->payload, 2);
    }
    return 0;
}

/* ERR_MISSING when more fragments are to come. */
static int take_data(struct ws_client *c, const struct raw_frame *f, struct ws_frame *out,
                     struct err *e)
{
    bool is_continued = f->op == OP_CONTINUE;
    if (is_continued != (c->message_op != OP_CONTINUE) || f->op > OP_BINARY) {
        return err_set(e, ERR_SYNTAX, "the server sent fragments in disorder");
    }
    if (!is_continued) {
        buf_clear(&c->message);
        c->message_op = f->op;
    }
    buf_add_span(&c->message, f->payload);
    if (c->message.failed) {
        return err_set(e, ERR_LIMIT, "the server sent a message longer than %d bytes",
                       WS_MAX_MESSAGE_BYTES);
    }
    if (!f->is_last) {
        return ERR_MISSING;
    }
    out->kind = c->message_op == OP_TEXT ? WS_TEXT : WS_BINARY;
    out->payload = buf_span(&c->message);
    c->message_op = OP_CONTINUE;
    return 0;
}

int ws_client_receive(struct ws_client *c, int64_t deadline_ms, const sigset_t *mask,
                      struct ws_frame *out, struct err *e)
{
    *out = (struct ws_frame){0};
    for (;;) {
        if (c->in_taken != 0) {
            c->in.n -= c->in_taken;
            memmove(c->in.p, c->in.p + c->in_taken, c->in.n);
            c->in_taken = 0;
        }
        struct raw_frame f = {0};
        int rc = take_frame(c, &f, e);
        if (rc == 0) {
            rc = f.op >= OP_CLOSE ? take_control(&f, out, e) : take_data(c, &f, out, e);
            if (rc == ERR_MISSING) {
                continue;
            }
            return rc;
        }
        if (rc != ERR_MISSING) {
            return rc;
        }
        rc = net_receive(c->fd, &c->in, deadline_ms, mask, e);
        if (rc != 0) {
            return rc;
        }
    }
}
