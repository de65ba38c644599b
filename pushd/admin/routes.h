/* SPDX-License-Identifier: Apache-2.0 */
/* Which path and method of the operators' port goes to which handler. */
#pragma once

#include "common/policy/conf.h"
#include "pushd/admin/http.h"

enum admin_route {
    ADMIN_ROUTE_PING,
    ADMIN_ROUTE_HEALTH,
    ADMIN_ROUTE_READY,
    ADMIN_ROUTE_METRICS,
    ADMIN_ROUTE_STATUS, /* the page, or its data */
    ADMIN_ROUTE_INIT,
    ADMIN_ROUTE_AUTH,
    ADMIN_ROUTE_API,
    ADMIN_ROUTE_ROOT,  /* these lead to the page: the prefix with a slash, */
    ADMIN_ROUTE_BASE,  /* without one, */
    ADMIN_ROUTE_SLASH, /* and the page with one too many */
    ADMIN_ROUTE_COUNT,
    ADMIN_ROUTE_NO_PATH,   /* nobody serves this path */
    ADMIN_ROUTE_NO_METHOD, /* the path is known, the method is not for it */
};

/* The paths as the configuration wants them, one a route. Where two are equal, the first of the
 * enum wins. */
struct admin_routes {
    char *paths[ADMIN_ROUTE_COUNT];
};

void admin_routes_init(struct admin_routes *r, const struct conf *conf);
void admin_routes_fini(struct admin_routes *r);

/* The route of a request, or one of the two refusals; then *allow has the value of Allow for
 * ADMIN_ROUTE_NO_METHOD. */
enum admin_route admin_routes_find(const struct admin_routes *r,
                                   const struct admin_request *request, const char **allow);
