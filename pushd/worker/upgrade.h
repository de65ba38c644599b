/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP request that opens a WebSocket (RFC 6455 section 4), as functions over bytes.
 *
 * Done here so that each refusal has a proper HTTP answer: libwebsockets hangs up without one for
 * an unknown subprotocol, a missing key or long headers, honours "Upgrade: h2c", and reads freed
 * memory for unknown Upgrade values on kept-alive connections. */
#pragma once

#include "common/base/str.h"
#include "common/policy/conf.h"
#include "common/protocol/frame.h"

#define UPGRADE_MAX_HEAD_BYTES 16384
#define UPGRADE_ACCEPT_LEN     28

struct upgrade {
    uint16_t status;    /* 101, 200 at init.handler_prefix, or the HTTP status of the refusal */
    const char *detail; /* why it is refused, for log and answer; NULL with 101 */
    struct span path;   /* n == 0: there was no request line */
    enum proto_encoding encoding;
    bool has_deflate;        /* permessage-deflate is taken */
    bool has_ping_frames;    /* asks for ping frames of WebSocket (client protocol 1.6) */
    struct span subprotocol; /* to echo; n == 0: none */
    struct span key;
    struct span origin; /* p == NULL: no header */
    struct span forwarded_for;
    struct span user; /* value of client.user_id_http_header; n == 0: none */
    struct span user_agent;
    bool may_cors;            /* 200: a page of this origin may read the answer */
    struct span cors_headers; /* what it asks to send */
    size_t head_bytes;        /* length of the head; what follows is WebSocket data */
};

/* 0 while the head is incomplete, 1 when *out is filled (accepted or refused). Spans are borrowed
 * from `in`. */
int upgrade_read(const struct conf *c, struct span in, struct upgrade *out);

/* The complete answer: 101 with its headers, 200 with {}, or the refusal with a text body; all but
 * 101 with "Connection: close". */
void upgrade_answer(const struct upgrade *u, struct buf *out);
/* A refusal outside of upgrade_read, such as 503. `detail` may be NULL. */
void upgrade_refuse(uint16_t status, const char *detail, struct buf *out);
