/* SPDX-License-Identifier: Apache-2.0 */
/* Reading text character by character. */
#pragma once

#include "common/base/str.h"

#define UTF8_BAD 0xfffd

/* The character at `at` (< s.n), and in *n its length in bytes. A byte that begins no well-formed
 * character is UTF8_BAD of length 1. */
uint32_t utf8_at(struct span s, size_t at, size_t *n);
