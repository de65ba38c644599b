/* SPDX-License-Identifier: Apache-2.0 */
/* The API without FastCGI. */
#include "tests/unit/fcgi_fixture.h"

#include "tests/unit/redis_server.h"

#include <stdio.h>
#include <stdlib.h>

#define SKIPPED 77 /* for automake */

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "%s: %s\n", what, e->text);
    exit(1);
}

void fcgi_fixture_open(struct fcgi_fixture *f, const char *json, const char *sockets)
{
    struct err e = {0};
    struct buf variable = {0};
    *f = (struct fcgi_fixture){0};
    log_threshold = LOG_LEVEL_NONE;
    buf_addf(&variable, "CENTRIFUGO_ENGINE_REDIS_ADDRESS=%s",
             sockets != NULL ? sockets : "/nonexistent/redis.sock");
    char *const environ[] = {(char *)(uintptr_t)buf_cstr(&variable), NULL};
    struct conf_load_opts opts = {.text = json, .text_len = strlen(json), .environ = environ};
    f->conf = conf_load(&opts, &e);
    buf_free(&variable);
    if (f->conf == NULL) {
        die("configuration", &e);
    }
    log_threshold = LOG_LEVEL_NONE;
    if (rsync_shards_init(&f->shards, f->conf, &e) != 0) {
        die("address", &e);
    }
    for (uint32_t i = 0; i < f->shards.n; i++) {
        rsync_target_resolve(&f->shards.targets[i], NULL);
    }
    f->redis = rsync_pool_new(&f->shards);
    f->api.conf = f->conf;
    f->api.shards = &f->shards;
    engine_init(&f->api.engine, f->conf);
    rnd_uuid(f->api.uid);
    f->api.registry = registry_new(
        &(struct registry_opts){.shards = &f->shards, .engine = &f->api.engine, .uid = f->api.uid});
    api_ctx_init(&f->ctx, &f->api);
    f->ctx.redis = f->redis;
}

void fcgi_fixture_close(struct fcgi_fixture *f)
{
    api_ctx_fini(&f->ctx);
    response_free(&f->response);
    registry_free(f->api.registry);
    rsync_pool_free(f->redis);
    rsync_shards_fini(&f->shards);
    conf_free(f->conf);
}

void fcgi_fixture_open_with_redis(struct fcgi_fixture *f, struct redis_server *s, const char *json)
{
    if (!redis_server_start(s)) {
        printf("redis-server is not installed: skipped\n");
        exit(SKIPPED);
    }
    fcgi_fixture_open(f, json, s->socket);
}

void fcgi_fixture_close_with_redis(struct fcgi_fixture *f, struct redis_server *s)
{
    fcgi_fixture_close(f);
    redis_server_stop(s);
}

int fcgi_call(struct fcgi_fixture *f, const char *method, const char *uri, const char *body,
              char *const *variables)
{
    char *all[FIXTURE_VARIABLES + 3] = {NULL};
    struct buf first = {0};
    struct buf second = {0};
    size_t n = 0;
    buf_addf(&first, "REQUEST_METHOD=%s", method);
    buf_addf(&second, "REQUEST_URI=%s", uri);
    all[n++] = (char *)(uintptr_t)buf_cstr(&first);
    all[n++] = (char *)(uintptr_t)buf_cstr(&second);
    for (; variables != NULL && *variables != NULL && n < ARRAY_LEN(all) - 1; variables++) {
        all[n++] = *variables;
    }
    struct request r;
    struct route route;
    api_begin(&f->ctx);
    response_clear(&f->response);
    request_init(&r, all, &f->ctx.arena);
    if (api_admit(&f->ctx, &r, &route, &f->response)) {
        r.body = span_str(body != NULL ? body : "");
        api_execute(&f->ctx, &r, &route, &f->response);
    }
    buf_free(&first);
    buf_free(&second);
    return f->response.status;
}

const char *fcgi_body(struct fcgi_fixture *f)
{
    return buf_cstr(&f->response.body);
}

const char *fcgi_post(struct fcgi_fixture *f, const char *uri, const char *body)
{
    char key[] = "HTTP_X_API_KEY=key";
    char *variables[] = {key, NULL};
    fcgi_call(f, "POST", uri, body, variables);
    return fcgi_body(f);
}
