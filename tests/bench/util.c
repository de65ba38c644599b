/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers of the bench. */
#include "tests/bench/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static void say(const char *mark, const char *fmt, va_list ap)
{
    fflush(stdout);
    fprintf(stderr, "push-bench: %s", mark);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say("", fmt, ap);
    va_end(ap);
    exit(2);
}

void note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say("note: ", fmt, ap);
    va_end(ap);
}

uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

void sleep_until_ns(uint64_t when_ns)
{
    struct timespec ts = {.tv_sec = (time_t)(when_ns / NS_PER_SEC),
                          .tv_nsec = (long)(when_ns % NS_PER_SEC)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR) {
    }
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);
    if (!p)
        die("out of memory");
    return p;
}

void *xrealloc(void *p, size_t size)
{
    p = realloc(p, size);
    if (!p)
        die("out of memory");
    return p;
}

void hex16_put(char *out, uint64_t value)
{
    for (int i = 15; i >= 0; i--, value >>= 4)
        out[i] = "0123456789abcdef"[value & 15];
}

bool hex16_get(const char *in, uint64_t *value)
{
    uint64_t v = 0;
    for (int i = 0; i < 16; i++) {
        unsigned c = (unsigned char)in[i];
        unsigned digit = c - '0';
        if (digit > 9) {
            digit = c - 'a' + 10;
            if (digit < 10 || digit > 15)
                return false;
        }
        v = v << 4 | digit;
    }
    *value = v;
    return true;
}

uint64_t rng_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dull;
}

size_t base64_put(char *out, const void *in, size_t n, bool url)
{
    const char *abc = url ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                          : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = in;
    size_t o = 0;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t v = (uint32_t)p[i] << 16;
        v |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        v |= left > 2 ? p[i + 2] : 0;
        out[o++] = abc[v >> 18];
        out[o++] = abc[v >> 12 & 63];
        if (left > 1)
            out[o++] = abc[v >> 6 & 63];
        if (left > 2)
            out[o++] = abc[v & 63];
    }
    while (!url && o % 4)
        out[o++] = '=';
    return o;
}

size_t varint_put(uint8_t *out, uint64_t value)
{
    size_t n = 0;
    while (value > 127) {
        out[n++] = (uint8_t)(value | 128);
        value >>= 7;
    }
    out[n++] = (uint8_t)value;
    return n;
}

size_t varint_get(const uint8_t *in, size_t n, uint64_t *value)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n && i < 10; i++) {
        v |= (uint64_t)(in[i] & 127) << (7 * i);
        if (in[i] < 128) {
            *value = v;
            return i + 1;
        }
    }
    return 0;
}

static char *obuf_room(struct obuf *b, size_t n)
{
    if (b->off == b->len)
        b->off = b->len = 0;
    if (b->len + n > b->cap) {
        b->cap = (b->len + n) * 2;
        b->data = xrealloc(b->data, b->cap);
    }
    return b->data + b->len;
}

void obuf_add(struct obuf *b, const void *p, size_t n)
{
    memcpy(obuf_room(b, n), p, n);
    b->len += n;
}

void obuf_addf(struct obuf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n > 0) {
        vsnprintf(obuf_room(b, (size_t)n + 1), (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

int obuf_flush(struct obuf *b, int fd)
{
    while (b->off < b->len) {
        ssize_t n = send(fd, b->data + b->off, b->len - b->off, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 1 : -1;
        b->off += (size_t)n;
    }
    b->off = b->len = 0;
    return 0;
}
