/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of keys: one lock, held for a look-up in a table, which is a thousandth of what
 * checking a signature takes. */
#include "common/policy/jwks.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/htab.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/policy/token_keys.h"

/* Keys come from documents that the operator chose, so this is a guard and no tuning. */
#define ENTRIES_MAX     4096
#define KEYS_OF_KID_MAX 8

struct entry {
    struct htab_node node; /* key: address, NUL, kid; behind this struct */
    struct list recent;    /* in jwks_cache->recent, the last used at its end */
    size_t url_len;
    int64_t until_s;
    bool is_listed; /* in the newest document of its address */
    size_t n;
    struct {
        struct token_pubkey *key;
        const struct token_alg *alg;
    } keys[KEYS_OF_KID_MAX];
    char name[];
};

struct jwks_cache {
    pthread_mutex_t lock;
    struct htab entries;
    struct list recent;
};

struct jwks_cache *jwks_cache_new(void)
{
    struct jwks_cache *c = mem_zalloc(sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    list_init(&c->recent);
    return c;
}

static void drop(struct jwks_cache *c, struct entry *e)
{
    htab_remove(&c->entries, &e->node);
    list_unlink(&e->recent);
    for (size_t i = 0; i < e->n; i++) {
        token__pubkey_free(e->keys[i].key);
    }
    free(e);
}

void jwks_cache_free(struct jwks_cache *c)
{
    if (c != NULL) {
        while (!list_is_empty(&c->recent)) {
            drop(c, LIST_ENTRY(c->recent.next, struct entry, recent));
        }
        htab_fini(&c->entries);
        pthread_mutex_destroy(&c->lock);
        free(c);
    }
}

/* Neither an address nor a NUL in a kid can make two pairs look the same: an address has no NUL. */
static struct span name_of(struct span url, struct span kid, char *out)
{
    memcpy(out, url.p, url.n);
    out[url.n] = '\0';
    if (kid.n != 0) {
        memcpy(out + url.n + 1, kid.p, kid.n);
    }
    return span_of(out, url.n + 1 + kid.n);
}

static struct entry *find(const struct jwks_cache *c, struct span name)
{
    struct htab_node *node = htab_get(&c->entries, name);
    return node != NULL ? CONTAINER_OF(node, struct entry, node) : NULL;
}

static struct entry *make(struct span url, const struct jwks *d, struct span kid)
{
    struct entry *e = mem_zalloc(sizeof(*e) + url.n + 1 + kid.n);
    e->url_len = url.n;
    e->is_listed = true;
    e->node.key = name_of(url, kid, e->name);
    for (size_t i = 0; i < d->n && e->n < KEYS_OF_KID_MAX; i++) {
        if (d->keys[i].key != NULL && span_eq(d->keys[i].kid, kid)) {
            e->keys[e->n].key = token__pubkey_ref(d->keys[i].key);
            e->keys[e->n++].alg = d->keys[i].alg;
        }
    }
    return e;
}

static void put_one(struct jwks_cache *c, struct entry *e, int64_t now_s)
{
    struct entry *old = find(c, e->node.key);
    if (old != NULL) {
        drop(c, old);
    } else if (c->entries.count >= ENTRIES_MAX) {
        drop(c, LIST_ENTRY(c->recent.next, struct entry, recent));
    }
    e->until_s = now_s + JWKS_CACHE_S;
    htab_add(&c->entries, &e->node, e->node.key, hash_span(e->node.key));
    list_append(&c->recent, &e->recent);
}

void jwks_cache_put(struct jwks_cache *c, struct span url, const struct jwks *d, int64_t now_s)
{
    pthread_mutex_lock(&c->lock);
    LIST_FOR_EACH_SAFE(l, &c->recent)
    {
        struct entry *e = LIST_ENTRY(l, struct entry, recent);
        if (e->until_s <= now_s) {
            drop(c, e);
        } else if (span_eq(span_of(e->name, e->url_len), url)) {
            e->is_listed = false;
        }
    }
    for (size_t i = 0; i < d->n; i++) {
        bool is_first = d->keys[i].key != NULL;
        for (size_t k = 0; k < i && is_first; k++) {
            is_first = d->keys[k].key == NULL || !span_eq(d->keys[k].kid, d->keys[i].kid);
        }
        if (is_first) {
            put_one(c, make(url, d, d->keys[i].kid), now_s);
        }
    }
    pthread_mutex_unlock(&c->lock);
}

/* Of several keys for one algorithm the first one listed counts. */
static enum jwks_found choose(struct entry *e, const struct token_alg *alg,
                              struct token_pubkey **out)
{
    for (size_t i = 0; i < e->n; i++) {
        bool is_for = e->keys[i].alg == NULL || e->keys[i].alg == alg;
        if (is_for && token__pubkey_can(e->keys[i].key, alg)) {
            *out = token__pubkey_ref(e->keys[i].key);
            return JWKS_FOUND;
        }
    }
    return JWKS_OTHER_ALG;
}

bool jwks_cache_has(struct jwks_cache *c, const struct jwks_query *q, struct arena *a)
{
    struct span name = name_of(q->url, q->kid, arena_alloc(a, q->url.n + 1 + q->kid.n));
    pthread_mutex_lock(&c->lock);
    struct entry *e = find(c, name);
    bool has = e != NULL && e->until_s > q->now_s;
    pthread_mutex_unlock(&c->lock);
    return has;
}

enum jwks_found jwks_cache_find(struct jwks_cache *c, const struct jwks_query *q, struct arena *a,
                                struct token_pubkey **out)
{
    struct span name = name_of(q->url, q->kid, arena_alloc(a, q->url.n + 1 + q->kid.n));
    enum jwks_found found = JWKS_ABSENT;
    pthread_mutex_lock(&c->lock);
    struct entry *e = find(c, name);
    if (e != NULL && e->until_s > q->now_s) {
        found = choose(e, q->alg, out);
        if (found == JWKS_FOUND && e->is_listed) {
            e->until_s = q->now_s + JWKS_CACHE_S;
            list_unlink(&e->recent);
            list_append(&c->recent, &e->recent);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}
