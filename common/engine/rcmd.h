/* SPDX-License-Identifier: Apache-2.0 */
/* A Redis command as the bytes that go to Redis (RESP2 array of bulk strings). */
#pragma once

#include "common/base/str.h"

/* Commands may follow one another in the buffer. The caller promises argc arguments. */
void rcmd_begin(struct buf *b, size_t argc);
void rcmd_arg(struct buf *b, struct span s);
void rcmd_arg_str(struct buf *b, const char *s);
void rcmd_arg_i64(struct buf *b, int64_t v);
/* An argument made of several parts, such as a key. */
void rcmd_arg_parts(struct buf *b, const struct span *parts, size_t n);
