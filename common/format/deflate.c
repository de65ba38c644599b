/* SPDX-License-Identifier: Apache-2.0 */
/* Compression of single messages, with zlib. */
#include "common/format/deflate.h"

#include <stdlib.h>
#include <zlib.h>

#include "common/base/err.h"
#include "common/base/mem.h"

/* Negative: raw DEFLATE, without a header or checksum of zlib. The largest window there is, because
 * no window is negotiated. */
#define WINDOW_BITS (-15)
#define MEM_LEVEL   8
/* What zlib may produce at a time; a small message costs no more than this. */
#define CHUNK_BYTES 4096

static const char tail[] = {0x00, 0x00, (char)0xff, (char)0xff};

struct deflater {
    z_stream z;
};

struct inflater {
    z_stream z;
};

/* zlib fails here only without memory or with arguments that are a mistake of ours. */
static void must(int rc)
{
    if (rc != Z_OK) {
        abort();
    }
}

static void set_input(z_stream *z, struct span in)
{
    /* zlib only reads; its prototype lacks the const. */
    union {
        const char *in;
        unsigned char *out;
    } u = {.in = in.p};
    z->next_in = u.out;
    z->avail_in = (uInt)in.n;
}

struct deflater *deflater_new(int level)
{
    struct deflater *d = mem_zalloc(sizeof(*d));
    bool is_huffman = level == DEFLATE_HUFFMAN_ONLY;
    must(deflateInit2(&d->z, is_huffman ? Z_DEFAULT_COMPRESSION : level, Z_DEFLATED, WINDOW_BITS,
                      MEM_LEVEL, is_huffman ? Z_HUFFMAN_ONLY : Z_DEFAULT_STRATEGY));
    return d;
}

void deflater_free(struct deflater *d)
{
    if (d != NULL) {
        deflateEnd(&d->z);
        free(d);
    }
}

void deflater_run(struct deflater *d, struct span in, struct buf *out)
{
    must(deflateReset(&d->z));
    set_input(&d->z, in);
    int rc;
    do {
        d->z.next_out = (unsigned char *)buf_reserve(out, CHUNK_BYTES);
        d->z.avail_out = CHUNK_BYTES;
        rc = deflate(&d->z, Z_SYNC_FLUSH);
        must(rc == Z_BUF_ERROR ? Z_OK : rc); /* nothing was left: the last chunk fitted exactly */
        out->n += CHUNK_BYTES - d->z.avail_out;
    } while (d->z.avail_out == 0);
    out->n -= sizeof(tail);
}

struct inflater *inflater_new(void)
{
    struct inflater *i = mem_zalloc(sizeof(*i));
    must(inflateInit2(&i->z, WINDOW_BITS));
    return i;
}

void inflater_free(struct inflater *i)
{
    if (i != NULL) {
        inflateEnd(&i->z);
        free(i);
    }
}

/* Takes all of `in`. What a peer ended with a final block goes on with the next one (RFC 7692
 * 7.2.3.4). */
static int take(struct inflater *i, struct span in, size_t end, struct buf *out)
{
    z_stream *z = &i->z;
    set_input(z, in);
    for (;;) {
        size_t room = end - out->n < CHUNK_BYTES ? end - out->n : CHUNK_BYTES;
        z->next_out = (unsigned char *)buf_reserve(out, room);
        z->avail_out = (uInt)room;
        int rc = inflate(z, Z_SYNC_FLUSH);
        bool is_full = z->avail_out == 0;
        out->n += room - z->avail_out;
        if (out->n == end) {
            return ERR_LIMIT;
        }
        if (rc == Z_STREAM_END) {
            must(inflateReset(z));
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            return ERR_SYNTAX;
        }
        if (z->avail_in == 0 && !is_full) {
            return 0;
        }
    }
}

int inflater_run(struct inflater *i, struct span in, size_t max, struct buf *out)
{
    /* One byte more than allowed tells that the message is too long. */
    size_t end = out->n + max + 1;
    must(inflateReset(&i->z));
    int rc = take(i, in, end, out);
    if (rc != 0 || i->z.total_in == 0) {
        return rc; /* total_in: the last block was a final one, nothing is open */
    }
    rc = take(i, span_of(tail, sizeof(tail)), end, out);
    /* 128 alone: zlib stands between two blocks, with no bits left over. */
    bool is_open = i->z.total_in != 0 && i->z.data_type != 128;
    return rc == 0 && is_open ? ERR_SYNTAX : rc;
}
