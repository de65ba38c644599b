/* SPDX-License-Identifier: Apache-2.0 */
/* A WebSocket client that waits (RFC 6455): text and binary messages, control frames, no
 * extensions. */
#pragma once

#include "pushctl/http.h"

#define WS_MAX_MESSAGE_BYTES (64 << 20)

enum ws_kind {
    WS_TEXT,
    WS_BINARY,
    WS_PING,
    WS_PONG,
    WS_CLOSE
};

struct ws_frame {
    enum ws_kind kind;
    struct span payload; /* of the whole message; WS_CLOSE: the reason; valid until the next call */
    uint32_t code;       /* WS_CLOSE: 1005 when the frame had none */
};

struct ws_client;

/* Connects and upgrades. `origin` may be NULL. On failure NULL and e; *refusal, if it is not NULL,
 * then has what the server answered instead (status 0: nothing). The caller finishes *refusal. */
struct ws_client *ws_client_open(const struct net_url *u, const char *origin, int64_t timeout_ms,
                                 struct http_answer *refusal, struct err *e);
/* Closes the socket without a word; ws_client_send_close goes before where that is wanted. NULL is
 * allowed. */
void ws_client_free(struct ws_client *c);

int ws_client_send_text(struct ws_client *c, struct span text, struct err *e);
int ws_client_send_pong(struct ws_client *c, struct span payload, struct err *e);
int ws_client_send_close(struct ws_client *c, uint32_t code, struct err *e);

/* Waits for a message or control frame. Fragments are joined. Pings are not answered here. 0, or as
 * net_receive, or ERR_SYNTAX when the server breaks the protocol. `mask` as there. */
int ws_client_receive(struct ws_client *c, int64_t deadline_ms, const sigset_t *mask,
                      struct ws_frame *out, struct err *e);
