/* SPDX-License-Identifier: Apache-2.0 */
/* Hash table with intrusive nodes. */
#include "common/base/htab.h"

#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

#define HTAB_MIN_SLOTS 16

void htab_fini(struct htab *t)
{
    free(t->slots);
    *t = (struct htab){0};
}

struct htab_node *htab_find(const struct htab *t, struct span key, uint64_t hash)
{
    if (t->slots == NULL) {
        return NULL;
    }
    struct htab_node *n = t->slots[hash & t->mask];
    while (n != NULL && (n->hash != hash || !span_eq(n->key, key))) {
        n = n->next;
    }
    return n;
}

struct htab_node *htab_get(const struct htab *t, struct span key)
{
    return t->count != 0 ? htab_find(t, key, hash_span(key)) : NULL;
}

static void resize(struct htab *t, size_t slots)
{
    struct htab_node **fresh = mem_zalloc(slots * sizeof(struct htab_node *));
    for (size_t i = 0; t->slots != NULL && i <= t->mask; i++) {
        struct htab_node *n = t->slots[i];
        while (n != NULL) {
            struct htab_node *next = n->next;
            struct htab_node **slot = &fresh[n->hash & (slots - 1)];
            n->next = *slot;
            *slot = n;
            n = next;
        }
    }
    free(t->slots);
    t->slots = fresh;
    t->mask = slots - 1;
}

void htab_add(struct htab *t, struct htab_node *node, struct span key, uint64_t hash)
{
    if (t->slots == NULL) {
        resize(t, HTAB_MIN_SLOTS);
    } else if (t->count > t->mask) {
        resize(t, (t->mask + 1) * 2);
    }
    node->key = key;
    node->hash = hash;
    struct htab_node **slot = &t->slots[hash & t->mask];
    node->next = *slot;
    *slot = node;
    t->count++;
}

void htab_remove(struct htab *t, struct htab_node *node)
{
    struct htab_node **at = &t->slots[node->hash & t->mask];
    while (*at != node) {
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    t->count--;
    size_t slots = t->mask + 1;
    if (slots > HTAB_MIN_SLOTS && t->count < slots / 8) {
        resize(t, slots / 2);
    }
}

void htab_each(struct htab *t, htab_each_fn fn, void *arg)
{
    /* Collected first: fn may remove its node, and a removal may shrink the table. */
    size_t count = t->count;
    if (count == 0) {
        return;
    }
    struct htab_node **all = mem_alloc(count * sizeof(struct htab_node *));
    size_t n = 0;
    for (size_t i = 0; i <= t->mask; i++) {
        for (struct htab_node *e = t->slots[i]; e != NULL; e = e->next) {
            all[n++] = e;
        }
    }
    for (size_t i = 0; i < n && fn(all[i], arg); i++) {
    }
    free(all);
}
