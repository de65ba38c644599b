/* SPDX-License-Identifier: Apache-2.0 */
/* Intrusive doubly linked list; unlinking twice is harmless. */
#pragma once

#include "common/base/base.h"

/* A head, or a member of an element. A head that points to itself is empty; so does an unlinked
 * element. */
struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_unlink(struct list *e)
{
    e->prev->next = e->next;
    e->next->prev = e->prev;
    list_init(e);
}

static inline void list_append(struct list *head, struct list *e)
{
    e->prev = head->prev;
    e->next = head;
    head->prev->next = e;
    head->prev = e;
}

/* Removes and returns the first element, or NULL. */
static inline struct list *list_shift(struct list *head)
{
    if (list_is_empty(head)) {
        return NULL;
    }
    struct list *e = head->next;
    list_unlink(e);
    return e;
}

/* Moves all elements of `from` to the end of `to`. */
static inline void list_move_all(struct list *to, struct list *from)
{
    if (!list_is_empty(from)) {
        from->next->prev = to->prev;
        to->prev->next = from->next;
        from->prev->next = to;
        to->prev = from->prev;
        list_init(from);
    }
}

#define LIST_ENTRY(e, type, member) CONTAINER_OF(e, type, member)
#define LIST_FOR_EACH(e, head)      for (struct list *e = (head)->next; e != (head); e = e->next)
/* The current element may be unlinked or freed in the body. */
#define LIST_FOR_EACH_SAFE(e, head)                                       \
    for (struct list *e = (head)->next, *e##_next = e->next; e != (head); \
         e = e##_next, e##_next = e->next)
