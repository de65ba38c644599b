/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocation for things that die together. */
#include "common/base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* Many arenas hold one small request only, so the first block is small; later ones double. */
#define ARENA_FIRST_BYTES 256
#define ARENA_BLOCK_BYTES 8192

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
        size_t block = a->blocks == NULL ? ARENA_FIRST_BYTES : a->blocks->size * 2;
        if (block > ARENA_BLOCK_BYTES) {
            block = ARENA_BLOCK_BYTES;
        }
        add_block(a, size > block ? size : block);
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
    struct arena_block *keep = NULL; /* the largest of ordinary size */
    struct arena_block *b = a->blocks;
    while (b != NULL) {
        struct arena_block *next = b->next;
        if (b->size <= ARENA_BLOCK_BYTES && (keep == NULL || b->size > keep->size)) {
            free(keep);
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
