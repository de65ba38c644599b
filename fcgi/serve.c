/* SPDX-License-Identifier: Apache-2.0 */
/* FastCGI requests. */
#include "fcgi/serve.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "fcgi/api.h"

#include <fcgiapp.h>

#include <stdio.h>
#include <stdlib.h>

/* The work and the writing of an answer get this long before the connection is cut off. */
#define ANSWER_MS 30000
/* Beyond the time for the head, a body gets a second for each of these. */
#define BODY_BYTES_PER_S (1024 * 1024)
/* Bodies up to this size share the time of the head: the web server sends both in one piece. */
#define SMALL_BODY_BYTES 16384
#define CHUNK_BYTES      16384
/* A body that nobody wants is read up to this size, so that the answer arrives and the connection
 * can be kept. */
#define DISCARD_BYTES (64 * 1024 * 1024)
/* An answer may be this long: a small request can ask for many histories. */
#define ANSWER_BYTES (256 * 1024 * 1024)
/* Buffers that grew beyond this are given back after the request. */
#define KEEP_BYTES (128 * 1024)

struct serve_job {
    struct api_ctx api;
    struct request request;
    struct route route;
    struct response response;
    struct buf body;
    struct buf head;
};

enum body_result {
    BODY_OK,
    BODY_TOO_LARGE,
    BODY_BROKEN, /* not as long as announced, endless, or the peer went away */
};

/* A thread's state are its connections to Redis. */
void *serve_thread_new(void *arg)
{
    const struct api *api = arg;
    return rsync_pool_new(api->shards);
}

void serve_thread_free(void *thread)
{
    rsync_pool_free(thread);
}

void *serve_job_new(void *arg)
{
    struct serve_job *s = mem_zalloc(sizeof(*s));
    s->response.body.max = ANSWER_BYTES;
    api_ctx_init(&s->api, arg);
    return s;
}

void serve_job_free(void *job)
{
    struct serve_job *s = job;
    api_ctx_fini(&s->api);
    response_free(&s->response);
    buf_free(&s->body);
    buf_free(&s->head);
    free(s);
}

static void shrink(struct buf *b)
{
    if (b->cap > KEEP_BYTES) {
        buf_free(b);
    }
}

/* Reads to the end of the stream, because its last record would otherwise be taken for the
 * beginning of the next request. Keeps `limit` bytes and a little more; memory grows with what
 * arrives, not with what was announced. */
static enum body_result read_body(FCGX_Stream *in, int64_t announced, uint64_t limit,
                                  struct buf *body)
{
    uint64_t got = 0;
    int n;
    buf_clear(body);
    do {
        bool is_kept = got <= limit;
        char *at =
            is_kept ? buf_reserve(body, CHUNK_BYTES) : body->p; /* which holds a chunk by now */
        n = FCGX_GetStr(at, CHUNK_BYTES, in);
        n = n > 0 ? n : 0;
        body->n += is_kept ? (size_t)n : 0;
        got += (uint64_t)n;
    } while (n == CHUNK_BYTES && got <= DISCARD_BYTES);
    if (FCGX_GetError(in) != 0 || got > DISCARD_BYTES ||
        (announced >= 0 && got != (uint64_t)announced)) {
        return BODY_BROKEN;
    }
    return got > limit ? BODY_TOO_LARGE : BODY_OK;
}

/* CONTENT_LENGTH, or -1 when the web server does not know. */
static int64_t announced_length(const struct request *r)
{
    int64_t n = -1;
    return r->content_length.n != 0 && span_to_i64(r->content_length, &n) == 0 && n >= 0 ? n : -1;
}

static void too_large(struct serve_job *s, uint64_t limit)
{
    log_info(LOG_API, "request refused", LOG_STR("reason", "body.too_large"),
             LOG_TEXT("path", s->request.path), LOG_TEXT("bytes", s->request.content_length),
             LOG_NUM("limit", limit));
    response_json(&s->response, 413);
    s->response.reason = "body.too_large";
    buf_addf(
        &s->response.body,
        "{\"error\":{\"code\":413,\"message\":\"the body is larger than pushd.api_max_body_size, "
        "which is %llu bytes\"}}",
        (unsigned long long)limit);
}

static void broken(struct serve_job *s, struct server_job *j)
{
    response_text(&s->response, 400, "Bad Request\n");
    s->response.reason = "body.incomplete";
    server_no_keep(j);
}

enum server_step serve_begin(void *job, struct server_job *j, struct FCGX_Request *fcgi)
{
    struct serve_job *s = job;
    uint64_t limit = (uint64_t)s->api.api->conf->pushd.api_max_body_size;
    struct request *r = &s->request;
    api_begin(&s->api);
    response_clear(&s->response);
    request_init(r, fcgi->envp, &s->api.arena);
    int64_t announced = announced_length(r);
    if (announced < 0 || announced > SMALL_BODY_BYTES) {
        int64_t seconds = (announced < 0 ? DISCARD_BYTES : announced) / BODY_BYTES_PER_S;
        server_set_deadline(j, SERVER_READ_MS + (seconds < 60 ? seconds : 60) * 1000);
    }
    bool is_admitted = api_admit(&s->api, r, &s->route, &s->response);
    enum body_result body = read_body(fcgi->in, announced, is_admitted ? limit : 0, &s->body);
    server_set_deadline(j, ANSWER_MS);
    if (body == BODY_BROKEN) {
        broken(s, j);
        return SERVER_ANSWER;
    }
    if (!is_admitted) {
        return SERVER_ANSWER;
    }
    if (body == BODY_TOO_LARGE) {
        too_large(s, limit);
        return SERVER_ANSWER;
    }
    r->body = buf_span(&s->body);
    switch (api_publish_begin(&s->api, r, &s->route, &s->response)) {
    case API_PREPARED:
        return SERVER_GROUP;
    case API_ANSWERED:
        return SERVER_ANSWER;
    case API_OTHER:
        break;
    }
    if (s->route.kind == ROUTE_PING) {
        api_execute(&s->api, r, &s->route, &s->response);
        return SERVER_ANSWER;
    }
    return SERVER_ALONE;
}

void serve_group(void *thread, void *const *jobs, size_t n)
{
    struct api_ctx *contexts[SERVER_GROUP_MAX] = {NULL};
    for (size_t i = 0; i < n; i++) {
        struct serve_job *s = jobs[i];
        s->api.redis = thread;
        contexts[i] = &s->api;
    }
    api_publish_group(contexts, n);
    for (size_t i = 0; i < n; i++) {
        struct serve_job *s = jobs[i];
        api_publish_end(&s->api, &s->request, &s->response);
    }
    rsync_pool_shrink(thread, KEEP_BYTES);
}

void serve_alone(void *thread, void *job)
{
    struct serve_job *s = job;
    s->api.redis = thread;
    api_execute(&s->api, &s->request, &s->route, &s->response);
    rsync_pool_shrink(thread, KEEP_BYTES);
}

void serve_answer(void *job, struct FCGX_Request *r)
{
    struct serve_job *s = job;
    buf_clear(&s->head);
    response_head(&s->response, &s->head);
    FCGX_PutStr(s->head.p, (int)s->head.n, r->out);
    const struct buf *body = &s->response.body;
    for (size_t at = 0; at < body->n; at += CHUNK_BYTES) {
        size_t n = body->n - at < CHUNK_BYTES ? body->n - at : CHUNK_BYTES;
        if (FCGX_PutStr(body->p + at, (int)n, r->out) < 0) {
            break; /* the peer is gone; FCGX_Finish_r finds out too and closes */
        }
    }
    shrink(&s->body);
    shrink(&s->response.body);
    shrink(&s->api.command);
    api_begin(&s->api); /* what was decoded is not kept until the next request */
}
