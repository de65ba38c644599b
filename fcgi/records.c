/* SPDX-License-Identifier: Apache-2.0 */
/* FastCGI records. */
#include "fcgi/records.h"

#define HEAD_BYTES     8
#define BEGIN_BYTES    8
#define RECORD_VERSION 1

enum {
    RECORD_BEGIN = 1,
    RECORD_ABORT = 2,
    RECORD_PARAMS = 4,
    RECORD_STDIN = 5,
    RECORD_DATA = 8
};

struct record {
    unsigned type;
    unsigned id;
    const unsigned char *content; /* NULL when it has not arrived completely */
    size_t n;
    size_t padding;
};

/* The record at *at; false when not even its head is there. */
static bool next_record(const unsigned char *p, size_t n, size_t *at, struct record *r)
{
    if (n - *at < HEAD_BYTES) {
        return false;
    }
    const unsigned char *head = p + *at;
    *r = (struct record){
        .type = head[0] == RECORD_VERSION ? head[1] : 0,
        .id = (unsigned)head[2] << 8 | head[3],
        .n = (size_t)head[4] << 8 | head[5],
        .padding = head[6],
    };
    *at += HEAD_BYTES;
    if (r->n == 0 && r->padding != 0) {
        r->type = 0; /* libfcgi takes padding behind the end of a stream, or behind BEGIN_REQUEST,
                        for a record */
    }
    if (n - *at >= r->n + r->padding) {
        r->content = p + *at;
        *at += r->n + r->padding;
    } else {
        *at = n;
    }
    return true;
}

/* One length of a name or value. */
static bool take_length(const unsigned char *p, size_t n, size_t *at, size_t *length)
{
    if (*at >= n) {
        return false;
    }
    if (p[*at] < 0x80) {
        *length = p[(*at)++];
        return true;
    }
    if (n - *at < 4) {
        return false;
    }
    *length = (size_t)(p[*at] & 0x7f) << 24 | (size_t)p[*at + 1] << 16 | (size_t)p[*at + 2] << 8 |
              p[*at + 3];
    *at += 4;
    return true;
}

/* Lengths that fit, and texts that mean the same to everybody: libfcgi makes "NAME=value" of them,
 * with a NUL behind it. */
static bool params_are_sound(const unsigned char *p, size_t n)
{
    size_t at = 0;
    while (at < n) {
        size_t name;
        size_t value;
        if (!take_length(p, n, &at, &name) || !take_length(p, n, &at, &value) || name > n - at ||
            value > n - at - name) {
            return false;
        }
        if (memchr(p + at, '=', name) != NULL || memchr(p + at, '\0', name + value) != NULL) {
            return false;
        }
        at += name + value;
    }
    return true;
}

/* The body, as far as it has arrived. */
static enum records_state check_body(const unsigned char *p, size_t n, size_t at, unsigned id)
{
    struct record r;
    while (next_record(p, n, &at, &r)) {
        bool is_fit = r.type == RECORD_STDIN || r.type == RECORD_DATA || r.type == RECORD_ABORT;
        if (!is_fit || r.id != id) {
            return RECORDS_GARBAGE;
        }
        if (r.type == RECORD_STDIN && r.content != NULL && r.n == 0) {
            break; /* its end; what follows is another request */
        }
    }
    return RECORDS_READY;
}

enum records_state records_check(const unsigned char *p, size_t n, struct buf *scratch)
{
    struct record r;
    size_t at = 0;
    buf_clear(scratch);
    if (!next_record(p, n, &at, &r)) {
        return n != 0 && p[0] != RECORD_VERSION ? RECORDS_GARBAGE : RECORDS_PARTIAL;
    }
    unsigned id = r.id;
    if (r.type != RECORD_BEGIN || r.n != BEGIN_BYTES || r.padding != 0 || id == 0) {
        return RECORDS_GARBAGE;
    }
    while (next_record(p, n, &at, &r)) {
        if (r.type != RECORD_PARAMS || r.id != id) {
            return RECORDS_GARBAGE;
        }
        if (r.content == NULL) {
            break;
        }
        if (r.n == 0) {
            bool is_sound = params_are_sound((const unsigned char *)scratch->p, scratch->n);
            return is_sound ? check_body(p, n, at, id) : RECORDS_GARBAGE;
        }
        buf_add(scratch, r.content, r.n);
    }
    return n > RECORDS_MAX_HEAD ? RECORDS_GARBAGE : RECORDS_PARTIAL;
}
