/* SPDX-License-Identifier: Apache-2.0 */
/* Where the keys of a token are: jwks_public_endpoint, whose {{name}} are named groups of
 * audience_regex or issuer_regex. */
#pragma once

#include "common/policy/claims.h"

#define JWKS_URL_MAX_BYTES 2048

struct jwks_url;

/* NULL and e when the endpoint cannot be used, or when a token could choose the host that is asked
 * (a group that is not an alternation of texts, unless
 * insecure_skip_jwks_endpoint_safety_check). Conf and rules must outlive it. */
struct jwks_url *jwks_url_new(const struct conf_token *t, const struct claims_rules *rules,
                              struct err *e);
void jwks_url_free(struct jwks_url *u);

/* Whether it is the same for all tokens. */
bool jwks_url_is_fixed(const struct jwks_url *u);

/* The address for a token whose audience and issuer were accepted; the claims may be NULL when it
 * is fixed. Returns NULL, or a constant sentence about why there is none. The address lives in the
 * arena or in u. Thread-safe. */
const char *jwks_url_fill(const struct jwks_url *u, const struct claims *c, struct arena *a,
                          struct span *out);
