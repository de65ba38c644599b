/* SPDX-License-Identifier: Apache-2.0 */
/* What a token says, in words, whether it is good or not. */
#pragma once

#include "common/base/arena.h"

/* Strips what people copy along with a token: white space, quotes, "Bearer ". */
struct span token_strip(struct span text);

/* Prints alg of the header and each claim to standard output, times in words. Prints less where
 * less can be decoded. */
void token_show(struct span token, int64_t now_s);

/* The header or the payload (part 0 or 1), if it is base64url of a JSON object; else p == NULL. */
struct span token_part(struct span token, int part, struct arena *a);
/* A member of an object given by token_part, as its JSON text; p == NULL when absent. */
struct span token_member(struct span object, const char *name, struct arena *a);
