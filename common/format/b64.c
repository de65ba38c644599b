/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 in the standard and the URL-safe alphabet. */
#include "common/format/b64.h"

#include "common/base/err.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int digit(char c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == alphabet[62] ? 62 : c == alphabet[63] ? 63 : -1;
}

struct reader {
    const char *alphabet;
    char *bytes;
    size_t n;
    uint32_t bits;
    unsigned have; /* of bits */
};

static int take(struct reader *r, char c)
{
    int d = digit(c, r->alphabet);
    if (d < 0) {
        return ERR_SYNTAX;
    }
    r->bits = r->bits << 6 | (uint32_t)d;
    r->have += 6;
    if (r->have >= 8) {
        r->have -= 8;
        r->bytes[r->n++] = (char)(r->bits >> r->have & 0xff);
    }
    return 0;
}

int b64_decode(struct span text, struct arena *a, struct span *out)
{
    struct reader r = {.alphabet = standard, .bytes = arena_alloc(a, text.n / 4 * 3 + 3)};
    size_t digits = 0;
    size_t padding = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\r' || c == '\n') {
            continue;
        }
        if (c == '=') {
            padding++;
        } else if (padding != 0 || take(&r, c) != 0) {
            return ERR_SYNTAX;
        } else {
            digits++;
        }
    }
    if ((digits + padding) % 4 != 0 || padding > 2) {
        return ERR_SYNTAX;
    }
    *out = span_of(r.bytes, r.n);
    return 0;
}

/* Bits left over at the end have to be zero, so that each value has one spelling. */
int b64url_decode(struct span text, struct arena *a, struct span *out)
{
    struct reader r = {.alphabet = url_safe, .bytes = arena_alloc(a, text.n / 4 * 3 + 3)};
    if (text.n % 4 == 1) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < text.n; i++) {
        if (take(&r, text.p[i]) != 0) {
            return ERR_SYNTAX;
        }
    }
    if ((r.bits & ((1U << r.have) - 1)) != 0) {
        return ERR_SYNTAX;
    }
    *out = span_of(r.bytes, r.n);
    return 0;
}

static void encode(struct buf *b, struct span bytes, const char *alphabet, bool pad)
{
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++) {
            v = v << 8 | (k < n ? (unsigned char)bytes.p[i + k] : 0U);
        }
        char text[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63], alphabet[v >> 6 & 63],
                        alphabet[v & 63]};
        buf_add(b, text, n + 1);
        for (size_t k = n; pad && k < 3; k++) {
            buf_add_char(b, '=');
        }
    }
}

void b64_encode(struct buf *b, struct span bytes)
{
    encode(b, bytes, standard, true);
}

void b64url_encode(struct buf *b, struct span bytes)
{
    encode(b, bytes, url_safe, false);
}
