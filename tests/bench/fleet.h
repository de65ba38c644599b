/* SPDX-License-Identifier: Apache-2.0 */
/* N client connections to one server, and the check of what they receive. One thread owns a fleet.
 */
#pragma once

#include "tests/bench/hist.h"
#include "tests/bench/poller.h"
#include "tests/bench/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sec-WebSocket-Key of every connection: the server has to answer it, not to be surprised by it. */
#define FLEET_WS_KEY "cHVzaC1iZW5jaC1rZXktMQ=="

/* Names of the channels; connection i listens to channel i modulo count. */
struct channels {
    unsigned count;
    char **name;
};

/* `{n}` of the template becomes 0 .. count - 1; needed when there is more than one. `space` is the
   namespace, "" for none. */
void channels_make(struct channels *ch, const char *space, const char *name_template,
                   unsigned count);
void channels_free(struct channels *ch);

struct fleet_opts {
    const struct target *target;
    const struct channels *channels;
    const char *token_secret;  /* NULL: connect without a token */
    const char *user_template; /* `{n}` becomes the number of the connection */
    const char *wish;          /* further members of the subscribe request; JSON only */
    size_t payload_bytes;
    bool is_protobuf;
    bool is_delta;          /* payloads cannot be read: publications are told by their offset */
    bool waits_for_connect; /* subscribe after the connect reply, not in the same frame */
};

enum conn_state {
    CONN_CLOSED = 0,
    CONN_TCP,       /* connect() is under way */
    CONN_UPGRADE,   /* waits for 101 */
    CONN_CONNECT,   /* waits for the connect reply */
    CONN_SUBSCRIBE, /* waits for the subscribe reply */
    CONN_OPEN,
};

struct conn {
    struct source src;
    struct fleet *fleet;
    int fd;
    uint32_t index, channel;
    uint32_t carry_len;
    enum conn_state state;
    char *carry; /* an incomplete frame; NULL nearly always */
    uint64_t started_ns;
    uint64_t last_seq; /* highest number seen */
    uint64_t window;   /* bit i: last_seq - i was seen */
};

/* What was received since the fleet was made. */
struct fleet_count {
    uint64_t unique, duplicated, disordered; /* publications; disordered ones are unique, too */
    uint64_t closed;                         /* connections that ended while open */
    uint64_t pings, frames, reads, other;
};

/* What the subscribe replies said. */
struct fleet_stream {
    uint64_t offset; /* of the newest reply that recovered nothing */
    char epoch[64];
    uint64_t recovered; /* replies that continued from the position asked for */
    uint64_t caught_up; /* publications in them */
};

/* One frame as the server sends it, for the floor to send the same bytes. */
struct sample {
    size_t frame_bytes, payload_at;
    uint8_t *frame;
};

/* More than are ever under way. */
#define FLEET_TIMES 4096

struct fleet {
    struct fleet_opts opts;
    struct poller *poller;
    struct conn *conns;
    unsigned size, started, pending, open;
    uint64_t opened_ns;    /* when the last connection became open */
    uint64_t expected;     /* deliveries that the publications so far have to cause */
    uint32_t *subscribers; /* per channel */
    uint64_t *seq;         /* per channel: number of the last publication */
    uint64_t *at_ns;       /* of the last FLEET_TIMES publications, when they were scheduled */
    uint64_t first_offset; /* of publication number 1, 0: not known; with is_delta */
    uint64_t patches;      /* messages that were deltas */
    struct fleet_stream stream;
    struct fleet_count count;
    struct hist latency;
    struct hist connect_latency;
    struct sample sample;
    size_t hint; /* where the payload stands in a message */
    char *buffer;
    uint8_t pong[16];
    size_t pong_bytes;
    char accept[32];
    char close_text[160]; /* why the first connection was closed */
};

void fleet_init(struct fleet *f, struct poller *p, const struct fleet_opts *opts, unsigned size);
/* Opens all connections, at most `window` at a time; ends the program when one of them is refused
   or when `timeout_sec` pass without all of them being open. */
void fleet_open(struct fleet *f, unsigned window, unsigned timeout_sec);
/* Closes all connections and forgets what they received; the fleet may be opened again. */
void fleet_close(struct fleet *f);
void fleet_fini(struct fleet *f);

/* fleet_read.c: the readiness of one connection. */
void fleet__conn_ready(struct source *s, uint32_t events);
/* fleet.c, for fleet_read.c: */
void fleet__send_upgrade(struct conn *c);
void fleet__send_hello(struct conn *c);
void fleet__send_subscribe(struct conn *c);
void fleet__conn_opened(struct conn *c);
void fleet__conn_lost(struct conn *c, const char *why);
