/* SPDX-License-Identifier: Apache-2.0 */
/* The Redis servers, one shard each. */
#include "pushd/control/shards.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define LINKS 3 /* commands, subscriptions of clients, control channels */

int shards_init(struct shards *s, const struct conf *conf, struct err *e)
{
    *s = (struct shards){0};
    int rc = redis_urls_parse(&conf->engine.redis, &s->urls, e);
    if (rc != 0) {
        return rc;
    }
    s->n = s->urls.n;
    s->items = mem_zalloc(s->n * sizeof(*s->items));
    for (uint32_t i = 0; i < s->n; i++) {
        struct shard *one = &s->items[i];
        one->url = &s->urls.items[i];
        redis_story_init(&one->story, one->url->path != NULL ? "unix" : "tcp", one->url->display,
                         LINKS);
    }
    return 0;
}

void shards_fini(struct shards *s)
{
    free(s->items);
    redis_urls_fini(&s->urls);
}

struct redis_link_opts shards_link(const struct shards *s, uint32_t shard,
                                   const struct shards_opts *opts)
{
    const char *name = opts->conf->engine.redis.client_name;
    return (struct redis_link_opts){
        .loop = opts->loop,
        .url = s->items[shard].url,
        .client_name = name != NULL ? name : "",
        .story = &s->items[shard].story,
        .metrics = opts->metrics,
    };
}

void shards_open(struct shards *s, const struct shards_opts *opts)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct shard *one = &s->items[i];
        one->story.reported = opts->reported;
        one->story.arg = opts->arg;
        struct redis_conn_opts conn = {
            .link = shards_link(s, i, opts),
            .timeout_ms = opts->conf->pushd.redis_timeout_ms,
            .up = opts->up,
            .arg = opts->arg,
        };
        conn.link.role = "commands";
        redis_conn_open(&one->commands, &conn);
    }
}

void shards_close(struct shards *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        s->items[i].story.reported = NULL;
        redis_conn_close(&s->items[i].commands);
    }
}

static void on_published(void *arg, int error, const struct redisReply *reply)
{
    struct shard *one = arg;
    struct err e = {0};
    if (error == 0 && engine_ok_read(reply, &e) != 0) {
        redis_story_answer(&one->story, "publish to the cluster", e.text);
    }
}

/* A Redis that stands still takes commands until one of them is late, so one whose subscriptions
 * are lost is not asked as long as there is another. */
static int publish_by(struct shards *s, struct buf *command, bool is_ready)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct shard *one = &s->items[++s->turn % s->n];
        if ((redis_story_state(&one->story) == CONTROL_REDIS_READY) == is_ready &&
            redis_conn_submit(&one->commands, command, 0, on_published, one) == 0) {
            return 0;
        }
    }
    return ERR_UNAVAILABLE;
}

int shards_publish(struct shards *s, struct buf *command)
{
    return publish_by(s, command, true) == 0 ? 0 : publish_by(s, command, false);
}

bool shards_are_idle(const struct shards *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->items[i].commands.count != 0) {
            return false;
        }
    }
    return true;
}

enum control_redis_state shards_state(const struct shards *s)
{
    uint32_t count[CONTROL_REDIS_STATES] = {0};
    for (uint32_t i = 0; i < s->n; i++) {
        count[redis_story_state(&s->items[i].story)]++;
    }
    if (count[CONTROL_REDIS_CONNECTING] != 0) {
        return CONTROL_REDIS_CONNECTING;
    }
    if (count[CONTROL_REDIS_READY] == s->n) {
        return CONTROL_REDIS_READY;
    }
    return count[CONTROL_REDIS_READY] != 0 ? CONTROL_REDIS_PARTLY_DOWN : CONTROL_REDIS_DOWN;
}
