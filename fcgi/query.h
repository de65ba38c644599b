/* SPDX-License-Identifier: Apache-2.0 */
/* Query strings (application/x-www-form-urlencoded) and cookies. */
#pragma once

#include "common/format/schema.h"

/* Resolves %XX, and '+' as a space where is_form; malformed escapes stay as they are. Returns s
 * itself when nothing changes, else the text lives in the arena. */
struct span query_unescape(struct span s, bool is_form, struct arena *a);

/* The next name and value of *rest; false at its end. A parameter without '=' has an empty value.
 */
bool query_next(struct span *rest, struct arena *a, struct span *name, struct span *value);

/* The first parameter of that name; absent when there is none. */
struct span query_get(struct span query, const char *name, struct arena *a);

/* Fills a message from parameters named as its members: strings, numbers and booleans ("true", "1",
 * "false", "0"); members of a sub-message as MESSAGE_MEMBER or MESSAGE.MEMBER. Unknown parameters
 * are ignored. ERR_TYPE. */
int query_decode(const struct schema *s, struct span query, struct arena *a, void *out,
                 struct schema_error *e);

/* The value of the first cookie of that name in a Cookie header, without surrounding quotes; absent
 * when there is none (RFC 6265, 4.2.1). Borrowed from the header. */
struct span cookie_get(struct span header, struct span name);
