/* SPDX-License-Identifier: Apache-2.0 */
/* Answers. */
#include "fcgi/response.h"

#include <stdlib.h>

static const struct {
    int status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {416, "Range Not Satisfiable"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

const char *response_phrase(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(phrases); i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return "";
}

void response_clear(struct response *r)
{
    struct buf body = r->body;
    *r = (struct response){.status = 200, .body = body};
    buf_clear(&r->body);
}

void response_free(struct response *r)
{
    buf_free(&r->body);
}

void response_text(struct response *r, int status, const char *text)
{
    r->status = status;
    r->content_type = "text/plain; charset=utf-8";
    buf_clear(&r->body);
    buf_add_str(&r->body, text);
}

void response_empty(struct response *r, int status)
{
    r->status = status;
    r->content_type = NULL;
    buf_clear(&r->body);
}

void response_json(struct response *r, int status)
{
    r->status = status;
    r->content_type = "application/json";
}

static void add_header(struct buf *out, const char *name, const char *value)
{
    if (value != NULL) {
        buf_add_str(out, name);
        buf_add_str(out, value);
        buf_add_str(out, "\r\n");
    }
}

void response_head(const struct response *r, struct buf *out)
{
    if (r->status != 200) { /* what a responder means when it says nothing */
        buf_add_str(out, "Status: ");
        buf_add_i64(out, r->status);
        buf_add_char(out, ' ');
        add_header(out, response_phrase(r->status), "");
    }
    add_header(out, "Content-Type: ", r->content_type);
    add_header(out, "X-Pushd-Reason: ", r->reason);
    add_header(out, "Allow: ", r->allow);
    add_header(out, "Cache-Control: ", r->no_store ? "no-store" : NULL);
    buf_add_str(out, "Content-Length: ");
    buf_add_u64(out, r->body.n);
    buf_add_str(out, "\r\n\r\n");
}
