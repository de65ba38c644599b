/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: FastCGI variables, one in a line: paths, queries, cookies, keys. */
#include "tests/fuzz/fuzz_util.h"

#include "common/protocol/api.h"
#include "fcgi/api.h"
#include "fcgi/auth.h"
#include "fcgi/query.h"
#include "fcgi/router.h"
#include "fcgi/session.h"

#define VARIABLES_MAX 16

static char text_api[] = "/api";
static char text_key[] = "key";
static char text_token[] = "/token";
static char text_sub[] = "/sub";

static void check_query(const struct request *r, struct arena *a)
{
    struct span rest = r->query;
    struct span name;
    struct span value;
    size_t bytes = 0;
    while (query_next(&rest, a, &name, &value)) {
        bytes += name.n + value.n;
    }
    fuzz_require(bytes <= r->query.n, "decoding makes nothing longer");
    const struct schema *const schemas[] = {&api_history_schema, &api_channel_schema,
                                            &api_channels_schema, &api_publish_schema};
    for (size_t i = 0; i < ARRAY_LEN(schemas); i++) {
        _Alignas(16) char message[256];
        struct schema_error e = {0};
        if (query_decode(schemas[i], r->query, a, message, &e) != 0) {
            fuzz_require(e.what != NULL && e.field.n != 0, "an error names the parameter");
        }
    }
}

static void check_cookie(const struct request *r)
{
    struct span value = cookie_get(r->cookie, SPAN("session"));
    if (value.p != NULL) {
        fuzz_require(value.p >= r->cookie.p && value.p + value.n <= r->cookie.p + r->cookie.n,
                     "a cookie is a part of the header");
        if (session_cookie_is_safe(value)) {
            fuzz_require(span_find(value, ':', 0) == value.n && span_find(value, '{', 0) == value.n,
                         "a safe cookie stays in its key");
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf c = {.http_api.handler_prefix = text_api, .http_api.key = text_key};
    struct arena a = {0};
    char *variables[VARIABLES_MAX + 1] = {NULL};
    struct span rest = span_of(data, size);
    struct span line;
    size_t n = 0;
    c.pushd.token.endpoint = text_token;
    c.pushd.token.subscription_endpoint = text_sub;
    while (size != 0 && n < VARIABLES_MAX && span_split(&rest, '\n', &line)) {
        variables[n++] = span_dup(line);
    }
    struct request r;
    request_init(&r, variables, &a);
    struct route route = route_find(&c, r.path);
    fuzz_require((route.kind == ROUTE_METHOD) == (route.method != NULL),
                 "a method's route has its row");
    const struct conf_api_key *key;
    if (auth_check(&c, &r, &a, &key) == AUTH_OK) {
        fuzz_require(r.api_key.n != 0 || r.authorization.n != 0 || r.query.n != 0,
                     "nobody gets in without a key");
    }
    check_query(&r, &a);
    check_cookie(&r);
    for (size_t i = 0; i < n; i++) {
        free(variables[i]);
    }
    arena_fini(&a);
    return 0;
}
