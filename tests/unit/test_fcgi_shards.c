/* SPDX-License-Identifier: Apache-2.0 */
/* The API with two Redis: what belongs to a channel goes to its shard, and one that is dead or
 * silent costs only its own channels. "chat:index" and "b" are on the first, "test" and "a" on the
 * second. */
#include "tests/unit/unit.h"

#include "common/base/clk.h"
#include "tests/unit/fcgi_fixture.h"
#include "tests/unit/redis_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Of a silent Redis; what a machine under load may add, and still far from the timeout of the
 * others, for whom no test waits in vain. */
#define TIMEOUT_MS 300
#define SLACK_MS   10000

static const char config[] =
    "{\"http_api\":{\"key\":\"key\"},\"pushd\":{\"redis_timeout\":\"60s\"},"
    "\"channel\":{\"without_namespace\":{\"history_size\":5,\"history_ttl\":\"60s\","
    "\"presence\":true},\"namespaces\":[{\"name\":\"chat\"}]}}";

static const char broadcast[] =
    "{\"channels\":[\"test\",\"chat:index\",\"a\",\"b\"],\"data\":1,\"idempotency_key\":\"k\"}";

static struct redis_server first;
static struct redis_server second;
static struct fcgi_fixture f;

static long long at(const struct redis_server *s, const char *command)
{
    redisContext *c = redis_server_connect(s);
    redisReply *r = redisCommand(c, command);
    long long n = r->integer;
    freeReplyObject(r);
    redisFree(c);
    return n;
}

static int set_up(void **state)
{
    char sockets[256];
    (void)state;
    redis_server_heal(&first);
    redis_server_heal(&second);
    at(&first, "FLUSHALL");
    at(&second, "FLUSHALL");
    snprintf(sockets, sizeof(sockets), "%s,%s", first.socket, second.socket);
    fcgi_fixture_open(&f, config, sockets);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fcgi_fixture_close(&f);
    return 0;
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, part)) != NULL; p++) {
        n++;
    }
    return n;
}

static void everything_of_a_channel_is_on_its_shard(void **state)
{
    (void)state;
    assert_int_equal(f.shards.n, 2);
    assert_int_equal(count(fcgi_post(&f, "/api/broadcast", broadcast), "\"error\""), 0);
    assert_int_equal(at(&first, "EXISTS centrifugo.stream.b centrifugo.result.b.k "
                                "centrifugo.result.chat:index.k"),
                     3);
    assert_int_equal(at(&second, "EXISTS centrifugo.stream.test centrifugo.stream.a "
                                 "centrifugo.result.test.k centrifugo.result.a.k"),
                     4);
    assert_int_equal(at(&first, "EXISTS centrifugo.stream.test centrifugo.stream.a"), 0);
    assert_non_null(strstr(fcgi_post(&f, "/api/history", "{\"channel\":\"test\",\"limit\":-1}"),
                           "\"offset\":1"));
    assert_non_null(strstr(fcgi_post(&f, "/api/presence", "{\"channel\":\"a\"}"), "\"presence\""));
    assert_non_null(
        strstr(fcgi_post(&f, "/api/history_remove", "{\"channel\":\"test\"}"), "\"result\":{}"));
    assert_int_equal(at(&second, "EXISTS centrifugo.stream.test"), 0);
}

/* Two rounds: the scripts are unknown in both Redis, then in one. */
static void scripts_are_given_to_whoever_lacks_them(void **state)
{
    (void)state;
    at(&first, "SCRIPT FLUSH");
    at(&second, "SCRIPT FLUSH");
    assert_int_equal(count(fcgi_post(&f, "/api/broadcast", broadcast), "\"error\""), 0);
    at(&second, "SCRIPT FLUSH");
    const char *answer = fcgi_post(
        &f, "/api/broadcast", "{\"channels\":[\"test\",\"b\",\"a\",\"b\",\"test\"],\"data\":2}");
    assert_int_equal(count(answer, "\"error\""), 0);
    assert_int_equal(count(answer, "\"offset\":2"), 3);
    assert_int_equal(count(answer, "\"offset\":3"), 2);
}

static void batches_answer_in_the_order_of_their_commands(void **state)
{
    (void)state;
    const char *answer = fcgi_post(&f, "/api/batch",
                                   "{\"commands\":[{\"publish\":{\"channel\":\"a\",\"data\":1}},"
                                   "{\"publish\":{\"channel\":\"b\",\"data\":1}},"
                                   "{\"publish\":{\"channel\":\"a\",\"data\":2}},"
                                   "{\"history\":{\"channel\":\"b\"}}]}");
    const char *one = strstr(answer, "\"offset\":1");
    assert_non_null(one);
    const char *two = strstr(answer, "\"offset\":2");
    assert_true(two > one && count(answer, "\"offset\":1") == 3);
}

/* A control command counts as heard by the one that published it. */
static long long published(const struct redis_server *s)
{
    redisContext *c = redis_server_connect(s);
    redisReply *r = redisCommand(c, "INFO commandstats");
    const char *p = strstr(r->str, "cmdstat_publish:calls=");
    long long n = p != NULL ? strtoll(p + strlen("cmdstat_publish:calls="), NULL, 10) : 0;
    freeReplyObject(r);
    redisFree(c);
    return n;
}

static void disconnect(const char *want)
{
    assert_non_null(strstr(fcgi_post(&f, "/api/disconnect", "{\"user\":\"u\"}"), want));
}

static void the_cluster_is_reached_by_turns(void **state)
{
    (void)state;
    long long before[] = {published(&first), published(&second)};
    for (int i = 0; i < 4; i++) {
        disconnect("{\"result\":{}}");
    }
    assert_int_equal(published(&first), before[0] + 2);
    assert_int_equal(published(&second), before[1] + 2);
}

static void assert_half_is_published(int64_t limit_ms)
{
    int64_t start = clk_mono_ms();
    const char *answer = fcgi_post(
        &f, "/api/broadcast", "{\"channels\":[\"test\",\"chat:index\",\"a\",\"b\"],\"data\":1}");
    int64_t took = clk_mono_ms() - start;
    assert_int_equal(count(answer, "\"code\":100"), 2);
    assert_int_equal(count(answer, "\"result\":{\"responses\":[{\"error\""), 1); /* of "test" */
    assert_non_null(strstr(answer, "},{\"result\""));
    assert_true(took <= limit_ms);
}

static void a_dead_shard_fails_its_channels_only(void **state)
{
    (void)state;
    assert_int_equal(count(fcgi_post(&f, "/api/broadcast", broadcast), "\"error\""), 0);
    redis_server_kill(&second);
    for (int i = 0; i < 3; i++) {
        assert_half_is_published(SLACK_MS);
        disconnect("{\"result\":{}}");
    }
    assert_non_null(strstr(fcgi_post(&f, "/api/presence", "{\"channel\":\"a\"}"), "\"code\":100"));
    assert_non_null(strstr(fcgi_post(&f, "/api/presence", "{\"channel\":\"b\"}"), "\"result\""));
    redis_server_restart(&second);
    assert_int_equal(count(fcgi_post(&f, "/api/broadcast", broadcast), "\"error\""), 0);
}

static struct rsync_target *freeze(const struct redis_server *s, size_t shard)
{
    redis_server_freeze(s, true);
    f.shards.targets[shard].timeout_ms = TIMEOUT_MS;
    return &f.shards.targets[shard];
}

static void a_silent_shard_costs_one_timeout(void **state)
{
    (void)state;
    assert_int_equal(count(fcgi_post(&f, "/api/broadcast", broadcast), "\"error\""), 0);
    struct rsync_target *silent = freeze(&second, 1);
    assert_half_is_published(TIMEOUT_MS + SLACK_MS);
    assert_int_not_equal(silent->retry_at_ms, 0);
    silent->retry_at_ms = INT64_MAX; /* else it may be over when a busy machine goes on with us */
    assert_half_is_published(SLACK_MS);
    assert_false(rsync_target_is_down(&f.shards.targets[0]));
    redis_server_freeze(&second, false);
    silent->timeout_ms = f.shards.targets[0].timeout_ms;
    rsync_target_reset(silent); /* what the background thread does */
    assert_int_equal(count(fcgi_post(&f, "/api/broadcast", broadcast), "\"error\""), 0);
}

/* Nothing is connected yet, and the one that comes first keeps us waiting in its greeting. */
static void connecting_to_a_silent_shard_leaves_time_for_the_others(void **state)
{
    (void)state;
    freeze(&first, 0);
    int64_t start = clk_mono_ms();
    const char *answer =
        fcgi_post(&f, "/api/broadcast", "{\"channels\":[\"b\",\"test\",\"a\"],\"data\":1}");
    assert_true(clk_mono_ms() - start <= TIMEOUT_MS + SLACK_MS);
    assert_int_equal(count(answer, "\"code\":100"), 1);
    assert_int_equal(count(answer, "\"offset\":1"), 2);
    redis_server_freeze(&first, false);
}

/* The one that is well is sent its command first, and then nobody listens while the other one is
 * connected to. */
static void connecting_to_a_silent_shard_casts_no_suspicion_on_others(void **state)
{
    (void)state;
    freeze(&second, 1);
    const char *answer =
        fcgi_post(&f, "/api/broadcast", "{\"channels\":[\"b\",\"test\"],\"data\":1}");
    assert_int_equal(count(answer, "\"code\":100"), 1);
    assert_true(rsync_target_is_well(&f.shards.targets[0]));
    redis_server_freeze(&second, false);
}

static void nodes_are_known_while_one_subscriber_is_up(void **state)
{
    struct registry *r = f.api.registry;
    (void)state;
    assert_false(registry_is_up(r));
    registry_set_up(r, 0, true);
    registry_set_up(r, 1, false); /* tried in vain */
    assert_true(registry_is_up(r));
    assert_non_null(strstr(fcgi_post(&f, "/api/info", "{}"), "\"nodes\":[]"));
    registry_set_up(r, 1, true);
    registry_set_up(r, 0, false);
    assert_non_null(strstr(fcgi_post(&f, "/api/info", "{}"), "\"nodes\":[]"));
    registry_set_up(r, 1, false);
    assert_false(registry_is_up(r));
    assert_non_null(strstr(fcgi_post(&f, "/api/info", "{}"), "\"code\":100"));
}

static int start(void **state)
{
    (void)state;
    log_threshold = LOG_LEVEL_NONE;
    if (!redis_server_start(&first) || !redis_server_start(&second)) {
        printf("redis-server is not installed: skipped\n");
        _exit(77);
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    redis_server_stop(&first);
    redis_server_stop(&second);
    return 0;
}

#define SHARD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHARD_TEST(everything_of_a_channel_is_on_its_shard),
        SHARD_TEST(scripts_are_given_to_whoever_lacks_them),
        SHARD_TEST(batches_answer_in_the_order_of_their_commands),
        SHARD_TEST(the_cluster_is_reached_by_turns),
        SHARD_TEST(a_dead_shard_fails_its_channels_only),
        SHARD_TEST(a_silent_shard_costs_one_timeout),
        SHARD_TEST(connecting_to_a_silent_shard_leaves_time_for_the_others),
        SHARD_TEST(connecting_to_a_silent_shard_casts_no_suspicion_on_others),
        SHARD_TEST(nodes_are_known_while_one_subscriber_is_up),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
