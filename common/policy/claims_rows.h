/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that describe the members of a claims object. For claims*.c only. */
#pragma once

#include "common/base/arena.h"

enum claim_kind {
    CLAIM_STR,          /* struct span, decoded */
    CLAIM_USER,         /* the same, or the text of an integer */
    CLAIM_DATE,         /* struct claim_time; so are the next two */
    CLAIM_DATE_OR_NULL, /* as in the reference, a date may be a number between quotes */
    CLAIM_TIME_OR_NULL,
    CLAIM_ANY, /* struct span, the JSON value; so are the next three */
    CLAIM_OBJECT,
    CLAIM_STR_LIST,
    CLAIM_STR_OR_LIST,
    CLAIM_BOOL, /* enum token_override */
};

struct claim_row {
    struct span name;
    enum claim_kind kind;
    size_t offset;
    const char *complaint; /* when the value is of another type */
};

/* At most 32 rows. */
struct claim_table {
    const struct claim_row *rows;
    size_t count;
};

/* Stores the members of a well-formed object at the offsets of their rows. Returns NULL or a
 * complaint. */
const char *claims__read(const struct claim_table *t, struct span object, struct arena *a,
                         void *out);
