/* SPDX-License-Identifier: Apache-2.0 */
/* Message compression of permessage-deflate (RFC 7692) without context takeover: every message is
 * compressed and expanded on its own, so that nothing is kept for a connection. */
#pragma once

#include "common/base/str.h"

/* One stream for compressing and one for expanding, each made when it is first needed (about 300
 * and 40 KiB). For one thread. */
struct deflate;

/* level: 1 fastest to 9 smallest, 0 none, -1 zlib's default, -2 Huffman coding only. Messages of
 * min_bytes or fewer are not worth it. (websocket.compression_level, compression_min_size.) */
struct deflate *deflate_new(int level, size_t min_bytes);
/* Accepts NULL. */
void deflate_free(struct deflate *d);
/* Whether a message of n bytes is to be compressed. False for NULL. */
bool deflate_pays(const struct deflate *d, size_t n);

/* Appends the payload of a compressed message (RFC 7692 7.2.1). */
void deflate_compress(struct deflate *d, struct span in, struct buf *out);

/* Appends what a compressed payload stands for (7.2.2). ERR_SYNTAX: it is no deflate data.
 * ERR_LIMIT: it is more than max bytes; no more than that is ever produced. */
int deflate_expand(struct deflate *d, struct span in, size_t max, struct buf *out);

/* Whether a Sec-WebSocket-Extensions header offers permessage-deflate in a way that can be taken
 * with the two no_context_takeover parameters alone (RFC 7692 7.1): an offer that limits the
 * server's window, or says anything else that is not known, counts as none. */
bool deflate_is_offered(struct span extensions);
