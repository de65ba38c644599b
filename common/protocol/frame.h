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

/* Header of an unmasked, final frame of `len` bytes (RFC 6455 5.2): opcode 1 for JSON, 2 for
 * Protobuf, FRAME_DEFLATED added when the bytes are compressed (RFC 7692 7.2.1). Returns its
 * length.
 */
#define FRAME_HEADER_MAX 10
#define FRAME_DEFLATED   0x40U
size_t frame_ws_header(unsigned opcode, size_t len, char out[FRAME_HEADER_MAX]);
/* Length of the header that such a frame begins with. */
static inline size_t frame_ws_header_len(const char *frame)
{
    return frame[1] == 127 ? 10 : frame[1] == 126 ? 4 : 2;
}
