/* SPDX-License-Identifier: Apache-2.0 */
/* The syntax tree of a regular expression: its parts, and questions about it. */
#include "common/policy/rx_tree.h"

#include <stdlib.h>

#include "common/base/mem.h"

uint32_t rx_node_add(struct rx_tree *t, struct rx_node node)
{
    if (t->node_count == t->node_cap) {
        t->node_cap = t->node_cap != 0 ? t->node_cap * 2 : 16;
        t->nodes = mem_realloc(t->nodes, t->node_cap * sizeof(*t->nodes));
    }
    t->nodes[t->node_count] = node;
    return t->node_count++;
}

bool rx_name_add(struct rx_tree *t, struct span name)
{
    for (uint32_t i = 0; i < t->name_count; i++) {
        if (span_eq(t->names[i].text, name)) {
            return false;
        }
    }
    if (t->name_count == t->name_cap) {
        t->name_cap = t->name_cap != 0 ? t->name_cap * 2 : 4;
        t->names = mem_realloc(t->names, t->name_cap * sizeof(*t->names));
    }
    t->names[t->name_count++] = (struct rx_name){.text = name, .node = RX_NONE};
    return true;
}

/* As deep as compile() of rx.c, and for the same reason no deeper. */
bool rx_is_literal(const struct rx_tree *t, uint32_t index)
{
    const struct rx_node *node = &t->nodes[index];
    switch (node->kind) {
    case RX_EMPTY:
        return true;
    case RX_SET:
        return node->count == 1 && t->ranges[node->first].low == t->ranges[node->first].high;
    case RX_CAT:
    case RX_ALT:
        return rx_is_literal(t, node->a) && rx_is_literal(t, node->b);
    case RX_GROUP:
        return rx_is_literal(t, node->a);
    case RX_REPEAT:
    case RX_ASSERT:
        return false;
    }
    return false;
}

void rx_tree_free(struct rx_tree *t)
{
    free(t->nodes);
    free(t->ranges);
    free(t->names);
}
