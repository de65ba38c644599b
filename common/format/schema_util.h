/* SPDX-License-Identifier: Apache-2.0 */
/* What the two codecs share: typed access to a field of a message. For schema_*.c only. */
#pragma once

#include "common/format/schema.h"

/* Sub-messages nest only as deep as the tables do, but FilterNode refers to itself, and each level
 * is looked at once more. */
#define SCHEMA_MAX_DEPTH 32

static inline void *schema__at(const struct field *f, void *msg)
{
    return (char *)msg + f->offset;
}

static inline const void *schema__get(const struct field *f, const void *msg)
{
    return (const char *)msg + f->offset;
}

/* Size of an element of a repeated field or map. */
size_t schema__element_size(const struct field *f);

/* Whether the field is absent or has its zero value. */
bool schema__is_empty(const struct field *f, const void *msg);

/* Appends a zeroed element to a vec that lives in the arena; capacities are powers of two, so n
 * tells when it is full. */
void *schema__vec_add(struct vec *v, size_t element_size, struct arena *a);

int schema__fail(struct schema_error *e, int code, const char *what, const struct field *f);
