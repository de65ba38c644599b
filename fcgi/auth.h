/* SPDX-License-Identifier: Apache-2.0 */
/* The API key (server-api, section 2.2). */
#pragma once

#include "common/policy/conf.h"
#include "fcgi/request.h"

enum auth_result {
    AUTH_OK,
    AUTH_NO_CREDENTIAL, /* neither header nor parameter reached us */
    AUTH_WRONG_KEY,
    AUTH_NOT_CONFIGURED, /* http_api.key is empty */
};

/* X-API-Key, else "Authorization: apikey KEY"; when these do not fit, the parameter api_key.
 * Constant time in the key. */
enum auth_result auth_check(const struct conf *c, const struct request *r, struct arena *a);

/* The stable identifier of a refusal: "auth.no_credential", "auth.wrong_key",
 * "auth.not_configured". */
const char *auth_reason(enum auth_result result);
