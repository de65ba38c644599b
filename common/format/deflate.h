/* SPDX-License-Identifier: Apache-2.0 */
/* Compression of single messages, as permessage-deflate without context takeover wants it.
 *
 * Each message is a raw DEFLATE stream of its own, ended by a sync flush whose four bytes 00 00 ff
 * ff are left out (RFC 7692 7.2.1 and 7.2.2). Nothing is remembered from one message to the next: a
 * deflater and an inflater are memory to work in, so one of each serves all connections of a
 * thread. */
#pragma once

#include "common/base/str.h"

struct deflater;
struct inflater;

/* Level -1 to 9 as zlib has them, or DEFLATE_HUFFMAN_ONLY. About 260 KiB. */
#define DEFLATE_HUFFMAN_ONLY (-2)
struct deflater *deflater_new(int level);
/* Accepts NULL. */
void deflater_free(struct deflater *d);
/* Appends the compressed message. */
void deflater_run(struct deflater *d, struct span in, struct buf *out);

/* About 40 KiB. */
struct inflater *inflater_new(void);
/* Accepts NULL. */
void inflater_free(struct inflater *i);
/* Appends the message. ERR_LIMIT when it is longer than max bytes, noticed after max + 1 of them;
 * ERR_SYNTAX for data that are no complete DEFLATE blocks. After an error *out has a part of it. */
int inflater_run(struct inflater *i, struct span in, size_t max, struct buf *out);
