/* SPDX-License-Identifier: Apache-2.0 */
/* Hash table with intrusive nodes, keyed by bytes. */
#pragma once

#include "common/base/str.h"

/* Member of an element. `key` is borrowed from the element and must not change while it is in the
 * table. */
struct htab_node {
    struct htab_node *next;
    uint64_t hash;
    struct span key;
};

/* Zero-initialised it is ready to use. Not thread-safe. */
struct htab {
    struct htab_node **slots;
    size_t mask; /* slots - 1 */
    size_t count;
};

/* Frees the slots, not the elements. */
void htab_fini(struct htab *t);

/* `hash` is hash_span(key) where the caller has it already. NULL when absent. */
struct htab_node *htab_find(const struct htab *t, struct span key, uint64_t hash);
struct htab_node *htab_get(const struct htab *t, struct span key);

/* Adds a node whose key is not in the table. */
void htab_add(struct htab *t, struct htab_node *node, struct span key, uint64_t hash);

/* Removes a node that is in the table. */
void htab_remove(struct htab *t, struct htab_node *node);

/* Calls fn for each node; fn may remove the node it is given. fn returns false to stop. */
typedef bool (*htab_each_fn)(struct htab_node *node, void *arg);
void htab_each(struct htab *t, htab_each_fn fn, void *arg);
