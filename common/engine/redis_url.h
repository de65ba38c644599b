/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of Redis: host:port, redis://, unix:// (redis-layout, section 12). */
#pragma once

#include "common/policy/conf.h"

struct redis_url {
    char *host; /* NULL for a Unix socket */
    uint16_t port;
    char *path; /* Unix socket, or NULL */
    char *user;
    char *password;
    int64_t db;
    int64_t connect_timeout_ms;
    int64_t io_timeout_ms;
    char *display; /* "127.0.0.1:6379" or the socket's path: for the log, without secrets */
};

/* Parses one element of engine.redis.address; user, password, db and timeouts that it does not give
 * come from the rest of the object. Schemes that are not supported (rediss, sentinel, cluster) are
 * refused by name. */
int redis_url_parse(const char *address, const struct conf_redis *r, struct redis_url *out,
                    struct err *e);
void redis_url_fini(struct redis_url *u);

/* All addresses of engine.redis.address. Their order decides which channels each of them holds. */
struct redis_urls {
    struct redis_url *items;
    uint32_t n; /* at least 1 */
};

/* Their `display`s differ, so that log, metrics and admin page can tell them apart. The error names
 * the option. */
int redis_urls_parse(const struct conf_redis *r, struct redis_urls *out, struct err *e);
void redis_urls_fini(struct redis_urls *u);
