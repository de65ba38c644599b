/* SPDX-License-Identifier: Apache-2.0 */
/* A strict JSON scanner (RFC 8259): validates text and finds the bytes of values, without building
 * a tree.
 *
 * Application data crosses the system as the bytes its sender wrote, so numbers, escapes and
 * duplicate members survive. */
#pragma once

#include "common/base/arena.h"

/* Deeper than what writers of JSON make by default: PHP stops at 512, Python near 1000. */
#define JSCAN_MAX_DEPTH 1024

enum jscan_kind {
    JSCAN_NULL,
    JSCAN_BOOL,
    JSCAN_NUMBER,
    JSCAN_STRING,
    JSCAN_OBJECT,
    JSCAN_ARRAY
};

struct jscan {
    const char *p;
    const char *end;
};

static inline struct jscan jscan_of(struct span text)
{
    return (struct jscan){.p = text.p, .end = text.p + text.n};
}

/* Skips white space; true when nothing is left. */
bool jscan_at_end(struct jscan *s);

/* Takes one value (after white space) and gives its bytes and kind; the position moves behind it.
 * Strings must hold no raw control characters; bytes above 0x7f are not checked here (jscan_string
 * replaces what is not UTF-8). ERR_SYNTAX, or ERR_LIMIT when nested deeper than JSCAN_MAX_DEPTH. */
int jscan_value(struct jscan *s, struct span *value, enum jscan_kind *kind);

/* Whether text is exactly one JSON value with white space around it, and all of it UTF-8. */
bool jscan_is_valid(struct span text);

/* Iterates over a value that jscan_value gave (it is known to be well formed). jscan_enter goes
 * behind the opening bracket. jscan_member and jscan_element return false at the end. A key is
 * given as in the text, between its quotes. */
struct jscan jscan_enter(struct span container);
bool jscan_member(struct jscan *s, struct span *raw_key, struct span *value, enum jscan_kind *kind);
bool jscan_element(struct jscan *s, struct span *value, enum jscan_kind *kind);

/* Decodes the text between the quotes of a string: escapes resolved; lone surrogates and bytes that
 * are not UTF-8 become U+FFFD, as in the reference. Without any of these the result is `raw`
 * itself, else it lives in the arena. */
struct span jscan_string(struct span raw, struct arena *a);

/* The raw text between the quotes of a string value. */
static inline struct span jscan_unquote(struct span value)
{
    return span_of(value.p + 1, value.n - 2);
}
