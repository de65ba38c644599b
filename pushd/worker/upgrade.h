/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP request that opens a WebSocket (RFC 6455 section 4), as functions over bytes; and the
 * one for init.handler_prefix, which only wants to know that somebody is there.
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
    uint16_t status;    /* 101, 200 for init, or the HTTP status of the refusal */
    const char *detail; /* why it is refused, for log and answer; NULL with 101 and 200 */
    enum proto_encoding encoding;
    struct span subprotocol; /* to echo; n == 0: none */
    struct span key;
    bool has_deflate;           /* permessage-deflate was offered and is answered */
    bool has_ping_frames;       /* cf_ws_frame_ping_pong=true */
    struct span origin;         /* p == NULL: no header */
    bool is_init;               /* asks for init.handler_prefix */
    bool is_shared;             /* ... from a page of another origin, which may read the answer */
    struct span wanted_headers; /* Access-Control-Request-Headers */
    struct span forwarded_for;
    struct span user; /* value of client.user_id_http_header; n == 0: none */
    struct span user_agent;
    size_t head_bytes; /* length of the head; what follows is WebSocket data */
};

/* 0 while the head is incomplete, 1 when *out is filled (accepted or refused). Spans are borrowed
 * from `in`. */
int upgrade_read(const struct conf *c, struct span in, struct upgrade *out);

/* The complete answer: 101 with its headers, or all else with a body and "Connection: close". A
 * caller with a reason of its own to refuse changes status and detail before. */
void upgrade_answer(const struct upgrade *u, struct buf *out);
