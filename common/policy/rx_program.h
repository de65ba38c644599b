/* SPDX-License-Identifier: Apache-2.0 */
/* The program that a regular expression becomes. Only rx*.c include this. */
#pragma once

#include "common/policy/rx_tree.h"

#define NO_CHAR UINT32_MAX

enum rx_op {
    OP_SET,
    OP_SPLIT, /* x is preferred to y */
    OP_JUMP,
    OP_SAVE,
    OP_ASSERT,
    OP_MATCH
};

struct rx_instr {
    enum rx_op op;
    uint32_t x; /* first range; first target; group; kind of assertion */
    uint32_t y; /* number of ranges; second target; 0: the group begins, 1: it ends */
};

struct rx {
    struct rx_instr *code;
    uint32_t n;
    struct rx_range *ranges;
    struct {
        char *name;
        bool is_literal;
    } * groups;
    uint32_t group_count;
};

/* The characters on both sides of a position; NO_CHAR beyond the ends. */
struct rx_place {
    uint32_t before;
    uint32_t after;
};

bool rx_holds(enum rx_assert which, struct rx_place at);
bool rx_in_set(const struct rx *r, const struct rx_instr *in, uint32_t c);
