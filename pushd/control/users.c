/* SPDX-License-Identifier: Apache-2.0 */
/* Distinct users of this node. */
#include "pushd/control/users.h"

#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

struct user_entry {
    struct htab_node node;
    uint32_t workers;
    char id[];
};

void users_on(struct users *u, struct span user)
{
    uint64_t hash = hash_span(user);
    struct htab_node *n = htab_find(&u->table, user, hash);
    if (n == NULL) {
        struct user_entry *e = mem_zalloc(sizeof(*e) + user.n);
        if (user.n != 0) {
            memcpy(e->id, user.p, user.n);
        }
        n = &e->node;
        htab_add(&u->table, n, span_of(e->id, user.n), hash);
    }
    CONTAINER_OF(n, struct user_entry, node)->workers++;
}

void users_off(struct users *u, struct span user)
{
    struct htab_node *n = htab_get(&u->table, user);
    if (n != NULL && --CONTAINER_OF(n, struct user_entry, node)->workers == 0) {
        htab_remove(&u->table, n);
        free(CONTAINER_OF(n, struct user_entry, node));
    }
}

static bool drop(struct htab_node *n, void *arg)
{
    struct users *u = arg;
    htab_remove(&u->table, n);
    free(CONTAINER_OF(n, struct user_entry, node));
    return true;
}

void users_fini(struct users *u)
{
    htab_each(&u->table, drop, u);
    htab_fini(&u->table);
}
