/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocation for things that die together. */
#include "common/base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define ARENA_BLOCK_BYTES 4096

struct arena_block {
    struct arena_block *next;
    size_t size; /* of data */
    max_align_t data[];
};

static void add_block(struct arena *a, size_t size)
{
    struct arena_block *b = mem_alloc(sizeof(*b) + size);
    b->size = size;
    b->next = a->blocks;
    a->blocks = b;
    a->at = (char *)b->data;
    a->end = a->at + size;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    size = (size + align - 1) & ~(align - 1);
    if (a->at == NULL || (size_t)(a->end - a->at) < size) {
        add_block(a, size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES);
    }
    void *p = a->at;
    a->at += size;
    return p;
}

void *arena_zalloc(struct arena *a, size_t size)
{
    return memset(arena_alloc(a, size), 0, size);
}

char *arena_strdup(struct arena *a, struct span s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n != 0) {
        memcpy(p, s.p, s.n);
    }
    p[s.n] = '\0';
    return p;
}

struct span arena_dup(struct arena *a, struct span s)
{
    return s.p == NULL ? s : span_of(arena_strdup(a, s), s.n);
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = NULL;
    struct arena_block *b = a->blocks;
    while (b != NULL) {
        struct arena_block *next = b->next;
        if (keep == NULL && b->size == ARENA_BLOCK_BYTES) {
            keep = b;
            keep->next = NULL;
        } else {
            free(b);
        }
        b = next;
    }
    a->blocks = keep;
    a->at = keep != NULL ? (char *)keep->data : NULL;
    a->end = keep != NULL ? a->at + keep->size : NULL;
}

void arena_fini(struct arena *a)
{
    struct arena_block *b = a->blocks;
    while (b != NULL) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
    *a = (struct arena){0};
}
