/* SPDX-License-Identifier: Apache-2.0 */
/* Several Redis at the same time. */
#include "fcgi/redis_shards.h"

#include "common/base/clk.h"
#include "common/base/mem.h"

#include <poll.h>
#include <stdlib.h>

/* ---- all threads ---- */

int rsync_shards_init(struct rsync_shards *s, const struct conf *conf, struct err *e)
{
    *s = (struct rsync_shards){0};
    int rc = redis_urls_parse(&conf->engine.redis, &s->urls, e);
    if (rc != 0) {
        return rc;
    }
    s->n = s->urls.n;
    s->targets = mem_zalloc(s->n * sizeof(*s->targets));
    for (uint32_t i = 0; i < s->n; i++) {
        rsync_target_init(&s->targets[i], &s->urls.items[i], conf->pushd.redis_timeout_ms);
        s->targets[i].client_name = conf->engine.redis.client_name;
    }
    return 0;
}

void rsync_shards_fini(struct rsync_shards *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        rsync_target_fini(&s->targets[i]);
    }
    free(s->targets);
    redis_urls_fini(&s->urls);
    s->n = 0;
}

uint32_t rsync_shards_next(struct rsync_shards *s)
{
    return s->n == 1 ? 0
                     : (atomic_fetch_add_explicit(&s->turn, 1, memory_order_relaxed) + 1) % s->n;
}

/* ---- one thread ---- */

struct rsync_pool *rsync_pool_new(struct rsync_shards *s)
{
    struct rsync_pool *p = mem_zalloc(sizeof(*p));
    p->shards = s;
    p->conns = mem_zalloc(s->n * sizeof(struct rsync *));
    p->batches = mem_zalloc(s->n * sizeof(*p->batches));
    p->waits = mem_zalloc(s->n * sizeof(*p->waits));
    for (uint32_t i = 0; i < s->n; i++) {
        p->conns[i] = rsync_new(&s->targets[i]);
    }
    return p;
}

void rsync_pool_free(struct rsync_pool *p)
{
    if (p == NULL) {
        return;
    }
    for (uint32_t i = 0; i < p->shards->n; i++) {
        rsync_free(p->conns[i]);
        buf_free(&p->batches[i].commands);
    }
    free((void *)p->conns);
    free(p->batches);
    free(p->waits);
    free(p);
}

static void end(struct rsync_pool *p, uint32_t i)
{
    struct rsync_batch *b = &p->batches[i];
    b->rc = rsync_end(p->conns[i], b->count, b->fn, b->arg, &b->err);
    p->waits[i].fd = -1;
}

/* Sends all. Making a connection may take up what time there is, so each of them gets its share of
 * it only. Returns how many answers are to come. */
static uint32_t begin_all(struct rsync_pool *p, uint32_t busy, int64_t now)
{
    uint32_t begun = 0;
    for (uint32_t i = 0; i < p->shards->n; i++) {
        struct rsync_batch *b = &p->batches[i];
        p->waits[i] = (struct pollfd){.fd = -1, .events = POLLIN};
        if (b->count == 0) {
            continue;
        }
        int64_t at = clk_mono_ms();
        int64_t left = now + p->shards->targets[i].timeout_ms - at;
        b->rc = rsync_begin(p->conns[i], buf_span(&b->commands), now, at + left / busy--, &b->err);
        if (b->rc == 0) {
            p->waits[i].fd = rsync_fd(p->conns[i]);
            begun++;
        }
    }
    return begun;
}

/* Nothing came for a while: suspects who is silent, and gives up who is late. Returns how many. */
static uint32_t end_late(struct rsync_pool *p)
{
    uint32_t ended = 0;
    int64_t now = clk_mono_ms();
    for (uint32_t i = 0; i < p->shards->n; i++) {
        if (p->waits[i].fd >= 0 && rsync_note_silence(p->conns[i], now) <= 0) {
            end(p, i);
            ended++;
        }
    }
    return ended;
}

static uint32_t end_ready(struct rsync_pool *p)
{
    uint32_t ended = 0;
    for (uint32_t i = 0; i < p->shards->n; i++) {
        if (p->waits[i].fd >= 0 && p->waits[i].revents != 0) {
            end(p, i);
            ended++;
        }
    }
    return ended;
}

/* Until when nothing need be done unless an answer comes. */
static int pause_ms(const struct rsync_pool *p)
{
    int64_t least = RSYNC_SUSPECT_MS;
    int64_t now = clk_mono_ms();
    for (uint32_t i = 0; i < p->shards->n; i++) {
        int64_t left = p->waits[i].fd >= 0 ? rsync_note_silence(p->conns[i], now) : least;
        least = left < least ? left : least;
    }
    return least > 0 ? (int)least : 0;
}

static void run_together(struct rsync_pool *p, uint32_t busy)
{
    uint32_t left = begin_all(p, busy, clk_mono_ms());
    while (left > 0) {
        int rc = poll(p->waits, p->shards->n, pause_ms(p));
        left -= rc > 0 ? end_ready(p) : end_late(p);
    }
}

void rsync_pool_run(struct rsync_pool *p)
{
    uint32_t busy = 0;
    uint32_t only = 0;
    for (uint32_t i = 0; i < p->shards->n; i++) {
        if (p->batches[i].count != 0) {
            busy++;
            only = i;
        }
        p->batches[i].rc = 0;
    }
    if (busy > 1) {
        run_together(p, busy);
    } else if (busy == 1) {
        struct rsync_batch *b = &p->batches[only];
        b->rc = rsync_run(p->conns[only], buf_span(&b->commands), b->count, b->fn, b->arg, &b->err);
    }
    for (uint32_t i = 0; i < p->shards->n; i++) {
        p->batches[i].count = 0;
        buf_clear(&p->batches[i].commands);
    }
}

void rsync_pool_shrink(struct rsync_pool *p, size_t keep_bytes)
{
    for (uint32_t i = 0; i < p->shards->n; i++) {
        if (p->batches[i].commands.cap > keep_bytes) {
            buf_free(&p->batches[i].commands);
        }
    }
}
