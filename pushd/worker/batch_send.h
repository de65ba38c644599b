/* SPDX-License-Identifier: Apache-2.0 */
/* Batch send: a list of (descriptor, bytes) goes in, a list of results comes out, nothing waits. */
#pragma once

#include "common/base/err.h"
#include "common/policy/conf.h"

#include <sys/types.h>

#define BATCH_SEND_MAX 512

struct send_job {
    int fd;
    size_t len;
    const void *data; /* has to stay until batch_send returns */
    ssize_t result;   /* bytes taken by the kernel, or a negative errno (-EAGAIN: none) */
};

struct batch_send;

/* One io_uring submission a batch where the kernel allows it, else a loop of send(). AUTO falls
 * back silently; IO_URING fails with e. Must be made on the thread that uses it: the ring has one
 * issuer. */
struct batch_send *batch_send_new(enum conf_batch_send mode, struct err *e);
void batch_send_free(struct batch_send *b);

/* "io_uring" or "send". */
const char *batch_send_name(const struct batch_send *b);

/* Sends up to BATCH_SEND_MAX jobs; each gets its result. A short count is a normal result: the
 * caller keeps the rest. */
void batch_send(struct batch_send *b, struct send_job *jobs, size_t n);
