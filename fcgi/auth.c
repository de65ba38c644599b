/* SPDX-License-Identifier: Apache-2.0 */
/* The API key. */
#include "fcgi/auth.h"

#include "fcgi/query.h"

static const struct {
    const char *reason;
    const char *advice;
} rows[] = {
    [AUTH_OK] = {"auth.ok", ""},
    [AUTH_NO_CREDENTIAL] = {"auth.no_credential",
                            "no key reached push-api; Apache needs \"CGIPassAuth On\""},
    [AUTH_WRONG_SCHEME] = {"auth.wrong_scheme",
                           "the header is not \"Authorization: apikey KEY\"; X-API-Key works, too"},
    [AUTH_WRONG_KEY] = {"auth.wrong_key", "the key is neither http_api.key nor in pushd.api_keys"},
    [AUTH_NOT_CONFIGURED] = {"auth.not_configured", "http_api.key is not set"},
};

const char *auth_reason(enum auth_result result)
{
    return rows[result].reason;
}

const char *auth_advice(enum auth_result result)
{
    return rows[result].advice;
}

/* The key of "apikey KEY", the scheme in any case, with any number of spaces between. */
static struct span key_of_header(struct span header)
{
    struct span s = span_trim(header);
    size_t at = span_find(s, ' ', 0);
    struct span key = span_trim(span_from(s, at));
    if (!span_eq_nocase(span_of(s.p, at), SPAN("apikey")) || span_find(key, ' ', 0) != key.n) {
        return (struct span){0};
    }
    return key;
}

const char *auth_key_name(const struct conf_api_key *key)
{
    return key != NULL ? key->name : "http_api.key";
}

enum auth_result auth_check(const struct conf *c, const struct request *r, struct arena *a,
                            const struct conf_api_key **key)
{
    *key = NULL;
    if (c->http_api.insecure) {
        return AUTH_OK;
    }
    if (!api_key_exists(c)) {
        return AUTH_NOT_CONFIGURED;
    }
    struct span given = r->api_key.n != 0         ? r->api_key
                        : r->authorization.n != 0 ? key_of_header(r->authorization)
                                                  : (struct span){0};
    if (given.n != 0 && api_key_find(c, given, key)) {
        return AUTH_OK;
    }
    struct span parameter = r->query.n != 0 ? query_get(r->query, "api_key", a) : (struct span){0};
    if (parameter.n != 0) {
        return api_key_find(c, parameter, key) ? AUTH_OK : AUTH_WRONG_KEY;
    }
    if (given.n != 0) {
        return AUTH_WRONG_KEY;
    }
    return r->authorization.n != 0 ? AUTH_WRONG_SCHEME : AUTH_NO_CREDENTIAL;
}
