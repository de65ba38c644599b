/* SPDX-License-Identifier: Apache-2.0 */
/* The receiving side of WebSocket framing (RFC 6455 section 5), as functions over bytes.
 *
 * libwebsockets 4.1 accepts unmasked client frames, answers only the first of several pings and
 * hides empty pongs; so it carries our bytes, and frames are read here. */
#pragma once

#include "common/protocol/frame.h"

#define WS_MAX_CONTROL_BYTES 125

/* Close codes of the transport. */
#define WS_CLOSE_BAD_DATA 1007
#define WS_CLOSE_TOO_BIG  1009

/* One connection's state between reads. Zero-initialised it is ready; `max_bytes` is the limit of a
 * message, all its fragments together. Free with ws_reader_fini. */
struct ws_reader {
    struct buf
        message;   /* fragments so far, unmasked; allocated only while a message is incomplete */
    uint64_t left; /* payload bytes of the current frame still to come */
    unsigned char header[14];
    uint8_t header_have;
    uint8_t mask[4];
    uint8_t mask_at;
    uint8_t opcode;         /* of the current frame */
    uint8_t message_opcode; /* of the message that the fragments make up; 0: none is open */
    bool has_deflate;       /* permessage-deflate is negotiated: set by the owner */
    bool is_deflated;       /* the message at hand is compressed */
    bool is_final;
    bool in_payload;
    uint8_t control_have;
    char control[WS_MAX_CONTROL_BYTES];
};

enum ws_event_kind {
    WS_NONE,    /* all bytes are taken, nothing is complete */
    WS_MESSAGE, /* a text or binary message */
    WS_PING,
    WS_PONG,
    WS_CLOSE,
    WS_ERROR, /* close with `code`; `detail` says why */
};

struct ws_event {
    enum ws_event_kind kind;
    struct span payload; /* borrowed from the input or the reader, valid until the next call */
    bool is_deflated;    /* WS_MESSAGE: to be expanded (RFC 7692) */
    uint16_t code;       /* WS_CLOSE: the peer's (1005: none given); WS_ERROR: 1002 or 1009 */
    const char *detail;
};

/* Takes bytes from *in (which it unmasks in place and advances) until an event. Call again until
 * WS_NONE. After WS_ERROR or WS_CLOSE nothing more is read. max_bytes limits a message. */
struct ws_event ws_reader_next(struct ws_reader *r, char **in, size_t *n, size_t max_bytes);

void ws_reader_fini(struct ws_reader *r);

/* Whether a frame or message is incomplete: somebody holds it open. */
static inline bool ws_reader_is_midway(const struct ws_reader *r)
{
    return r->header_have != 0 || r->in_payload || r->message_opcode != 0;
}

/* Whether an endpoint may send this close code (RFC 6455 7.4). */
bool ws_close_code_is_valid(unsigned code);

/* Payload of a close frame: the code and as much of the reason as fits, cut between characters.
 * Returns its length. */
#define WS_CLOSE_MAX 125
size_t ws_close_body(uint16_t code, struct span reason, char out[WS_CLOSE_MAX]);
