/* SPDX-License-Identifier: Apache-2.0 */
/* The syntax tree between parsing and compiling a regular expression. Only rx*.c include this. */
#pragma once

#include "common/policy/rx.h"

#define RX_NONE UINT32_MAX

enum rx_kind {
    RX_EMPTY,
    RX_SET,    /* one character of `count` ranges from `first` */
    RX_CAT,    /* a, then b */
    RX_ALT,    /* a or b */
    RX_REPEAT, /* a, min to max times (RX_NONE: any number) */
    RX_GROUP,  /* a, whose text is kept: the named group `first` */
    RX_ASSERT, /* takes no text */
};

enum rx_assert {
    RX_TEXT_START,
    RX_TEXT_END,
    RX_LINE_START,
    RX_LINE_END,
    RX_WORD_EDGE,
    RX_NO_WORD_EDGE
};

struct rx_node {
    enum rx_kind kind;
    enum rx_assert assert;
    uint32_t a;
    uint32_t b;
    uint32_t min;
    uint32_t max;
    uint32_t first;
    uint32_t count;
    bool is_lazy; /* of RX_REPEAT: as few times as possible */
};

/* A named group. */
struct rx_name {
    struct span text; /* in the pattern */
    uint32_t node;
};

/* Characters from low to high. */
struct rx_range {
    uint32_t low;
    uint32_t high;
};

struct rx_tree {
    struct rx_node *nodes;
    uint32_t node_count;
    uint32_t node_cap;
    struct rx_range *ranges;
    uint32_t range_count;
    uint32_t range_cap;
    struct rx_name *names;
    uint32_t name_count;
    uint32_t name_cap;
    uint32_t root;
};

/* Fills the zero-initialised tree; it is to be freed whatever comes back. */
int rx_parse(struct span pattern, struct rx_tree *t, struct err *e);
void rx_tree_free(struct rx_tree *t);

/* Returns the index of the new node. */
uint32_t rx_node_add(struct rx_tree *t, struct rx_node node);
/* False when there is a group of this name already. */
bool rx_name_add(struct rx_tree *t, struct span name);
/* Whether the texts that a node matches are written out in the pattern: characters, sequences and
 * alternatives only. */
bool rx_is_literal(const struct rx_tree *t, uint32_t node);

void rx_range_add(struct rx_tree *t, uint32_t low, uint32_t high);
/* Sorts and merges the ranges from `first` to the end; then complements them if negated. */
void rx_ranges_normalise(struct rx_tree *t, uint32_t first, bool is_negated);
/* Adds what \d \w \s and their opposites, or [:alpha:] and others, stand for. False for an unknown
 * letter or name. */
bool rx_class_letter(struct rx_tree *t, char letter);
bool rx_class_name(struct rx_tree *t, struct span name);
