/* SPDX-License-Identifier: Apache-2.0 */
/* Message compression of permessage-deflate. */
#include "common/format/deflate.h"

#include <stdlib.h>
#include <zlib.h>

#include "common/base/err.h"
#include "common/base/mem.h"

#define WINDOW_BITS  (-15) /* a bare stream, the largest window */
#define MEM_LEVEL    8
#define HUFFMAN_ONLY (-2) /* a level in Centrifugo's configuration */
#define CHUNK_BYTES  4096

/* The end of a message that the sender leaves away and the receiver puts back. */
static const char tail[4] = {0, 0, '\xff', '\xff'};

struct deflate {
    int level;
    size_t min_bytes;
    bool can_compress;
    bool can_expand;
    z_stream out;
    z_stream in;
};

struct deflate *deflate_new(int level, size_t min_bytes)
{
    struct deflate *d = mem_zalloc(sizeof(*d));
    d->level = level;
    d->min_bytes = min_bytes;
    return d;
}

bool deflate_pays(const struct deflate *d, size_t n)
{
    return d != NULL && n > d->min_bytes;
}

void deflate_free(struct deflate *d)
{
    if (d == NULL) {
        return;
    }
    if (d->can_compress) {
        deflateEnd(&d->out);
    }
    if (d->can_expand) {
        inflateEnd(&d->in);
    }
    free(d);
}

/* zlib reads through a pointer that is not const. */
static Bytef *bytes_of(struct span s)
{
    return (Bytef *)(uintptr_t)s.p;
}

void deflate_compress(struct deflate *d, struct span in, struct buf *out)
{
    if (!d->can_compress) {
        bool codes_only = d->level == HUFFMAN_ONLY;
        if (deflateInit2(&d->out, codes_only ? 1 : d->level, Z_DEFLATED, WINDOW_BITS, MEM_LEVEL,
                         codes_only ? Z_HUFFMAN_ONLY : Z_DEFAULT_STRATEGY) != Z_OK) {
            abort(); /* out of memory, as everywhere */
        }
        d->can_compress = true;
    } else {
        deflateReset(&d->out);
    }
    z_stream *z = &d->out;
    z->next_in = bytes_of(in);
    z->avail_in = (uInt)in.n;
    do {
        buf_reserve(out, CHUNK_BYTES);
        size_t room = out->cap - out->n;
        z->next_out = (Bytef *)out->p + out->n;
        z->avail_out = (uInt)room;
        deflate(z, Z_SYNC_FLUSH);
        out->n += room - z->avail_out;
    } while (z->avail_out == 0);
    out->n -= sizeof(tail);
}

static int expand_part(z_stream *z, struct span part, size_t end, struct buf *out)
{
    z->next_in = bytes_of(part);
    z->avail_in = (uInt)part.n;
    do {
        buf_reserve(out, CHUNK_BYTES);
        size_t room = out->cap - out->n;
        /* One byte more than allowed shows that it is too much. */
        room = room < end + 1 - out->n ? room : end + 1 - out->n;
        z->next_out = (Bytef *)out->p + out->n;
        z->avail_out = (uInt)room;
        int rc = inflate(z, Z_SYNC_FLUSH);
        out->n += room - z->avail_out;
        if (out->n > end) {
            return ERR_LIMIT;
        }
        if (rc == Z_STREAM_END) {
            /* A last block before the end of the message: another stream may follow it (7.2.3.5),
             * which inflate does not begin by itself. */
            inflateReset(z);
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            return ERR_SYNTAX;
        }
    } while (z->avail_in != 0 || z->avail_out == 0);
    return 0;
}

int deflate_expand(struct deflate *d, struct span in, size_t max, struct buf *out)
{
    if (!d->can_expand) {
        if (inflateInit2(&d->in, WINDOW_BITS) != Z_OK) {
            abort();
        }
        d->can_expand = true;
    } else {
        inflateReset(&d->in);
    }
    size_t end = out->n + max;
    int rc = expand_part(&d->in, in, end, out);
    return rc != 0 ? rc : expand_part(&d->in, span_of(tail, sizeof(tail)), end, out);
}

/* ---- the offer ---- */

static bool is_window_bits(struct span value)
{
    uint64_t bits;
    if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"') {
        value = span_of(value.p + 1, value.n - 2);
    }
    return value.n != 0 && value.p[0] != '0' && span_to_u64(value, &bits) == 0 && bits >= 8 &&
           bits <= 15;
}

/* The parameters of an offer, all of which have to be understood. */
static bool can_take(struct span params)
{
    static const char *const names[] = {"server_no_context_takeover", "client_no_context_takeover",
                                        "client_max_window_bits"};
    bool seen[ARRAY_LEN(names)] = {false};
    struct span param;
    while (params.n != 0 && span_split(&params, ';', &param)) {
        size_t equals = span_find(param, '=', 0);
        struct span name = span_trim(span_of(param.p, equals));
        struct span value = span_trim(span_from(param, equals + 1));
        bool has_value = equals < param.n;
        size_t i = 0;
        while (i < ARRAY_LEN(names) && !span_eq_nocase(name, span_str(names[i]))) {
            i++;
        }
        if (i == ARRAY_LEN(names) || seen[i]) {
            return false;
        }
        if (has_value && (i != 2 || !is_window_bits(value))) {
            return false;
        }
        seen[i] = true;
    }
    return true;
}

bool deflate_is_offered(struct span extensions)
{
    struct span offer;
    while (extensions.n != 0 && span_split(&extensions, ',', &offer)) {
        size_t end = span_find(offer, ';', 0);
        if (span_eq_nocase(span_trim(span_of(offer.p, end)), SPAN("permessage-deflate")) &&
            can_take(span_from(offer, end + 1))) {
            return true;
        }
    }
    return false;
}
