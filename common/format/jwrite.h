/* SPDX-License-Identifier: Apache-2.0 */
/* Appending JSON text to a buffer. */
#pragma once

#include "common/base/str.h"

/* Writes a quoted string. < > & and U+2028/2029 become \u escapes as the reference writes them;
 * bytes that are not UTF-8 become U+FFFD. */
void jwrite_string(struct buf *b, struct span s);

/* Copies a JSON value without its raw newlines, so that it can stand in a line-delimited message (a
 * raw newline in valid JSON is white space only). */
void jwrite_raw(struct buf *b, struct span json);

/* Copies a JSON value without insignificant white space; text inside strings stays, but < > &
 * U+2028 U+2029 become escapes there. For answers of the server API, which the reference compacts
 * so. */
void jwrite_compact(struct buf *b, struct span json);
