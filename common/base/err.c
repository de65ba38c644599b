/* SPDX-License-Identifier: Apache-2.0 */
/* Error texts. */
#include "common/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (e == NULL) {
        return code;
    }
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    e->code = code;
    return code;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
    if (e == NULL) {
        return ERR_INTERNAL;
    }
    char old[sizeof(e->text)];
    memcpy(old, e->text, sizeof(old));
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(e->text) ||
        snprintf(e->text + n, sizeof(e->text) - (size_t)n, ": %s", old) < 0) {
        return e->code; /* cut: the prefix alone filled the text */
    }
    return e->code;
}

static const char *const texts[] = {
    [-ERR_OK] = "success",
    [-ERR_SYNTAX] = "malformed",
    [-ERR_TYPE] = "wrong type",
    [-ERR_LIMIT] = "too large",
    [-ERR_RANGE] = "out of range",
    [-ERR_MISSING] = "missing",
    [-ERR_UNKNOWN] = "unknown",
    [-ERR_DENIED] = "denied",
    [-ERR_EXPIRED] = "expired",
    [-ERR_INVALID] = "invalid",
    [-ERR_IO] = "input/output error",
    [-ERR_TIMEOUT] = "timed out",
    [-ERR_CLOSED] = "connection closed",
    [-ERR_CANCELED] = "canceled",
    [-ERR_UNAVAILABLE] = "unavailable",
    [-ERR_CONFLICT] = "conflict",
    [-ERR_UNRECOVERABLE] = "unrecoverable position",
    [-ERR_INTERNAL] = "internal error",
};

const char *err_text(int code)
{
    if (code > 0 || (size_t)-code >= ARRAY_LEN(texts)) {
        return "unknown error";
    }
    return texts[-code];
}
