/* SPDX-License-Identifier: Apache-2.0 */
/* Several protocol messages in one WebSocket message. */
#include "common/protocol/frame.h"

#include "common/base/err.h"
#include "common/format/pbwire.h"

static int next_delimited(struct span *rest, struct span *command)
{
    struct pb_reader r = pb_reader_of(*rest);
    uint64_t n;
    if (pb_read_varint(&r, &n) != 0 || n > (uint64_t)(r.end - r.p)) {
        return ERR_SYNTAX;
    }
    *command = span_of(r.p, (size_t)n);
    *rest = span_of(r.p + n, (size_t)(r.end - r.p) - (size_t)n);
    return 1;
}

int frame_next(enum proto_encoding enc, struct span *rest, struct span *command)
{
    if (rest->n == 0) {
        return 0;
    }
    if (enc == ENC_PROTOBUF) {
        return next_delimited(rest, command);
    }
    size_t at = span_find(*rest, '\n', 0);
    *command = span_of(rest->p, at);
    *rest = span_from(*rest, at + 1);
    return span_trim(*command).n != 0 ? 1 : ERR_SYNTAX;
}

size_t frame_ws_header(unsigned opcode, size_t len, char out[FRAME_HEADER_MAX])
{
    out[0] = (char)(0x80 | opcode);
    if (len < 126) {
        out[1] = (char)len;
        return 2;
    }
    size_t bytes = len <= UINT16_MAX ? 2 : 8;
    out[1] = bytes == 2 ? 126 : 127;
    for (size_t i = 0; i < bytes; i++) {
        out[2 + i] = (char)(len >> (8 * (bytes - 1 - i)) & 0xff);
    }
    return 2 + bytes;
}
