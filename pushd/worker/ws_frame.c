/* SPDX-License-Identifier: Apache-2.0 */
/* The receiving side of WebSocket framing. */
#include "pushd/worker/ws_frame.h"

#define CLOSE_PROTOCOL_ERROR 1002
#define CLOSE_NO_STATUS      1005

void ws_reader_fini(struct ws_reader *r)
{
    buf_free(&r->message);
}

bool ws_close_code_is_valid(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

size_t ws_close_body(uint16_t code, struct span reason, char out[WS_CLOSE_MAX])
{
    size_t n = reason.n < WS_CLOSE_MAX - 2 ? reason.n : WS_CLOSE_MAX - 2;
    while (n != 0 && n < reason.n && ((unsigned char)reason.p[n] & 0xc0) == 0x80) {
        n--; /* half a character would make the frame invalid for the peer */
    }
    out[0] = (char)(code >> 8);
    out[1] = (char)(code & 0xff);
    if (n != 0) {
        memcpy(out + 2, reason.p, n);
    }
    return 2 + n;
}

static struct ws_event fail(uint16_t code, const char *detail)
{
    return (struct ws_event){.kind = WS_ERROR, .code = code, .detail = detail};
}

static bool is_control(uint8_t opcode)
{
    return (opcode & 8) != 0;
}

/* How long the header is, as far as its first bytes tell. */
static size_t header_size(const struct ws_reader *r)
{
    if (r->header_have < 2) {
        return 2;
    }
    unsigned len = r->header[1] & 0x7f;
    return 2 + (len == 126 ? 2 : len == 127 ? 8 : 0) + ((r->header[1] & 0x80) != 0 ? 4 : 0);
}

/* Checks what the first two bytes tell. */
static const char *header_fault(const struct ws_reader *r)
{
    unsigned opcode = r->header[0] & 0x0f;
    bool final = (r->header[0] & 0x80) != 0;
    bool begins = opcode == WS_OP_TEXT || opcode == WS_OP_BINARY;
    if ((r->header[0] & (r->has_deflate && begins ? 0x30 : 0x70)) != 0) {
        return "a reserved bit is set";
    }
    if ((r->header[1] & 0x80) == 0) {
        return "a client frame must be masked";
    }
    if (is_control((uint8_t)opcode)) {
        if (opcode > WS_OP_PONG) {
            return "unknown opcode";
        }
        if (!final || (r->header[1] & 0x7f) > WS_MAX_CONTROL_BYTES) {
            return "a control frame must be short and not fragmented";
        }
        return NULL;
    }
    if (opcode > WS_OP_BINARY) {
        return "unknown opcode";
    }
    if (opcode == WS_OP_CONTINUATION && r->message_opcode == 0) {
        return "a continuation without a beginning";
    }
    if (opcode != WS_OP_CONTINUATION && r->message_opcode != 0) {
        return "a new message inside a fragmented one";
    }
    return NULL;
}

/* The header is complete: sets up the payload. */
static struct ws_event begin_frame(struct ws_reader *r, size_t max_bytes)
{
    const unsigned char *h = r->header;
    size_t at = 2;
    uint64_t len = h[1] & 0x7f;
    if (len >= 126) {
        size_t bytes = len == 126 ? 2 : 8;
        for (len = 0; at < 2 + bytes; at++) {
            len = len << 8 | h[at];
        }
    }
    if (len >> 63 != 0) {
        return fail(CLOSE_PROTOCOL_ERROR, "a length of more than 63 bits");
    }
    memcpy(r->mask, h + at, sizeof(r->mask));
    r->mask_at = 0;
    r->left = len;
    r->opcode = h[0] & 0x0f;
    r->is_final = (h[0] & 0x80) != 0;
    r->in_payload = true;
    r->header_have = 0;
    r->control_have = 0;
    if (is_control(r->opcode)) {
        return (struct ws_event){.kind = WS_NONE};
    }
    if (r->opcode != WS_OP_CONTINUATION) {
        r->message_opcode = r->opcode;
        r->is_deflated = (h[0] & 0x40) != 0;
    }
    if (len > max_bytes || r->message.n + len > max_bytes) {
        return fail(WS_CLOSE_TOO_BIG, NULL);
    }
    return (struct ws_event){.kind = WS_NONE};
}

static void unmask(struct ws_reader *r, char *p, size_t n)
{
    uint8_t m[8];
    for (size_t i = 0; i < 8; i++) {
        m[i] = r->mask[(r->mask_at + i) & 3];
    }
    uint64_t wide;
    memcpy(&wide, m, 8);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t v;
        memcpy(&v, p + i, 8);
        v ^= wide;
        memcpy(p + i, &v, 8);
    }
    for (; i < n; i++) {
        p[i] = (char)(p[i] ^ (char)m[i & 7]);
    }
    r->mask_at = (uint8_t)((r->mask_at + n) & 3);
}

static struct ws_event end_control(struct ws_reader *r)
{
    struct ws_event e = {.payload = span_of(r->control, r->control_have)};
    if (r->opcode == WS_OP_PING) {
        e.kind = WS_PING;
    } else if (r->opcode == WS_OP_PONG) {
        e.kind = WS_PONG;
    } else if (r->control_have == 1) {
        return fail(CLOSE_PROTOCOL_ERROR, "a close frame with half a code");
    } else {
        e.kind = WS_CLOSE;
        e.code = CLOSE_NO_STATUS;
        if (r->control_have >= 2) {
            e.code = (uint16_t)((unsigned char)r->control[0] << 8 | (unsigned char)r->control[1]);
            if (!ws_close_code_is_valid(e.code)) {
                return fail(CLOSE_PROTOCOL_ERROR, "an invalid close code");
            }
            if (!span_is_utf8(span_from(e.payload, 2))) {
                return fail(CLOSE_PROTOCOL_ERROR, "a close reason that is not UTF-8");
            }
        }
    }
    return e;
}

/* All payload of a data frame is there; `part` is what was not stored yet. */
static struct ws_event end_data(struct ws_reader *r, struct span part)
{
    if (r->message.n == 0 && r->is_final) {
        r->message_opcode = 0;
        return (struct ws_event){
            .kind = WS_MESSAGE, .payload = part, .is_deflated = r->is_deflated};
    }
    buf_add_span(&r->message, part);
    if (!r->is_final) {
        return (struct ws_event){.kind = WS_NONE};
    }
    r->message_opcode = 0;
    return (struct ws_event){
        .kind = WS_MESSAGE, .payload = buf_span(&r->message), .is_deflated = r->is_deflated};
}

static struct ws_event take_payload(struct ws_reader *r, char **in, size_t *n)
{
    size_t take = *n < r->left ? *n : (size_t)r->left;
    char *p = *in;
    unmask(r, p, take);
    *in += take;
    *n -= take;
    r->left -= take;
    if (is_control(r->opcode)) {
        memcpy(r->control + r->control_have, p, take);
        r->control_have = (uint8_t)(r->control_have + take);
    } else if (r->left != 0) {
        buf_add(&r->message, p, take);
    }
    if (r->left != 0) {
        return (struct ws_event){.kind = WS_NONE};
    }
    r->in_payload = false;
    return is_control(r->opcode) ? end_control(r) : end_data(r, span_of(p, take));
}

struct ws_event ws_reader_next(struct ws_reader *r, char **in, size_t *n, size_t max_bytes)
{
    if (r->message_opcode == 0 && r->message.cap != 0) {
        buf_free(&r->message); /* the message that the last call handed out */
    }
    for (;;) {
        if (!r->in_payload) {
            while (*n != 0 && r->header_have < header_size(r)) {
                r->header[r->header_have++] = (unsigned char)*(*in)++;
                (*n)--;
            }
            if (r->header_have < header_size(r) || r->header_have < 2) {
                const char *early = r->header_have >= 2 ? header_fault(r) : NULL;
                return early != NULL ? fail(CLOSE_PROTOCOL_ERROR, early)
                                     : (struct ws_event){.kind = WS_NONE};
            }
            const char *fault = header_fault(r);
            if (fault != NULL) {
                return fail(CLOSE_PROTOCOL_ERROR, fault);
            }
            struct ws_event e = begin_frame(r, max_bytes);
            if (e.kind != WS_NONE) {
                return e;
            }
        }
        if (*n == 0 && r->left != 0) {
            return (struct ws_event){.kind = WS_NONE};
        }
        struct ws_event e = take_payload(r, in, n);
        if (e.kind != WS_NONE || *n == 0) {
            return e;
        }
    }
}
