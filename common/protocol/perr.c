/* SPDX-License-Identifier: Apache-2.0 */
/* What clients and applications are told when something fails. */
#include "common/protocol/perr.h"

static const struct perr_row rows[] = {
    {PERR_INTERNAL, "internal server error", true},
    {PERR_UNAUTHORIZED, "unauthorized", false},
    {PERR_UNKNOWN_CHANNEL, "unknown channel", false},
    {PERR_PERMISSION_DENIED, "permission denied", false},
    {PERR_METHOD_NOT_FOUND, "method not found", false},
    {PERR_ALREADY_SUBSCRIBED, "already subscribed", false},
    {PERR_LIMIT_EXCEEDED, "limit exceeded", false},
    {PERR_BAD_REQUEST, "bad request", false},
    {PERR_NOT_AVAILABLE, "not available", false},
    {PERR_TOKEN_EXPIRED, "token expired", false},
    {PERR_EXPIRED, "expired", false},
    {PERR_TOO_MANY_REQUESTS, "too many requests", true},
    {PERR_UNRECOVERABLE_POSITION, "unrecoverable position", false},
    {PERR_CONCURRENT_PAGINATION, "concurrent pagination", true},
    {PERR_UNSUBSCRIBE_SERVER, "server unsubscribe", false},
    {PERR_UNSUBSCRIBE_INSUFFICIENT, "insufficient state", false},
    {PERR_UNSUBSCRIBE_EXPIRED, "subscription expired", false},
    {PERR_CLOSE_CONNECTION, "connection closed", false},
    {PERR_CLOSE_SHUTDOWN, "shutdown", false},
    {PERR_CLOSE_INTERNAL, "internal server error", false},
    {PERR_CLOSE_EXPIRED, "connection expired", false},
    {PERR_CLOSE_SUBSCRIPTION_EXPIRED, "subscription expired", false},
    {PERR_CLOSE_SLOW, "slow", false},
    {PERR_CLOSE_WRITE, "write error", false},
    {PERR_CLOSE_INSUFFICIENT, "insufficient state", false},
    {PERR_CLOSE_FORCE_RECONNECT, "force reconnect", false},
    {PERR_CLOSE_NO_PONG, "no pong", false},
    {PERR_CLOSE_TOO_MANY_REQUESTS, "too many requests", false},
    {PERR_CLOSE_STATE_INVALIDATED, "state invalidated", false},
    {PERR_CLOSE_INVALID_TOKEN, "invalid token", false},
    {PERR_CLOSE_BAD_REQUEST, "bad request", false},
    {PERR_CLOSE_STALE, "stale", false},
    {PERR_CLOSE_FORCE, "force disconnect", false},
    {PERR_CLOSE_CONNECTION_LIMIT, "connection limit", false},
    {PERR_CLOSE_CHANNEL_LIMIT, "channel limit", false},
    {PERR_CLOSE_INAPPROPRIATE_PROTOCOL, "inappropriate protocol", false},
    {PERR_CLOSE_PERMISSION_DENIED, "permission denied", false},
    {PERR_CLOSE_NOT_AVAILABLE, "not available", false},
    {PERR_CLOSE_TOO_MANY_ERRORS, "too many errors", false},
};

const struct perr_row *perr_row(uint32_t code)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].code == code) {
            return &rows[i];
        }
    }
    return NULL;
}

void perr_explain(const struct perr_result *r, size_t max, struct buf *out)
{
    const struct perr_row *row = perr_row(r->code);
    size_t start = out->n;
    buf_add_str(out, row != NULL ? row->text : "closed");
    if (r->detail != NULL) {
        buf_add_str(out, ": ");
        buf_add_str(out, r->detail);
    }
    if (out->n - start > max) {
        size_t end = start + max;
        while (end > start && ((unsigned char)out->p[end] & 0xc0) == 0x80) {
            end--;
        }
        out->n = end;
    }
}
