/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out which common mistake made the signature of a token not fit. */
#pragma once

#include "common/policy/conf.h"

/* A sentence such as "it fits the key with a newline at its end", or NULL. */
const char *token_guess_key(const struct conf *c, bool is_subscription, struct span token,
                            int64_t now_s);
