/* SPDX-License-Identifier: Apache-2.0 */
/* The table of paths. */
#include "pushd/admin/routes.h"

#include "common/base/mem.h"

#include <stdlib.h>

enum prefix {
    PREFIX_NONE,
    PREFIX_API,
    PREFIX_HEALTH,
    PREFIX_PROMETHEUS,
    PREFIX_ADMIN
};

#define ANY_METHOD NULL

static const struct {
    enum prefix prefix; /* http_api.handler_prefix and so on */
    const char *suffix;
    const char *allow; /* as in the header of that name */
} rows[ADMIN_ROUTE_COUNT] = {
    [ADMIN_ROUTE_PING] = {PREFIX_API, "/ping", ANY_METHOD},
    [ADMIN_ROUTE_HEALTH] = {PREFIX_HEALTH, "", ANY_METHOD},
    [ADMIN_ROUTE_READY] = {PREFIX_NONE, "/ready", ANY_METHOD},
    [ADMIN_ROUTE_METRICS] = {PREFIX_PROMETHEUS, "", "GET, HEAD"},
    [ADMIN_ROUTE_STATUS] = {PREFIX_ADMIN, "/admin", "GET, HEAD"},
    [ADMIN_ROUTE_INIT] = {PREFIX_ADMIN, "/admin/init", ANY_METHOD},
    [ADMIN_ROUTE_AUTH] = {PREFIX_ADMIN, "/admin/auth", "POST"},
    [ADMIN_ROUTE_API] = {PREFIX_ADMIN, "/admin/api", "POST"},
    [ADMIN_ROUTE_BASE] = {PREFIX_ADMIN, "", "GET, HEAD"},
    [ADMIN_ROUTE_ROOT] = {PREFIX_ADMIN, "/", "GET, HEAD"},
    [ADMIN_ROUTE_SLASH] = {PREFIX_ADMIN, "/admin/", "GET, HEAD"},
};

static struct span prefix_of(enum prefix prefix, const struct conf *conf)
{
    struct span s = {0};
    switch (prefix) {
    case PREFIX_NONE:
        break;
    case PREFIX_API:
        s = span_str(conf->http_api.handler_prefix);
        break;
    case PREFIX_HEALTH:
        s = span_str(conf->health.handler_prefix);
        break;
    case PREFIX_PROMETHEUS:
        s = span_str(conf->prometheus.handler_prefix);
        break;
    case PREFIX_ADMIN:
        s = span_str(conf->admin.handler_prefix);
        break;
    }
    while (s.n != 0 && s.p[s.n - 1] == '/') {
        s.n--;
    }
    return s;
}

void admin_routes_init(struct admin_routes *r, const struct conf *conf)
{
    for (size_t i = 0; i < ADMIN_ROUTE_COUNT; i++) {
        struct span prefix = prefix_of(rows[i].prefix, conf);
        struct buf path = {0};
        if (prefix.n != 0 && prefix.p[0] != '/') {
            buf_add_char(&path, '/');
        }
        buf_add_span(&path, prefix);
        buf_add_str(&path, rows[i].suffix);
        if (path.n == 0) {
            buf_add_char(&path, '/');
        }
        r->paths[i] = mem_strndup(path.p, path.n);
        buf_free(&path);
    }
}

void admin_routes_fini(struct admin_routes *r)
{
    for (size_t i = 0; i < ADMIN_ROUTE_COUNT; i++) {
        free(r->paths[i]);
        r->paths[i] = NULL;
    }
}

static bool is_allowed(const char *allow, struct span method)
{
    struct span rest = span_str(allow);
    struct span one;
    while (span_split(&rest, ',', &one)) {
        if (span_eq(span_trim(one), method)) {
            return true;
        }
    }
    return false;
}

enum admin_route admin_routes_find(const struct admin_routes *r,
                                   const struct admin_request *request, const char **allow)
{
    for (size_t i = 0; i < ADMIN_ROUTE_COUNT; i++) {
        if (span_eq_str(request->path, r->paths[i])) {
            *allow = rows[i].allow;
            bool is_served = *allow == ANY_METHOD || is_allowed(*allow, request->method);
            return is_served ? (enum admin_route)i : ADMIN_ROUTE_NO_METHOD;
        }
    }
    return ADMIN_ROUTE_NO_PATH;
}
