/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes and identifiers. */
#pragma once

#include "common/base/base.h"

#define RND_UUID_LEN  36
#define RND_EPOCH_LEN 8

/* Fills from the kernel's generator; aborts if that fails. Thread-safe. */
void rnd_bytes(void *p, size_t n);

/* Uniform in [0, bound). Not for secrets. */
uint32_t rnd_below(uint32_t bound);

/* A version 4 UUID in text form, NUL-terminated. */
void rnd_uuid(char out[RND_UUID_LEN + 1]);

/* A stream epoch as Centrifugo makes it: 8 letters, NUL-terminated. */
void rnd_epoch(char out[RND_EPOCH_LEN + 1]);
