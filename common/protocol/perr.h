/* SPDX-License-Identifier: Apache-2.0 */
/* What clients and applications are told when something fails: errors, disconnects, unsubscribes,
 * one row each. */
#pragma once

#include "common/base/str.h"

/* Outcome of a command. 0 is success; the number of a row is the code that goes over the wire
 * (client protocol, section 12). 100 to 1999 answer one command, 2000 to 2999 end one subscription,
 * 3000 to 4999 close the connection. */
enum perr {
    PERR_OK = 0,
    PERR_INTERNAL = 100,
    PERR_UNAUTHORIZED = 101,
    PERR_UNKNOWN_CHANNEL = 102,
    PERR_PERMISSION_DENIED = 103,
    PERR_METHOD_NOT_FOUND = 104,
    PERR_ALREADY_SUBSCRIBED = 105,
    PERR_LIMIT_EXCEEDED = 106,
    PERR_BAD_REQUEST = 107,
    PERR_NOT_AVAILABLE = 108,
    PERR_TOKEN_EXPIRED = 109,
    PERR_EXPIRED = 110,
    PERR_TOO_MANY_REQUESTS = 111,
    PERR_UNRECOVERABLE_POSITION = 112,
    PERR_CONCURRENT_PAGINATION = 113,
    PERR_UNSUBSCRIBE_SERVER = 2000,
    PERR_UNSUBSCRIBE_INSUFFICIENT = 2500,
    PERR_UNSUBSCRIBE_EXPIRED = 2501,
    PERR_CLOSE_CONNECTION = 3000,
    PERR_CLOSE_SHUTDOWN = 3001,
    PERR_CLOSE_INTERNAL = 3004,
    PERR_CLOSE_EXPIRED = 3005,
    PERR_CLOSE_SUBSCRIPTION_EXPIRED = 3006,
    PERR_CLOSE_SLOW = 3008,
    PERR_CLOSE_WRITE = 3009,
    PERR_CLOSE_INSUFFICIENT = 3010,
    PERR_CLOSE_FORCE_RECONNECT = 3011,
    PERR_CLOSE_NO_PONG = 3012,
    PERR_CLOSE_TOO_MANY_REQUESTS = 3013,
    PERR_CLOSE_STATE_INVALIDATED = 3014,
    PERR_CLOSE_INVALID_TOKEN = 3500,
    PERR_CLOSE_BAD_REQUEST = 3501,
    PERR_CLOSE_STALE = 3502,
    PERR_CLOSE_FORCE = 3503,
    PERR_CLOSE_CONNECTION_LIMIT = 3504,
    PERR_CLOSE_CHANNEL_LIMIT = 3505,
    PERR_CLOSE_INAPPROPRIATE_PROTOCOL = 3506,
    PERR_CLOSE_PERMISSION_DENIED = 3507,
    PERR_CLOSE_NOT_AVAILABLE = 3508,
    PERR_CLOSE_TOO_MANY_ERRORS = 3509,
};

struct perr_row {
    uint32_t code;
    const char *text; /* the protocol's words, constant */
    bool temporary;   /* errors only: the client may try again */
};

/* The row of a code, or NULL for a code that is not ours (custom codes of applications). */
const struct perr_row *perr_row(uint32_t code);

static inline bool perr_is_error(uint32_t code)
{
    return code >= 100 && code < 2000;
}

static inline bool perr_is_disconnect(uint32_t code)
{
    return code >= 3000;
}

/* A refusal with its explanation: `reason` is a stable identifier for log and metrics
 * ("token.signature"), `detail` a sentence for the person who debugs, or NULL; constant, or valid
 * until the refusal has been sent. Handlers return one; nobody else writes errors to
 * the wire. */
struct perr_result {
    uint32_t code; /* enum perr, or a custom code */
    const char *reason;
    const char *detail;
};

/* "bad request: detail", cut on a UTF-8 boundary to fit in max bytes (123 for the reason of a close
 * frame, RFC 6455 5.5.1). */
void perr_explain(const struct perr_result *r, size_t max, struct buf *out);
