/* SPDX-License-Identifier: Apache-2.0 */
/* FastCGI variables. */
#include "fcgi/request.h"

#include "fcgi/query.h"

static const struct {
    struct span name;
    size_t offset;
} known[] = {
    {SPAN("REQUEST_METHOD="), offsetof(struct request, method)},
    {SPAN("QUERY_STRING="), offsetof(struct request, query)},
    {SPAN("CONTENT_LENGTH="), offsetof(struct request, content_length)},
    {SPAN("REMOTE_ADDR="), offsetof(struct request, remote_addr)},
    {SPAN("REQUEST_URI="), offsetof(struct request, path)},
    {SPAN("HTTP_AUTHORIZATION="), offsetof(struct request, authorization)},
    {SPAN("HTTP_X_API_KEY="), offsetof(struct request, api_key)},
    {SPAN("HTTP_X_CENTRIFUGO_ERROR_MODE="), offsetof(struct request, error_mode)},
    {SPAN("HTTP_COOKIE="), offsetof(struct request, cookie)},
};

struct span request_variable(const struct request *r, const char *name)
{
    size_t n = strlen(name);
    for (char *const *v = r->variables; n != 0 && v != NULL && *v != NULL; v++) {
        if (strncmp(*v, name, n) == 0 && (*v)[n] == '=') {
            return span_str(*v + n + 1);
        }
    }
    return (struct span){0};
}

/* "http://host/path" of a request to a proxy. */
static struct span without_origin(struct span uri)
{
    if (uri.n == 0 || uri.p[0] == '/') {
        return uri;
    }
    size_t at = span_find(uri, ':', 0);
    if (at + 3 > uri.n || memcmp(uri.p + at, "://", 3) != 0) {
        return uri;
    }
    return span_from(uri, span_find(uri, '/', at + 3));
}

static void read_path(struct request *r, struct arena *a)
{
    if (r->path.n != 0) {
        struct span uri = without_origin(r->path);
        size_t mark = span_find(uri, '?', 0);
        if (r->query.p == NULL && mark < uri.n) {
            r->query = span_from(uri, mark + 1);
        }
        uri.n = mark;
        r->path = query_unescape(uri, false, a);
        return;
    }
    /* A web server that sends no REQUEST_URI: the path is split and decoded already. */
    struct span script = request_variable(r, "SCRIPT_NAME");
    struct span info = request_variable(r, "PATH_INFO");
    if (script.n == 0 && info.n == 0) {
        r->path = (struct span){0};
        return;
    }
    char *p = arena_alloc(a, script.n + info.n + 1);
    if (script.n != 0) {
        memcpy(p, script.p, script.n);
    }
    if (info.n != 0) {
        memcpy(p + script.n, info.p, info.n);
    }
    r->path = span_of(p, script.n + info.n);
}

void request_init(struct request *r, char *const *variables, struct arena *a)
{
    *r = (struct request){.variables = variables};
    for (char *const *v = variables; v != NULL && *v != NULL; v++) {
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            if (strncmp(*v, known[i].name.p, known[i].name.n) == 0) {
                struct span *field = (struct span *)(void *)((char *)r + known[i].offset);
                *field = span_str(*v + known[i].name.n);
                break;
            }
        }
    }
    read_path(r, a);
}
