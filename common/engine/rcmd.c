/* SPDX-License-Identifier: Apache-2.0 */
/* A Redis command as the bytes that go to Redis. */
#include "common/engine/rcmd.h"

static void add_head(struct buf *b, char type, size_t n)
{
    buf_add_char(b, type);
    buf_add_u64(b, n);
    buf_add(b, "\r\n", 2);
}

void rcmd_begin(struct buf *b, size_t argc)
{
    add_head(b, '*', argc);
}

void rcmd_arg(struct buf *b, struct span s)
{
    rcmd_arg_parts(b, &s, 1);
}

void rcmd_arg_str(struct buf *b, const char *s)
{
    rcmd_arg(b, span_str(s));
}

void rcmd_arg_i64(struct buf *b, int64_t v)
{
    char text[24];
    struct buf digits = {.p = text, .cap = sizeof(text), .max = sizeof(text)};
    buf_add_i64(&digits, v);
    rcmd_arg(b, buf_span(&digits));
}

void rcmd_arg_parts(struct buf *b, const struct span *parts, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += parts[i].n;
    }
    add_head(b, '$', total);
    for (size_t i = 0; i < n; i++) {
        buf_add_span(b, parts[i]);
    }
    buf_add(b, "\r\n", 2);
}
