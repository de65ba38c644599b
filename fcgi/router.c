/* SPDX-License-Identifier: Apache-2.0 */
/* Paths. */
#include "fcgi/router.h"

static const struct {
    struct span name;
    enum route_kind kind;
} others[] = {
    {SPAN("ping"), ROUTE_PING},
    {SPAN("batch"), ROUTE_BATCH},
};

static struct route route_api(const struct conf *c, struct span path)
{
    struct span prefix = span_str(c->http_api.handler_prefix);
    while (prefix.n != 0 && prefix.p[prefix.n - 1] == '/') {
        prefix.n--;
    }
    if (c->http_api.disabled || !span_starts(path, prefix)) {
        return (struct route){0};
    }
    struct span rest = span_from(path, prefix.n);
    if (rest.n == 0 || (prefix.n == 0 && rest.n == 1 && rest.p[0] == '/')) {
        return (struct route){.kind = ROUTE_LEGACY};
    }
    if (rest.p[0] != '/') {
        return (struct route){0};
    }
    rest = span_from(rest, 1);
    const struct api_method *m = api_method_find(rest);
    if (m != NULL) {
        return (struct route){.kind = ROUTE_METHOD, .method = m};
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (span_eq(rest, others[i].name)) {
            return (struct route){.kind = others[i].kind};
        }
    }
    return (struct route){0};
}

struct route route_find(const struct conf *c, struct span path)
{
    struct route found = route_api(c, path);
    if (found.kind != ROUTE_NONE || path.n == 0) {
        return found;
    }
    if (span_eq_str(path, c->pushd.token.endpoint)) {
        return (struct route){.kind = ROUTE_TOKEN};
    }
    if (span_eq_str(path, c->pushd.token.subscription_endpoint)) {
        return (struct route){.kind = ROUTE_SUBSCRIPTION_TOKEN};
    }
    /* Where a guide says /api/ping, it says so whatever the prefix is. */
    return (struct route){.kind = span_eq_str(path, "/api/ping") ? ROUTE_PING : ROUTE_NONE};
}
