/* SPDX-License-Identifier: Apache-2.0 */
/* The web server's side of FastCGI (specification 1.0). */
#include "tests/unit/fcgi_client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ANSWER_MS 60000

enum {
    BEGIN = 1,
    END = 3,
    PARAMS = 4,
    BODY = 5,
    OUTPUT = 6
};

int fcgi_dial(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

static void add_record(struct buf *b, int type, const void *content, size_t n)
{
    const unsigned char head[8] = {
        1, (unsigned char)type, 0, 1, (unsigned char)(n >> 8), (unsigned char)n, 0, 0};
    buf_add(b, head, sizeof(head));
    buf_add(b, content, n);
}

static void add_length(struct buf *b, size_t n)
{
    const unsigned char bytes[4] = {(unsigned char)(0x80 | n >> 24), (unsigned char)(n >> 16),
                                    (unsigned char)(n >> 8), (unsigned char)n};
    if (n < 128) {
        buf_add_char(b, (char)n);
    } else {
        buf_add(b, bytes, 4);
    }
}

static void add_param(struct buf *b, const char *name, const char *value)
{
    add_length(b, strlen(name));
    add_length(b, strlen(value));
    buf_add_str(b, name);
    buf_add_str(b, value);
}

void fcgi_add_request(struct buf *b, const char *uri, const struct buf *body, size_t announced,
                      bool keep)
{
    const unsigned char begin[8] = {0, 1, keep ? 1 : 0};
    struct buf params = {0};
    char length[24];
    snprintf(length, sizeof(length), "%zu", announced);
    add_param(&params, "REQUEST_METHOD", "POST");
    add_param(&params, "REQUEST_URI", uri);
    add_param(&params, "HTTP_X_API_KEY", "key");
    add_param(&params, "CONTENT_LENGTH", length);
    add_record(b, BEGIN, begin, sizeof(begin));
    add_record(b, PARAMS, params.p, params.n);
    add_record(b, PARAMS, NULL, 0);
    for (size_t at = 0; at < body->n; at += 60000) {
        add_record(b, BODY, body->p + at, body->n - at < 60000 ? body->n - at : 60000);
    }
    add_record(b, BODY, NULL, 0);
    buf_free(&params);
}

void fcgi_send_bytes(int fd, const char *p, size_t n)
{
    while (n != 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        p += sent;
        n -= (size_t)sent;
    }
}

static bool read_exactly(int fd, void *p, size_t n)
{
    for (size_t got = 0; got < n;) {
        struct pollfd w = {.fd = fd, .events = POLLIN};
        ssize_t k = poll(&w, 1, ANSWER_MS) == 1 ? recv(fd, (char *)p + got, n - got, 0) : -1;
        if (k <= 0) {
            return false;
        }
        got += (size_t)k;
    }
    return true;
}

bool fcgi_read_answer(int fd, struct buf *out)
{
    unsigned char head[8];
    char content[65536 + 256];
    buf_clear(out);
    while (read_exactly(fd, head, sizeof(head))) {
        size_t n = (size_t)head[4] << 8 | head[5];
        if (!read_exactly(fd, content, n + head[6])) {
            return false;
        }
        if (head[1] == OUTPUT) {
            buf_add(out, content, n);
        } else if (head[1] == END) {
            buf_cstr(out);
            return true;
        }
    }
    return false;
}
