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

/* `text` without padding. Bits left over at the end have to be zero, so that each value has one
 * spelling. */
static int decode(struct span text, const char *alphabet, struct arena *a, struct span *out)
{
    if (text.n % 4 == 1) {
        return ERR_SYNTAX;
    }
    char *bytes = arena_alloc(a, text.n / 4 * 3 + 3);
    size_t n = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < text.n; i++) {
        int d = digit(text.p[i], alphabet);
        if (d < 0) {
            return ERR_SYNTAX;
        }
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have >= 8) {
            have -= 8;
            bytes[n++] = (char)(bits >> have & 0xff);
        }
    }
    if ((bits & ((1U << have) - 1)) != 0) {
        return ERR_SYNTAX;
    }
    *out = span_of(bytes, n);
    return 0;
}

int b64_decode(struct span text, struct arena *a, struct span *out)
{
    if (text.n % 4 != 0) {
        return ERR_SYNTAX;
    }
    for (int i = 0; i < 2 && text.n != 0 && text.p[text.n - 1] == '='; i++) {
        text.n--;
    }
    return decode(text, standard, a, out);
}

int b64url_decode(struct span text, struct arena *a, struct span *out)
{
    return decode(text, url_safe, a, out);
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
