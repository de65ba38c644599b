/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 in the standard and the URL-safe alphabet (RFC 4648). */
#pragma once

#include "common/base/arena.h"

/* Standard alphabet with padding. Line ends anywhere and bits left over at the end are ignored:
 * there are writers of both, and the reference reads them. ERR_SYNTAX. The result lives in the
 * arena. */
int b64_decode(struct span text, struct arena *a, struct span *out);
/* URL-safe alphabet without padding, as in JWT; one spelling for each value. */
int b64url_decode(struct span text, struct arena *a, struct span *out);
void b64_encode(struct buf *b, struct span bytes);
void b64url_encode(struct buf *b, struct span bytes);
