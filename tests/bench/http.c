/* SPDX-License-Identifier: Apache-2.0 */
/* A few kept HTTP/1.1 connections. */
#include "tests/bench/http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void conn_ready(struct source *s, uint32_t events);

void http_pool_init(struct http_pool *p, unsigned count)
{
    p->count = count;
    p->conns = xcalloc(count, sizeof(*p->conns));
    for (unsigned i = 0; i < count; i++) {
        struct http_conn *c = &p->conns[i];
        c->src.ready = conn_ready;
        c->pool = p;
        c->index = i;
        c->fd = -1;
    }
}

static void conn_close(struct http_conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->in_len = 0;
    c->wants_write = false;
    c->out.len = c->out.off = 0;
}

void http_pool_fini(struct http_pool *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        conn_close(&p->conns[i]);
        free(p->conns[i].out.data);
    }
    free(p->conns);
    p->conns = NULL;
    p->count = 0;
}

static void conn_flush(struct http_conn *c)
{
    int rc = obuf_flush(&c->out, c->fd);
    if (rc < 0)
        die("the API connection to %s broke: %s", c->pool->target->name, strerror(errno));
    if (c->wants_write != (rc == 1)) {
        c->wants_write = rc == 1;
        poller_change(c->pool->poller, c->fd, &c->src, EPOLLIN | (rc ? EPOLLOUT : 0));
    }
}

void http_post(struct http_conn *c, const char *method, const void *body, size_t n)
{
    struct http_pool *p = c->pool;
    if (c->fd < 0) {
        c->fd = target_connect(p->target, c->index);
        if (c->fd < 0)
            die("cannot connect to the API at %s: %s", p->target->name, strerror(errno));
        poller_add(p->poller, c->fd, &c->src, EPOLLIN);
    }
    obuf_addf(
        &c->out,
        "POST %s/%s HTTP/1.1\r\nHost: %s\r\nX-API-Key: %s\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n\r\n",
        p->target->path, method, p->target->host, p->key, n);
    obuf_add(&c->out, body, n);
    c->is_busy = true;
    c->asked_ns = now_ns();
    conn_flush(c);
}

/* Value of a header of the answer, NULL when absent. The answer is terminated. */
static const char *header(const char *answer, const char *name)
{
    const char *at = strcasestr(answer, name);
    if (!at)
        return NULL;
    at += strlen(name);
    return at + strspn(at, " \t");
}

/* Whether the answer in c->in is complete; *body is where its body starts. */
static bool is_complete(const struct http_conn *c, const char **body)
{
    const char *end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return false;
    *body = end + 4;
    size_t got = c->in_len - (size_t)(*body - c->in);
    const char *length = header(c->in, "\r\nContent-Length:");
    if (length && length < *body)
        return got >= strtoul(length, NULL, 10);
    const char *chunked = header(c->in, "\r\nTransfer-Encoding:");
    if (chunked && chunked < *body)
        return got >= 5 && !memcmp(c->in + c->in_len - 5, "0\r\n\r\n", 5);
    return true;
}

static void on_answer(struct http_conn *c, const char *body)
{
    struct http_pool *p = c->pool;
    hist_add(&p->latency, now_ns() - c->asked_ns);
    if (!strncmp(c->in, "HTTP/1.1 200", 12) && strstr(body, "\"result\"")) {
        p->answered++;
    } else if (!p->failed++) {
        snprintf(p->first_failure, sizeof(p->first_failure), "%.199s", c->in);
        p->first_failure[strcspn(p->first_failure, "\r\n")] = 0;
        note("the API refused a request: %s: %.100s", p->first_failure, body);
    }
    const char *connection = header(c->in, "\r\nConnection:");
    if (connection && connection < body && !strncasecmp(connection, "close", 5)) {
        conn_close(c);
        p->reconnects++;
    }
    c->is_busy = false;
    c->in_len = 0;
    p->done(c, p->arg);
}

static void conn_ready(struct source *s, uint32_t events)
{
    struct http_conn *c = (struct http_conn *)s;
    const char *body;
    if (c->fd < 0)
        return; /* closed by an earlier event of the same batch */
    if (events & EPOLLOUT)
        conn_flush(c);
    ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - 1 - c->in_len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 && c->is_busy)
        die("the API at %s closed a connection in the middle of a request", c->pool->target->name);
    if (n <= 0) {
        conn_close(c);
        c->pool->reconnects++;
        return;
    }
    c->in_len += (size_t)n;
    c->in[c->in_len] = 0;
    if (c->is_busy && is_complete(c, &body))
        on_answer(c, body);
    else if (c->in_len == sizeof(c->in) - 1)
        die("an answer of the API at %s is longer than %zu bytes", c->pool->target->name,
            c->in_len);
}
