/* SPDX-License-Identifier: Apache-2.0 */
/* The API without FastCGI: a configuration in, requests as variables and body in, answers out. */
#pragma once

#include "fcgi/api.h"
#include "fcgi/registry.h"

#define FIXTURE_VARIABLES 16

struct fcgi_fixture {
    struct conf *conf;
    struct rsync_shards shards;
    struct rsync_pool *redis;
    struct api api;
    struct api_ctx ctx;
    struct response response;
};

/* `json` is a configuration; engine.redis.address in it is replaced by the path `sockets`, or by
 * several with a comma in between; NULL: nobody listens. Starts no thread: the registry is one that
 * nobody feeds, and is down. Ends the program when the configuration is wrong. */
void fcgi_fixture_open(struct fcgi_fixture *f, const char *json, const char *sockets);
void fcgi_fixture_close(struct fcgi_fixture *f);

/* With a redis-server of its own. The program ends as skipped when none is installed. */
struct redis_server;
void fcgi_fixture_open_with_redis(struct fcgi_fixture *f, struct redis_server *s, const char *json);
void fcgi_fixture_close_with_redis(struct fcgi_fixture *f, struct redis_server *s);

/* Makes a request and returns the status. `variables` ends with NULL and comes in addition to
 * method and URI; may be NULL. The body of the answer stays in f->response. */
int fcgi_call(struct fcgi_fixture *f, const char *method, const char *uri, const char *body,
              char *const *variables);
/* The same by POST with the key "key", which the configurations of the tests have. Returns the
 * body, NUL-terminated, valid until the next call. */
const char *fcgi_post(struct fcgi_fixture *f, const char *uri, const char *body);
/* The body of the last answer, NUL-terminated. */
const char *fcgi_body(struct fcgi_fixture *f);
