/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers of the bench: time, memory, text, output buffers. It stands alone, so that it
 * measures any server. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS  1000000ull

/* Prints "push-bench: TEXT" and ends the program with status 2. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints "push-bench: note: TEXT" and goes on. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* CLOCK_MONOTONIC in nanoseconds; the same clock in every process of the host. */
uint64_t now_ns(void);
/* Sleeps in the kernel until an absolute now_ns() time. */
void sleep_until_ns(uint64_t when_ns);

/* Both end the program when memory is out. Zeroed. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);

/* Sixteen lower-case hexadecimal digits, not terminated. */
void hex16_put(char *out, uint64_t value);
/* Inverse; false when one of the sixteen bytes is no lower-case digit. */
bool hex16_get(const char *in, uint64_t *value);

/* xorshift64*; a state of 0 is not allowed. */
uint64_t rng_next(uint64_t *state);

/* Standard alphabet with padding, or the URL alphabet without; returns the length written, `out`
 * holds 4 * (n / 3 + 1). */
size_t base64_put(char *out, const void *in, size_t n, bool url);

/* Unsigned LEB128, 1 to 10 bytes; returns the length. */
size_t varint_put(uint8_t *out, uint64_t value);
/* Returns the length read, 0 when the bytes end early or the number is too long. */
size_t varint_get(const uint8_t *in, size_t n, uint64_t *value);

/* Bytes on their way to a socket: [off, len) is not sent yet. */
struct obuf {
    char *data;
    size_t len, cap, off;
};

void obuf_add(struct obuf *b, const void *p, size_t n);
void obuf_addf(struct obuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Returns 0 when everything is sent, 1 when the socket is full, -1 when it is broken. */
int obuf_flush(struct obuf *b, int fd);
