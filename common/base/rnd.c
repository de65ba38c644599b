/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes and identifiers. */
#include "common/base/rnd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* One system call serves several small requests. */
static _Thread_local unsigned char pool[512];
static _Thread_local size_t pool_used = sizeof(pool);

static void from_kernel(void *p, size_t n)
{
    char *at = p;
    while (n != 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            perror("getrandom");
            abort();
        }
        at += got;
        n -= (size_t)got;
    }
}

void rnd_bytes(void *p, size_t n)
{
    if (n > sizeof(pool) / 2) {
        from_kernel(p, n);
        return;
    }
    if (sizeof(pool) - pool_used < n) {
        from_kernel(pool, sizeof(pool));
        pool_used = 0;
    }
    memcpy(p, pool + pool_used, n);
    memset(pool + pool_used, 0, n);
    pool_used += n;
}

uint32_t rnd_below(uint32_t bound)
{
    uint32_t v;
    rnd_bytes(&v, sizeof(v));
    return (uint32_t)(((uint64_t)v * bound) >> 32);
}

void rnd_uuid(char out[RND_UUID_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char b[16];
    rnd_bytes(b, sizeof(b));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    char *at = out;
    for (size_t i = 0; i < sizeof(b); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *at++ = '-';
        }
        *at++ = hex[b[i] >> 4];
        *at++ = hex[b[i] & 15];
    }
    *at = '\0';
}

void rnd_epoch(char out[RND_EPOCH_LEN + 1])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    unsigned char b[RND_EPOCH_LEN];
    rnd_bytes(b, sizeof(b));
    for (size_t i = 0; i < RND_EPOCH_LEN; i++) {
        out[i] = letters[b[i] % 52];
    }
    out[RND_EPOCH_LEN] = '\0';
}
