/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that aborts when memory is out, and handling of secrets. */
#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p, size_t size)
{
    if (UNLIKELY(p == NULL)) {
        fprintf(stderr, "out of memory: cannot allocate %zu bytes\n", size);
        abort();
    }
    return p;
}

void *mem_alloc(size_t size)
{
    return checked(malloc(size != 0 ? size : 1), size);
}

void *mem_zalloc(size_t size)
{
    return checked(calloc(1, size != 0 ? size : 1), size);
}

void *mem_realloc(void *p, size_t size)
{
    return checked(realloc(p, size != 0 ? size : 1), size);
}

char *mem_strndup(const char *s, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (n != 0) {
        memcpy(copy, s, n);
    }
    copy[n] = '\0';
    return copy;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

void mem_wipe(void *p, size_t n)
{
    if (n != 0) {
        explicit_bzero(p, n);
    }
}

bool mem_eq_secret(const void *a, size_t a_len, const void *b, size_t b_len)
{
    const volatile unsigned char *x = a;
    const volatile unsigned char *y = b;
    unsigned diff = a_len != b_len;
    for (size_t i = 0; i < b_len; i++) {
        diff |= (unsigned)(y[i] ^ (a_len != 0 ? x[i % a_len] : 0xa5U));
    }
    return diff == 0;
}
