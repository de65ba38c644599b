/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of UTF-8. */
#include "common/policy/utf8.h"

uint32_t utf8_at(struct span s, size_t at, size_t *n)
{
    unsigned char c = (unsigned char)s.p[at];
    *n = 1;
    if (c < 0x80) {
        return c;
    }
    size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || s.n - at < len || !span_is_utf8(span_of(s.p + at, len))) {
        return UTF8_BAD;
    }
    uint32_t r = c & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        r = r << 6 | ((unsigned char)s.p[at + i] & 0x3fU);
    }
    *n = len;
    return r;
}
