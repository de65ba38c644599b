/* SPDX-License-Identifier: Apache-2.0 */
/* The Protobuf wire format. */
#include "common/format/pbwire.h"

#include "common/base/err.h"

int pb_read_varint(struct pb_reader *r, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (r->p == r->end) {
            return ERR_SYNTAX;
        }
        unsigned char c = (unsigned char)*r->p++;
        if (shift == 63 && c > 1) {
            return ERR_SYNTAX;
        }
        v |= (uint64_t)(c & 0x7f) << shift;
        if ((c & 0x80) == 0) {
            *out = v;
            return 0;
        }
    }
    return ERR_SYNTAX;
}

static int read_fixed(struct pb_reader *r, size_t n, uint64_t *out)
{
    if ((size_t)(r->end - r->p) < n) {
        return ERR_SYNTAX;
    }
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        *out |= (uint64_t)(unsigned char)r->p[i] << (8 * i);
    }
    r->p += n;
    return 0;
}

int pb_read_field(struct pb_reader *r, struct pb_field *out)
{
    if (r->p == r->end) {
        return 0;
    }
    uint64_t tag;
    if (pb_read_varint(r, &tag) != 0 || tag >> 3 == 0 || tag >> 3 > 0x1fffffff) {
        return ERR_SYNTAX;
    }
    *out = (struct pb_field){.number = (uint32_t)(tag >> 3), .wire = (enum pb_wire)(tag & 7)};
    int rc = ERR_SYNTAX;
    if (out->wire == PB_VARINT) {
        rc = pb_read_varint(r, &out->value);
    } else if (out->wire == PB_FIXED64) {
        rc = read_fixed(r, 8, &out->value);
    } else if (out->wire == PB_FIXED32) {
        rc = read_fixed(r, 4, &out->value);
    } else if (out->wire == PB_BYTES) {
        uint64_t n;
        rc = pb_read_varint(r, &n);
        if (rc == 0 && n > (uint64_t)(r->end - r->p)) {
            rc = ERR_SYNTAX;
        }
        if (rc == 0) {
            out->bytes = span_of(r->p, (size_t)n);
            r->p += n;
        }
    }
    return rc == 0 ? 1 : rc;
}

void pb_add_varint(struct buf *b, uint64_t v)
{
    char bytes[10];
    size_t n = 0;
    while (v >= 0x80) {
        bytes[n++] = (char)(v | 0x80);
        v >>= 7;
    }
    bytes[n++] = (char)v;
    buf_add(b, bytes, n);
}

void pb_add_tag(struct buf *b, uint32_t number, enum pb_wire wire)
{
    pb_add_varint(b, (uint64_t)number << 3 | wire);
}

void pb_add_bytes(struct buf *b, uint32_t number, struct span s)
{
    pb_add_tag(b, number, PB_BYTES);
    pb_add_varint(b, s.n);
    buf_add_span(b, s);
}

void pb_add_double(struct buf *b, uint32_t number, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    pb_add_tag(b, number, PB_FIXED64);
    for (int i = 0; i < 8; i++) {
        buf_add_char(b, (char)(bits >> (8 * i) & 0xff));
    }
}

size_t pb_open(struct buf *b, uint32_t number)
{
    pb_add_tag(b, number, PB_BYTES);
    buf_add_char(b, 0); /* most messages are shorter than 128 bytes */
    return b->n;
}

void pb_close(struct buf *b, size_t mark)
{
    if (b->failed) {
        return;
    }
    size_t len = b->n - mark;
    size_t extra = 0;
    for (size_t v = len; v >= 0x80; v >>= 7) {
        extra++;
    }
    if (extra != 0) {
        if (buf_reserve(b, extra) == NULL) {
            return;
        }
        memmove(b->p + mark + extra, b->p + mark, len);
        b->n += extra;
    }
    char *at = b->p + mark - 1;
    size_t v = len;
    for (size_t i = 0; i < extra; i++) {
        *at++ = (char)(v | 0x80);
        v >>= 7;
    }
    *at = (char)v;
}
