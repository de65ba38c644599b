/* SPDX-License-Identifier: Apache-2.0 */
/* The engine against a redis-server of its own. */
#include "tests/unit/engine_fixture.h"

#include <stdio.h>

redisContext *redis;
struct conf conf;
struct engine engine;
struct arena arena;
static struct redis_server server;
static redisContext *listener;

int engine_setup(void **state)
{
    (void)state;
    static char prefix[] = "centrifugo";
    conf = (struct conf){.engine.redis.prefix = prefix,
                         .engine.redis.presence_ttl_ms = 60000,
                         .channel.history_meta_ttl_ms = INT64_C(2592000000)};
    engine_init(&engine, &conf);
    redisReply *r = redisCommand(redis, "FLUSHALL");
    freeReplyObject(r);
    listener = redis_server_connect(&server);
    r = redisCommand(listener, "SUBSCRIBE centrifugo.client.chat");
    freeReplyObject(r);
    return 0;
}

int engine_teardown(void **state)
{
    (void)state;
    redisFree(listener);
    arena_fini(&arena);
    return 0;
}

redisReply *call(struct buf *command)
{
    void *reply = NULL;
    assert_false(command->failed);
    assert_int_equal(redisAppendFormattedCommand(redis, command->p, command->n), REDIS_OK);
    assert_int_equal(redisGetReply(redis, &reply), REDIS_OK);
    buf_free(command);
    return reply;
}

static void add_reply(struct buf *b, const redisReply *r)
{
    switch (r->type) {
    case REDIS_REPLY_ARRAY:
        buf_add_char(b, '[');
        for (size_t i = 0; i < r->elements; i++) {
            if (i > 0) {
                buf_add_char(b, ' ');
            }
            add_reply(b, r->element[i]);
        }
        buf_add_char(b, ']');
        break;
    case REDIS_REPLY_INTEGER:
        buf_addf(b, "%lld", r->integer);
        break;
    case REDIS_REPLY_NIL:
        buf_add_str(b, "nil");
        break;
    default:
        buf_add(b, r->str, (size_t)r->len);
        break;
    }
}

void assert_redis(const char *command, const char *want)
{
    struct buf b = {0};
    redisReply *r = redisCommand(redis, command);
    add_reply(&b, r);
    assert_string_equal(buf_cstr(&b), want);
    freeReplyObject(r);
    buf_free(&b);
}

/* A marker that is published now tells when there is no message. */
void assert_published(const char *want, size_t n)
{
    void *reply = NULL;
    freeReplyObject(redisCommand(redis, "PUBLISH centrifugo.client.chat marker"));
    assert_int_equal(redisGetReply(listener, &reply), REDIS_OK);
    const redisReply *payload = ((redisReply *)reply)->element[2];
    if (want == NULL) {
        assert_string_equal(payload->str, "marker");
    } else {
        assert_int_equal(payload->len, n);
        assert_memory_equal(payload->str, want, n);
        void *marker = NULL;
        assert_int_equal(redisGetReply(listener, &marker), REDIS_OK);
        assert_string_equal(((redisReply *)marker)->element[2]->str, "marker");
        freeReplyObject(marker);
    }
    freeReplyObject(reply);
}

bool engine_test_begin(void)
{
    if (!redis_server_start(&server)) {
        fputs("skipped: redis-server is not installed\n", stderr);
        return false;
    }
    redis = redis_server_connect(&server);
    return true;
}

void engine_test_end(void)
{
    redisFree(redis);
    redis_server_stop(&server);
}
