/* SPDX-License-Identifier: Apache-2.0 */
/* The application data of the bench and the envelopes around it. */
#include "tests/bench/payload.h"

#include "tests/bench/util.h"

#include <string.h>
#include <time.h>

#define HEAD   "{\"bench\":\""
#define AT     "\",\"at\":\""
#define PAD    "\",\"pad\":\""
#define TAIL   "\"}"
#define LEN(s) (sizeof(s) - 1)

enum {
    SEQ_PLACE = LEN(HEAD),
    AT_PLACE = SEQ_PLACE + 16 + LEN(AT),
    PAD_PLACE = AT_PLACE + 16 + LEN(PAD),
};
_Static_assert(PAD_PLACE + LEN(TAIL) == PAYLOAD_MIN, "the smallest payload has no padding");

void payload_put(char *out, size_t size, uint64_t seq, uint64_t at_ns)
{
    memset(out, 'x', size);
    memcpy(out, HEAD, LEN(HEAD));
    memcpy(out + AT_PLACE - LEN(AT), AT, LEN(AT));
    memcpy(out + PAD_PLACE - LEN(PAD), PAD, LEN(PAD));
    memcpy(out + size - LEN(TAIL), TAIL, LEN(TAIL));
    payload_patch(out, seq, at_ns);
}

void payload_patch(char *p, uint64_t seq, uint64_t at_ns)
{
    hex16_put(p + SEQ_PLACE, seq);
    hex16_put(p + AT_PLACE, at_ns);
}

bool payload_get(const char *p, size_t n, uint64_t *seq, uint64_t *at_ns)
{
    return n >= PAYLOAD_MIN && !memcmp(p, HEAD, LEN(HEAD)) && hex16_get(p + SEQ_PLACE, seq) &&
           hex16_get(p + AT_PLACE, at_ns);
}

const char *payload_find(const char *message, size_t n, size_t hint)
{
    if (hint && hint + PAYLOAD_MIN <= n && !memcmp(message + hint, HEAD, LEN(HEAD)))
        return message + hint;
    return memmem(message, n, HEAD, LEN(HEAD));
}

size_t payload_publication_put(uint8_t *out, const char *data, size_t size, bool has_tag)
{
    static const char tag[] = "\x3a\x0d\x0a\x04kind\x12\x05"
                              "bench";
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    size_t n = 0;
    out[n++] = 4 << 3 | 2;
    n += varint_put(out + n, size);
    memcpy(out + n, data, size);
    n += size;
    if (has_tag) {
        memcpy(out + n, tag, LEN(tag));
        n += LEN(tag);
    }
    out[n++] = 9 << 3;
    n += varint_put(out + n, (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / NS_PER_MS);
    return n;
}

static size_t header_put(uint8_t *out, uint8_t opcode, size_t size, uint8_t mask_bit)
{
    size_t n = 0;
    out[n++] = 0x80 | opcode;
    if (size < 126) {
        out[n++] = (uint8_t)(mask_bit | size);
        return n;
    }
    int bytes = size < 65536 ? 2 : 8;
    out[n++] = mask_bit | (bytes == 2 ? 126 : 127);
    for (int i = bytes - 1; i >= 0; i--)
        out[n++] = (uint8_t)((uint64_t)size >> (8 * i));
    return n;
}

size_t ws_header_put(uint8_t *out, uint8_t opcode, size_t size)
{
    return header_put(out, opcode, size, 0);
}

size_t ws_masked_put(uint8_t *out, uint8_t opcode, const void *data, size_t size)
{
    /* One mask for all: the servers do not care, and the client has to be cheap. */
    static const uint8_t mask[4] = {0x5a, 0xc3, 0x17, 0x8e};
    const uint8_t *in = data;
    size_t n = header_put(out, opcode, size, 0x80);
    memcpy(out + n, mask, sizeof(mask));
    n += sizeof(mask);
    for (size_t i = 0; i < size; i++)
        out[n + i] = in[i] ^ mask[i % 4];
    return n + size;
}
