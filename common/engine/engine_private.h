/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the engine share. Private to common/engine. */
#pragma once

#include "common/engine/engine.h"

struct redisReply;

/* Appends PREFIX KIND CHANNEL as one argument; kind has its dots: ".stream.". */
void engine__key_arg(const struct engine *e, const char *kind, struct span channel,
                     struct buf *out);

/* 0 for a reply that is no error, else ERR_UNAVAILABLE with Redis's words; NULL means that the
 * connection is gone. */
int engine__reply_check(const struct redisReply *r, struct err *err);
/* The bytes of a string, absent for anything else. */
struct span engine__reply_text(const struct redisReply *r);
/* A number that Redis gave as an integer or as text; nil counts as 0. */
int engine__reply_u64(const struct redisReply *r, uint64_t *out);
/* ERR_SYNTAX saying which command got an answer that it should not get. */
int engine__reply_unexpected(const char *command, struct err *err);

/* Writes a millisecond duration of the configuration in whole seconds, rounded up. */
static inline int64_t engine__seconds(int64_t ms)
{
    return ms <= 0 ? 0 : (ms - 1) / 1000 + 1;
}
