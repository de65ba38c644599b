/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocation for things that die together, such as one decoded message. */
#pragma once

#include "common/base/str.h"

struct arena_block;

/* Zero-initialised it is ready to use. One thread at a time. */
struct arena {
    struct arena_block *blocks;
    char *at;
    char *end;
};

/* Memory aligned for any type, valid until the next reset or fini. Aborts when memory is out. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));
void *arena_zalloc(struct arena *a, size_t size) __attribute__((returns_nonnull));
struct span arena_dup(struct arena *a, struct span s);
/* NUL-terminated copy. */
char *arena_strdup(struct arena *a, struct span s);
/* Frees everything but one ordinary block. */
void arena_reset(struct arena *a);
void arena_fini(struct arena *a);
