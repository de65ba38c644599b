/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP/1.1 request and its answer. */
#include "pushctl/http.h"

#include <unistd.h>

#include "common/base/clk.h"

void http_answer_fini(struct http_answer *a)
{
    buf_free(&a->raw);
    buf_free(&a->body);
}

/* Takes the next line without its line end; false when there is none yet. */
static bool take_line(struct span *rest, struct span *line)
{
    size_t end = span_find(*rest, '\n', 0);
    if (end == rest->n) {
        return false;
    }
    *line = span_of(rest->p, end != 0 && rest->p[end - 1] == '\r' ? end - 1 : end);
    *rest = span_from(*rest, end + 1);
    return true;
}

struct span http_header(const struct http_answer *a, const char *name)
{
    struct span rest = span_of(a->raw.p, a->head_bytes);
    struct span line;
    while (take_line(&rest, &line)) {
        size_t colon = span_find(line, ':', 0);
        if (colon < line.n && span_eq_nocase(span_of(line.p, colon), span_str(name))) {
            return span_trim(span_from(line, colon + 1));
        }
    }
    return (struct span){0};
}

/* Whether the head is complete; then head_bytes and status are set. */
static int parse_head(struct http_answer *a, bool *is_complete, struct err *e)
{
    struct span rest = buf_span(&a->raw);
    struct span line;
    *is_complete = false;
    if (!take_line(&rest, &line)) {
        return 0;
    }
    uint64_t status = 0;
    if (line.n < 12 || !span_starts(line, SPAN("HTTP/1.")) ||
        span_to_u64(span_of(line.p + 9, 3), &status) != 0) {
        return err_set(e, ERR_SYNTAX, "the server does not speak HTTP: it said %.*s",
                       (int)(line.n < 60 ? line.n : 60), line.p);
    }
    while (take_line(&rest, &line)) {
        if (line.n == 0) {
            a->status = (int)status;
            a->head_bytes = (size_t)(rest.p - a->raw.p);
            *is_complete = true;
            return 0;
        }
    }
    return 0;
}

static int no_answer(int rc, const char *what, struct err *e)
{
    if (rc == ERR_TIMEOUT) {
        return err_set(e, rc, "the server did not answer in time (%s)", what);
    }
    if (rc == ERR_CLOSED) {
        return err_set(e, rc, "the server closed the connection instead of answering (%s)", what);
    }
    return rc;
}

int http_read_head(int fd, int64_t deadline_ms, struct http_answer *a, struct err *e)
{
    bool is_complete = false;
    a->raw.max = HTTP_MAX_BODY_BYTES;
    while (!is_complete) {
        int rc = net_receive(fd, &a->raw, deadline_ms, NULL, e);
        if (rc != 0) {
            return no_answer(rc, "no headers", e);
        }
        rc = parse_head(a, &is_complete, e);
        if (rc != 0) {
            return rc;
        }
        if (!is_complete && a->raw.n > HTTP_MAX_HEAD_BYTES) {
            return err_set(e, ERR_LIMIT, "the headers of the answer do not end");
        }
    }
    return 0;
}

static bool parse_hex(struct span s, size_t *out)
{
    size_t n = 0;
    size_t i = 0;
    for (; i < s.n && i < 8 && s.p[i] != ';' && s.p[i] != ' '; i++) {
        char c = (char)(s.p[i] | 0x20);
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
        n = n << 4 | (size_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *out = n;
    return i != 0;
}

/* Whether all chunks have come; then they are in body. */
static int join_chunks(struct http_answer *a, bool *is_complete, struct err *e)
{
    struct span rest = span_from(buf_span(&a->raw), a->head_bytes);
    struct span line;
    buf_clear(&a->body);
    *is_complete = false;
    while (take_line(&rest, &line)) {
        size_t n = 0;
        if (!parse_hex(line, &n)) {
            return err_set(e, ERR_SYNTAX, "the answer has a malformed chunk");
        }
        if (n == 0) {
            *is_complete = true;
            return 0;
        }
        if (rest.n < n + 2) {
            return 0;
        }
        buf_add(&a->body, rest.p, n);
        rest = span_from(rest, n);
        if (!take_line(&rest, &line) || line.n != 0) {
            return err_set(e, ERR_SYNTAX, "the answer has a malformed chunk");
        }
    }
    return 0;
}

static int read_body(int fd, int64_t deadline_ms, struct http_answer *a, struct err *e)
{
    struct span length = http_header(a, "Content-Length");
    bool is_chunked = span_eq_nocase(http_header(a, "Transfer-Encoding"), SPAN("chunked"));
    uint64_t n = 0;
    if (!is_chunked && length.p != NULL && span_to_u64(length, &n) != 0) {
        return err_set(e, ERR_SYNTAX, "the answer has a malformed Content-Length");
    }
    for (;;) {
        bool is_complete = length.p != NULL && a->raw.n - a->head_bytes >= n;
        int rc = is_chunked ? join_chunks(a, &is_complete, e) : 0;
        if (rc != 0) {
            return rc;
        }
        if (is_complete) {
            break;
        }
        rc = net_receive(fd, &a->raw, deadline_ms, NULL, e);
        length = http_header(a, "Content-Length"); /* raw may have moved */
        if (rc == ERR_CLOSED && !is_chunked && length.p == NULL) {
            break;
        }
        if (rc != 0) {
            return no_answer(rc, "the body is cut", e);
        }
    }
    if (!is_chunked) {
        size_t have = a->raw.n - a->head_bytes;
        buf_add(&a->body, a->raw.p + a->head_bytes,
                length.p != NULL && n < have ? (size_t)n : have);
    }
    return 0;
}

int http_post(const struct net_url *u, const char *key, struct span body, int64_t timeout_ms,
              struct http_answer *a, struct err *e)
{
    int64_t deadline = clk_mono_ms() + timeout_ms;
    int fd = -1;
    struct buf out = {0};
    if (strpbrk(key, "\r\n") != NULL) {
        return err_set(e, ERR_SYNTAX, "the API key has a line break in it");
    }
    int rc = net_connect(u, deadline, &fd, e);
    if (rc != 0) {
        return rc;
    }
    buf_addf(&out, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: pushctl\r\n", u->path,
             *u->unix_path != '\0' ? "localhost" : u->display);
    if (*key != '\0') {
        buf_addf(&out, "X-API-Key: %s\r\n", key);
    }
    buf_addf(&out,
             "Content-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
             body.n);
    buf_add_span(&out, body);
    rc = net_send(fd, buf_span(&out), deadline, e);
    /* A server that refuses early may close before it has read all, and still have answered. */
    if (rc == 0 || rc == ERR_CLOSED) {
        rc = http_read_head(fd, deadline, a, e);
    }
    if (rc == 0) {
        rc = read_body(fd, deadline, a, e);
    }
    close(fd);
    buf_free(&out);
    return rc;
}

static const struct {
    int status;
    const char *advice;
} advices[] = {
    {301, "the web server points elsewhere, mostly to https: use the address behind it"},
    {302, "the web server points elsewhere, mostly to a login: use the address behind it"},
    {307, "the web server points elsewhere, mostly to https: use the address behind it"},
    {308, "the web server points elsewhere, mostly to https: use the address behind it"},
    {400, "the request was not understood"},
    {401, "give the http_api.key (CENTRIFUGO_API_KEY) that push-api runs with, or one of its "
          "pushd.api_keys, by --key"},
    {403, "the web server in front refuses it, or the key may not do this: see pushd.api_keys"},
    {404, "is /api/ passed to push-api, and is http_api.handler_prefix the same there?"},
    {405, "another server than push-api answers on this address"},
    {411, "another server than push-api answers on this address"},
    {413, "see the web server's limit for bodies, and pushd.api_max_body_size"},
    {500, "look at the log of push-api"},
    {502, "the web server cannot reach push-api: is it running, and on that socket?"},
    {503, "the web server cannot reach push-api: is it running, and on that socket?"},
    {504, "push-api does not answer in time: look at its log, often Redis is away"},
};

const char *http_advice(int status)
{
    for (size_t i = 0; i < ARRAY_LEN(advices); i++) {
        if (advices[i].status == status) {
            return advices[i].advice;
        }
    }
    return NULL;
}
