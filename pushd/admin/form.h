/* SPDX-License-Identifier: Apache-2.0 */
/* One field out of the body of an HTML form. */
#pragma once

#include "common/base/str.h"

/* Finds the first field of that name in a body of type application/x-www-form-urlencoded or
 * multipart/form-data (RFC 7578) and appends its decoded value to `out`, whatever bytes it has. The
 * library's own parser is not used: its multipart part crashed on crafted input (CVE-2023-27371).
 * 0, ERR_TYPE for another content type, ERR_SYNTAX, ERR_MISSING. */
int admin_form_field(struct span content_type, struct span body, const char *name, struct buf *out);
