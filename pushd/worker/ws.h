/* SPDX-License-Identifier: Apache-2.0 */
/* The transport: sockets carried by libwebsockets. The only file that knows that library. */
#pragma once

#include "pushd/worker/conn.h"

/* One context a worker, on the worker's libev loop. NULL and e when it cannot be created. */
struct ws *ws_new(struct worker *w, struct err *e);
/* After the loop has ended and all connections are gone. */
void ws_free(struct ws *s);

/* Hands the socket of c over. False when libwebsockets refuses; the descriptor is closed then and c
 * is not freed. */
bool ws_adopt(struct ws *s, struct conn *c);

/* Whether our own send() may write now: nothing of an earlier write is buffered, and the transport
 * is alive. */
bool ws_can_send(const struct conn *c);
/* Asks for conn_writable as soon as the socket takes bytes. */
void ws_request_writable(struct conn *c);
/* Writes through libwebsockets, which keeps what the socket does not take. 0, or ERR_CLOSED. */
int ws_write(struct conn *c, const char *p, size_t n);

/* Whether bytes from the peer are wanted. Off, they wait in the socket, and the peer's end is
 * noticed only when it is on again. */
void ws_read_on(struct conn *c, bool on);

/* Marks for dropping at the end of the loop turn, when nothing of the connection is on the stack.
 */
void ws_doom(struct conn *c);
/* Drops what is marked; conn_gone is called for each. */
void ws_reap(struct worker *w);

/* Version text of the library that is running. */
const char *ws_library_version(void);
