/* SPDX-License-Identifier: Apache-2.0 */
/* Which part of us a path belongs to. */
#pragma once

#include "common/policy/conf.h"
#include "fcgi/api.h"

/* Exact paths only: no trailing slash, no empty segments, letters as they are. */
struct route route_find(const struct conf *c, struct span path);
