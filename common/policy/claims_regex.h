/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of audience_regex and issuer_regex. For claims*.c only. */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

#include <regex.h>

/* Compiles a pattern as configurations of the reference have it. What both syntaxes share means the same; what POSIX would
 * quietly take for something else (flags, lazy repetition, other escapes) is refused, for such a pattern decides who may connect.
 * ERR_SYNTAX with a text. */
int claims__regex_compile(regex_t *re, const char *pattern, struct err *e);

/* Whether the pattern is found in text; NUL is a character like others. Thread-safe. */
bool claims__regex_finds(const regex_t *re, struct span text);
