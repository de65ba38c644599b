/* SPDX-License-Identifier: Apache-2.0 */
/* The Protobuf wire format: varints and length-delimited fields. */
#pragma once

#include "common/base/str.h"

enum pb_wire {
    PB_VARINT = 0,
    PB_FIXED64 = 1,
    PB_BYTES = 2,
    PB_FIXED32 = 5
};

struct pb_reader {
    const char *p;
    const char *end;
};

struct pb_field {
    uint32_t number;
    enum pb_wire wire;
    uint64_t value;    /* of a varint or a fixed field */
    struct span bytes; /* of a length-delimited one; borrowed */
};

static inline struct pb_reader pb_reader_of(struct span s)
{
    return (struct pb_reader){.p = s.p, .end = s.p + s.n};
}

/* At most 10 bytes. ERR_SYNTAX. */
int pb_read_varint(struct pb_reader *r, uint64_t *out);
/* The next field. 1 when there was one, 0 at the end, ERR_SYNTAX (groups are refused). */
int pb_read_field(struct pb_reader *r, struct pb_field *out);

void pb_add_varint(struct buf *b, uint64_t v);
void pb_add_tag(struct buf *b, uint32_t number, enum pb_wire wire);
void pb_add_bytes(struct buf *b, uint32_t number, struct span s);
void pb_add_double(struct buf *b, uint32_t number, double v);

/* A sub-message whose length is not known yet: remember the mark, write its fields, close it. */
size_t pb_open(struct buf *b, uint32_t number);
void pb_close(struct buf *b, size_t mark);
