/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches the keys that a token needs, as the server would. */
#pragma once

#include "common/policy/jwks.h"
#include "common/policy/token.h"

/* After a result with token_is_pending: asks the address, says on standard output what came of it,
 * and puts the keys into the cache. PERR_OK when the token is worth reading again, else the refusal
 * that the server gives. */
struct perr_result token_fetch_key(const struct token_verifier *v, struct jwks_cache *cache,
                                   struct span token, int64_t now_s);
