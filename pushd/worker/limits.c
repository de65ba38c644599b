/* SPDX-License-Identifier: Apache-2.0 */
/* Limits that hold for the whole node. */
#include "pushd/worker/limits.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/htab.h"
#include "common/base/mem.h"

#define STRIPES 64

struct entry {
    struct htab_node node; /* key: the user, behind this struct */
    int64_t count;
    char user[];
};

struct stripe {
    pthread_mutex_t lock;
    struct htab users;
};

struct limits {
    struct stripe stripes[STRIPES];
    _Atomic uint64_t rate; /* second << 32 | connections in that second */
};

struct limits *limits_new(void)
{
    struct limits *l = mem_zalloc(sizeof(*l));
    for (size_t i = 0; i < STRIPES; i++) {
        pthread_mutex_init(&l->stripes[i].lock, NULL);
    }
    return l;
}

static bool free_entry(struct htab_node *node, void *arg)
{
    htab_remove(arg, node);
    free(CONTAINER_OF(node, struct entry, node));
    return true;
}

void limits_free(struct limits *l)
{
    for (size_t i = 0; l != NULL && i < STRIPES; i++) {
        htab_each(&l->stripes[i].users, free_entry, &l->stripes[i].users);
        htab_fini(&l->stripes[i].users);
        pthread_mutex_destroy(&l->stripes[i].lock);
    }
    free(l);
}

static struct entry *find(const struct stripe *s, struct span user, uint64_t hash)
{
    struct htab_node *n = htab_find(&s->users, user, hash);
    return n != NULL ? CONTAINER_OF(n, struct entry, node) : NULL;
}

bool limits_enter_user(struct limits *l, struct span user, int64_t limit)
{
    uint64_t hash = hash_span(user);
    struct stripe *s = &l->stripes[hash % STRIPES];
    pthread_mutex_lock(&s->lock);
    struct entry *e = find(s, user, hash);
    bool allowed = e == NULL || e->count < limit;
    if (e == NULL) {
        e = mem_zalloc(sizeof(*e) + user.n);
        memcpy(e->user, user.p, user.n);
        htab_add(&s->users, &e->node, span_of(e->user, user.n), hash);
    }
    e->count += allowed;
    pthread_mutex_unlock(&s->lock);
    return allowed;
}

void limits_leave_user(struct limits *l, struct span user)
{
    uint64_t hash = hash_span(user);
    struct stripe *s = &l->stripes[hash % STRIPES];
    pthread_mutex_lock(&s->lock);
    struct entry *e = find(s, user, hash);
    if (e != NULL && --e->count == 0) {
        htab_remove(&s->users, &e->node);
        free(e);
    }
    pthread_mutex_unlock(&s->lock);
}

bool limits_take_rate(struct limits *l, int64_t now_ms, int64_t per_second)
{
    uint64_t second = (uint64_t)(now_ms / 1000);
    uint64_t seen = atomic_load(&l->rate);
    uint64_t next;
    do {
        /* The clocks of workers differ by a turn of their loops: the later second counts. */
        next = seen >> 32 >= second ? seen + 1 : second << 32 | 1;
    } while (!atomic_compare_exchange_weak(&l->rate, &seen, next));
    return (int64_t)(next & UINT32_MAX) <= per_second;
}
