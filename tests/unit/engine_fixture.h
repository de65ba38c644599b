/* SPDX-License-Identifier: Apache-2.0 */
/* The engine against a redis-server of its own: commands, and what they leave behind. */
#pragma once

#include "tests/unit/unit.h"

#include "common/base/err.h"
#include "common/engine/engine.h"
#include "tests/unit/redis_server.h"

extern redisContext *redis;
extern struct conf conf; /* what the engine was made from; engine_init it again after a change */
extern struct engine engine;
extern struct arena arena;

/* Starts redis-server; false when it is not installed. */
bool engine_test_begin(void);
void engine_test_end(void);

/* For cmocka: an empty Redis, the default engine, and a listener on the channel "chat". */
int engine_setup(void **state);
int engine_teardown(void **state);
#define ENGINE_TEST(name) cmocka_unit_test_setup_teardown(name, engine_setup, engine_teardown)

/* Runs a command that the engine built, and frees its bytes. */
redisReply *call(struct buf *command);
/* Runs a command of words and compares its reply as text: arrays in brackets. */
void assert_redis(const char *command, const char *want);
/* The next message that the listener got; want NULL: none. */
void assert_published(const char *want, size_t n);
#define ASSERT_PUBLISHED(literal) assert_published(literal, sizeof(literal) - 1)
