/* SPDX-License-Identifier: Apache-2.0 */
/* Connection tokens: JWT with HS256. */
#pragma once

#include <stddef.h>

#define TOKEN_MAX 512

/* Writes a terminated token for user `user`, valid for a day; returns its length. */
size_t token_put(char out[TOKEN_MAX], const char *secret, const char *user);
/* The value of Sec-WebSocket-Accept that answers `key`; terminated. */
void accept_put(char out[32], const char *key);
