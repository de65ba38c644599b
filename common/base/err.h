/* SPDX-License-Identifier: Apache-2.0 */
/* Error codes that functions return, and an error with a text for people. */
#pragma once

#include "common/base/base.h"

/* Functions return 0 or one of these. They never reach a client: perr.h has what clients see. */
enum err_code {
    ERR_OK = 0,
    ERR_SYNTAX = -1,   /* bytes that do not follow their grammar */
    ERR_TYPE = -2,     /* well formed, but of another type than expected */
    ERR_LIMIT = -3,    /* larger than allowed */
    ERR_RANGE = -4,    /* a value outside its range */
    ERR_MISSING = -5,  /* something required is absent */
    ERR_UNKNOWN = -6,  /* a name that nobody knows */
    ERR_DENIED = -7,   /* not permitted */
    ERR_EXPIRED = -8,  /* was valid once, or is not valid yet */
    ERR_INVALID = -9,  /* a check failed: signature, checksum, consistency */
    ERR_IO = -10,      /* the system or a peer failed */
    ERR_TIMEOUT = -11, /* no answer in time */
    ERR_CLOSED = -12,  /* the peer is gone */
    ERR_CANCELED = -13,
    ERR_UNAVAILABLE = -14, /* a service that we need is down; trying later may help */
    ERR_CONFLICT = -15,
    ERR_UNRECOVERABLE = -16, /* a stream position that history no longer has */
    ERR_INTERNAL = -17,
};

/* An error that a person reads. The text says what happened, with which value, and what to do. */
struct err {
    int code;
    char text[512];
};

/* Stores code and text into `e` (which may be NULL) and returns code. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "prefix: " before the text that `e` (may be NULL) already has. Returns e's code. */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A short constant English text for a code. */
const char *err_text(int code);
