/* SPDX-License-Identifier: Apache-2.0 */
/* Which part of us a path belongs to. */
#pragma once

#include "common/policy/conf.h"
#include "fcgi/api.h"

enum route_kind {
    ROUTE_NONE,
    ROUTE_METHOD, /* PREFIX/NAME */
    ROUTE_BATCH,
    ROUTE_LEGACY, /* PREFIX */
    ROUTE_PING,
    ROUTE_TOKEN,
    ROUTE_SUBSCRIPTION_TOKEN,
};

struct route {
    enum route_kind kind;
    const struct api_method *method;
};

/* Exact paths only: no trailing slash, no empty segments, letters as they are. */
struct route route_find(const struct conf *c, struct span path);
