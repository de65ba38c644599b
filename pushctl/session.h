/* SPDX-License-Identifier: Apache-2.0 */
/* A conversation in the client protocol that is printed as it happens, with an explanation below
 * what needs one. */
#pragma once

#include "pushctl/ws_client.h"

#define SESSION_MAX_CHANNELS 64

struct session_channel {
    struct span name;
    struct span token; /* n == 0: none */
};

struct session {
    struct ws_client *ws;
    struct span token; /* of the connection; n == 0: none */
    const struct session_channel *channels;
    size_t channel_count;
    /* State, zeroed at the start. */
    size_t publications; /* received */
    int64_t ping_s;
    bool wants_pong;
    bool has_failed; /* a command was refused, or the server closed the connection */
    bool is_over;
};

/* Sends connect. 0 or an error. */
int session_start(struct session *s, struct err *e);

/* Prints a frame of the server, answers it where it wants an answer, and goes on with the next
 * command. 0 or an error. */
int session_take(struct session *s, const struct ws_frame *f, struct err *e);

/* Prints a line that is no frame. */
void session_note(const char *fmt, ...) PRINTF_LIKE(1, 2);
