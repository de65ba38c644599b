/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that aborts when memory is out, and handling of secrets. */
#pragma once

#include "common/base/base.h"

/* As malloc, calloc, realloc and friends, but never NULL: running out of memory ends the process
 * with a message. Sizes that a peer chooses have to be limited before they come here. Freed with
 * free(). */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *p, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
/* Copies n bytes and adds a NUL. */
char *mem_strndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));

/* Overwrites a secret; the compiler cannot leave it out. */
void mem_wipe(void *p, size_t n);

/* Whether two byte strings are equal. The time depends on b_len, the length of the one from
 * outside, only. */
bool mem_eq_secret(const void *a, size_t a_len, const void *b, size_t b_len);
