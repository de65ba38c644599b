/* SPDX-License-Identifier: Apache-2.0 */
/* The API key (server-api, section 2.2). */
#pragma once

#include "common/policy/api_key.h"
#include "fcgi/request.h"

enum auth_result {
    AUTH_OK,
    AUTH_NO_CREDENTIAL, /* neither header nor parameter reached us */
    AUTH_WRONG_SCHEME,  /* a header Authorization that is no "apikey KEY" */
    AUTH_WRONG_KEY,
    AUTH_NOT_CONFIGURED, /* there is no key */
};

/* X-API-Key, else "Authorization: apikey KEY"; when these do not fit, the parameter api_key.
 * *key gets the element of pushd.api_keys, or NULL for http_api.key and http_api.insecure, which
 * permit everything. Constant time in the keys. */
enum auth_result auth_check(const struct conf *c, const struct request *r, struct arena *a,
                            const struct conf_api_key **key);
/* What stands in the log for it; the names of pushd.api_keys, or "http_api.key". */
const char *auth_key_name(const struct conf_api_key *key);

/* The stable identifier of a refusal: "auth.no_credential", "auth.wrong_key" and so on; and what to
 * do about it. */
const char *auth_reason(enum auth_result result);
const char *auth_advice(enum auth_result result);
