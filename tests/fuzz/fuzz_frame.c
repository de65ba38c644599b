/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: splitting a frame takes every byte once and ends. */
#include "common/base/err.h"
#include "common/format/pbwire.h"
#include "common/protocol/frame.h"

#include "tests/fuzz/fuzz_util.h"

/* Puts the commands together again; the only byte that may be lost is one newline at the end. */
static void check_whole(enum proto_encoding enc, struct span frame, struct span joined)
{
    if (enc == ENC_PROTOBUF) {
        struct span rest = joined;
        struct span command;
        while (frame_next(enc, &rest, &command) == 1) {
        }
        fuzz_require(rest.n == 0, "joined Protobuf commands split again");
        return;
    }
    struct span without =
        frame.n != 0 && frame.p[frame.n - 1] == '\n' ? span_of(frame.p, frame.n - 1) : frame;
    fuzz_require(span_eq(without, joined), "joined JSON commands are the frame");
}

/* The first byte chooses the encoding. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    enum proto_encoding enc = data[0] % ENC_COUNT == 0 ? ENC_JSON : ENC_PROTOBUF;
    struct span frame = span_of(data + 1, size - 1);
    struct span rest = frame;
    struct span command;
    struct buf joined = {0};
    int rc;
    while ((rc = frame_next(enc, &rest, &command)) == 1) {
        fuzz_require(command.p >= frame.p && command.p + command.n <= frame.p + frame.n,
                     "a command lies in its frame");
        fuzz_require(rest.n < frame.n, "each command takes something");
        if (enc == ENC_PROTOBUF) {
            pb_add_varint(&joined, command.n);
        } else if (joined.n != 0) {
            buf_add_char(&joined, '\n');
        }
        buf_add_span(&joined, command);
    }
    fuzz_require(rc == 0 || rc == ERR_SYNTAX, "failures have their code");
    if (rc == 0) {
        check_whole(enc, frame, buf_span(&joined));
    }
    buf_free(&joined);
    return 0;
}
