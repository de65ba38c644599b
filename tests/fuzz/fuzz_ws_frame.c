/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames from clients: the events must not depend on how the bytes are cut. */
#include <stdint.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "pushd/worker/ws_frame.h"

#define MAX_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t feed(const uint8_t *data, size_t size, size_t step, bool takes_deflate)
{
    struct ws_reader r = {.takes_deflate = takes_deflate};
    uint64_t sum = 0;
    char *copy = malloc(size + 1);
    if (size != 0) {
        memcpy(copy, data, size);
    }
    bool over = false;
    for (size_t at = 0; at < size && !over; at += step) {
        char *p = copy + at;
        size_t n = size - at < step ? size - at : step;
        for (;;) {
            struct ws_event e = ws_reader_next(&r, &p, &n, MAX_BYTES);
            if (e.kind == WS_NONE) {
                break;
            }
            sum =
                sum * 31 + (uint64_t)e.kind * 7 + e.code + e.is_deflated + hash_fnv1a64(e.payload);
            if (e.kind == WS_ERROR || e.kind == WS_CLOSE) {
                over = true;
                break;
            }
        }
    }
    ws_reader_fini(&r);
    free(copy);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int takes_deflate = 0; takes_deflate < 2; takes_deflate++) {
        uint64_t whole = feed(data, size, size + 1, takes_deflate);
        if (feed(data, size, 1, takes_deflate) != whole ||
            feed(data, size, 7, takes_deflate) != whole) {
            abort();
        }
    }
    return 0;
}
