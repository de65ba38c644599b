/* SPDX-License-Identifier: Apache-2.0 */
/* Several protocol messages in one WebSocket message, and the WebSocket header of what a server
 * sends. */
#pragma once

#include "common/base/str.h"

enum proto_encoding {
    ENC_JSON = 0,
    ENC_PROTOBUF = 1,
    ENC_COUNT = 2
};

/* Takes the next command from a client's message: JSON commands are separated by one newline,
 * Protobuf ones preceded by their length as a varint. 1 with *command, 0 at the end (one trailing
 * newline is no command), ERR_SYNTAX. Source: client protocol 1.3. */
int frame_next(enum proto_encoding enc, struct span *rest, struct span *command);

/* Opcodes of WebSocket frames (RFC 6455 11.8). */
enum {
    WS_OP_CONTINUATION = 0,
    WS_OP_TEXT = 1,
    WS_OP_BINARY = 2,
    WS_OP_CLOSE = 8,
    WS_OP_PING = 9,
    WS_OP_PONG = 10
};

/* Of the messages of an encoding. */
static inline unsigned frame_opcode(enum proto_encoding enc)
{
    return enc == ENC_JSON ? WS_OP_TEXT : WS_OP_BINARY;
}

/* Header of an unmasked, final frame of `len` bytes (RFC 6455 5.2) for an opcode, with
 * FRAME_COMPRESSED for a compressed message. Returns its length. */
#define FRAME_COMPRESSED 0x40 /* RSV1 of RFC 7692 */
#define FRAME_HEADER_MAX 10
size_t frame_ws_header(unsigned opcode, size_t len, char out[FRAME_HEADER_MAX]);
