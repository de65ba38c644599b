/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions: a tree becomes a program, and all of its threads run over the text side by
 * side. */
#include "common/base/mem.h"
#include "common/policy/rx_program.h"
#include "common/policy/rx_tree.h"
#include "common/policy/utf8.h"

#include <stdlib.h>

#define PROGRAM_MAX 20000
#define STEPS_MAX   200000
#define SMALL       256 /* programs up to this size run without an allocation */

struct compiler {
    const struct rx_tree *tree;
    struct rx *rx;
    uint32_t cap;
    uint32_t steps; /* repetitions of nothing emit nothing, and still take time */
    bool is_full;
};

static uint32_t emit(struct compiler *c, enum rx_op op, uint32_t x, uint32_t y)
{
    struct rx *rx = c->rx;
    if (rx->n == PROGRAM_MAX) {
        c->is_full = true;
        return rx->n - 1;
    }
    if (rx->n == c->cap) {
        c->cap = c->cap != 0 ? c->cap * 2 : 16;
        rx->code = mem_realloc(rx->code, c->cap * sizeof(*rx->code));
    }
    rx->code[rx->n] = (struct rx_instr){.op = op, .x = x, .y = y};
    return rx->n++;
}

static void compile(struct compiler *c, uint32_t node);

/* A split that goes on behind itself, or else to the end of the program; what is preferred comes
 * first. */
static void aim(struct compiler *c, uint32_t split, bool is_lazy)
{
    c->rx->code[split].x = is_lazy ? c->rx->n : split + 1;
    c->rx->code[split].y = is_lazy ? split + 1 : c->rx->n;
}

/* a{2,4} becomes a a (a (a)?)?, a{2,} becomes a a a*. */
static void compile_repeat(struct compiler *c, const struct rx_node *node)
{
    for (uint32_t i = 0; i < node->min && !c->is_full; i++) {
        compile(c, node->a);
    }
    if (node->max == RX_NONE) {
        uint32_t split = emit(c, OP_SPLIT, 0, 0);
        compile(c, node->a);
        emit(c, OP_JUMP, split, 0);
        aim(c, split, node->is_lazy);
        return;
    }
    uint32_t optional = node->max - node->min;
    uint32_t *splits = mem_alloc((optional + 1) * sizeof(*splits));
    for (uint32_t i = 0; i < optional && !c->is_full; i++) {
        splits[i] = emit(c, OP_SPLIT, 0, 0);
        compile(c, node->a);
    }
    for (uint32_t i = 0; i < optional && !c->is_full; i++) {
        aim(c, splits[i], node->is_lazy);
    }
    free(splits);
}

static void compile_alternatives(struct compiler *c, const struct rx_node *node)
{
    uint32_t split = emit(c, OP_SPLIT, 0, 0);
    compile(c, node->a);
    uint32_t jump = emit(c, OP_JUMP, 0, 0);
    c->rx->code[split].x = split + 1;
    c->rx->code[split].y = c->rx->n;
    compile(c, node->b);
    c->rx->code[jump].x = c->rx->n;
}

/* Sequences and alternatives lean to the left, as deep as the pattern is long; hence the depth of
 * groups times that of a sequence bounds the recursion, which the pattern's length limit keeps
 * small. */
static void compile(struct compiler *c, uint32_t index)
{
    const struct rx_node *node = &c->tree->nodes[index];
    if (c->steps++ == STEPS_MAX) {
        c->is_full = true;
    }
    if (c->is_full) {
        return;
    }
    switch (node->kind) {
    case RX_EMPTY:
        break;
    case RX_SET:
        emit(c, OP_SET, node->first, node->count);
        break;
    case RX_CAT:
        compile(c, node->a);
        compile(c, node->b);
        break;
    case RX_ALT:
        compile_alternatives(c, node);
        break;
    case RX_REPEAT:
        compile_repeat(c, node);
        break;
    case RX_GROUP:
        emit(c, OP_SAVE, node->first, 0);
        compile(c, node->a);
        emit(c, OP_SAVE, node->first, 1);
        break;
    case RX_ASSERT:
        emit(c, OP_ASSERT, node->assert, 0);
        break;
    }
}

static void keep_names(struct rx *rx, const struct rx_tree *t)
{
    rx->groups = mem_zalloc((t->name_count + 1) * sizeof(*rx->groups));
    rx->group_count = t->name_count;
    for (uint32_t i = 0; i < t->name_count; i++) {
        rx->groups[i].name = span_dup(t->names[i].text);
        rx->groups[i].is_literal = rx_is_literal(t, t->names[i].node);
    }
}

struct rx *rx_new(struct span pattern, struct err *e)
{
    struct rx_tree tree = {0};
    struct rx *rx = mem_zalloc(sizeof(*rx));
    struct compiler c = {.tree = &tree, .rx = rx};
    int rc = rx_parse(pattern, &tree, e);
    if (rc == 0) {
        compile(&c, tree.root);
        emit(&c, OP_MATCH, 0, 0);
        if (c.is_full) {
            rc =
                err_set(e, ERR_LIMIT,
                        "this regular expression is too large; use smaller numbers of repetitions");
        }
    }
    if (rc == 0) {
        keep_names(rx, &tree);
    }
    rx->ranges = tree.ranges;
    tree.ranges = NULL;
    rx_tree_free(&tree);
    if (rc != 0) {
        rx_free(rx);
        return NULL;
    }
    return rx;
}

void rx_free(struct rx *r)
{
    if (r != NULL) {
        for (uint32_t i = 0; i < r->group_count; i++) {
            free(r->groups[i].name);
        }
        free(r->groups);
        free(r->code);
        free(r->ranges);
        free(r);
    }
}

/* Instructions that wait for the next character; `index` tells in constant time whether one is in.
 */
struct threads {
    uint32_t *list;
    uint32_t *index;
    uint32_t n;
};

static bool is_word(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

bool rx_holds(enum rx_assert which, struct rx_place at)
{
    switch (which) {
    case RX_TEXT_START:
        return at.before == NO_CHAR;
    case RX_TEXT_END:
        return at.after == NO_CHAR;
    case RX_LINE_START:
        return at.before == NO_CHAR || at.before == '\n';
    case RX_LINE_END:
        return at.after == NO_CHAR || at.after == '\n';
    case RX_WORD_EDGE:
        return is_word(at.before) != is_word(at.after);
    case RX_NO_WORD_EDGE:
        return is_word(at.before) == is_word(at.after);
    }
    return false;
}

static bool add(struct threads *t, uint32_t pc)
{
    if (t->index[pc] < t->n && t->list[t->index[pc]] == pc) {
        return false;
    }
    t->index[pc] = t->n;
    t->list[t->n++] = pc;
    return true;
}

/* Adds a thread and, as the list grows behind it, all that it reaches without taking text. True
 * when that is the match. */
static bool start(const struct rx *r, struct threads *t, uint32_t pc, struct rx_place at)
{
    uint32_t done = t->n;
    add(t, pc);
    for (; done < t->n; done++) {
        const struct rx_instr *in = &r->code[t->list[done]];
        if (in->op == OP_MATCH) {
            return true;
        }
        if (in->op == OP_JUMP) {
            add(t, in->x);
        } else if (in->op == OP_SAVE) {
            add(t, t->list[done] + 1);
        } else if (in->op == OP_SPLIT) {
            add(t, in->x);
            add(t, in->y);
        } else if (in->op == OP_ASSERT && rx_holds(in->x, at)) {
            add(t, t->list[done] + 1);
        }
    }
    return false;
}

bool rx_in_set(const struct rx *r, const struct rx_instr *in, uint32_t c)
{
    const struct rx_range *range = r->ranges + in->x;
    uint32_t low = 0;
    uint32_t high = in->y;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (c < range[mid].low) {
            high = mid;
        } else if (c > range[mid].high) {
            low = mid + 1;
        } else {
            return true;
        }
    }
    return false;
}

static bool run(const struct rx *r, struct span text, struct threads *now, struct threads *next)
{
    struct rx_place at = {.before = NO_CHAR};
    size_t n = 0;
    for (size_t pos = 0; pos <= text.n; pos += n) {
        at.after = pos < text.n ? utf8_at(text, pos, &n) : NO_CHAR;
        if (start(r, now, 0, at)) { /* unanchored: a match may begin anywhere */
            return true;
        }
        if (pos == text.n) {
            return false;
        }
        size_t behind = pos + n;
        size_t ignored;
        struct rx_place there = {.before = at.after,
                                 .after =
                                     behind < text.n ? utf8_at(text, behind, &ignored) : NO_CHAR};
        next->n = 0;
        for (uint32_t i = 0; i < now->n; i++) {
            const struct rx_instr *in = &r->code[now->list[i]];
            if (in->op == OP_SET && rx_in_set(r, in, at.after) &&
                start(r, next, now->list[i] + 1, there)) {
                return true;
            }
        }
        struct threads *swap = now;
        now = next;
        next = swap;
        at.before = at.after;
    }
    return false;
}

bool rx_finds(const struct rx *r, struct span text)
{
    uint32_t small[4 * SMALL] = {0};
    uint32_t *room = r->n <= SMALL ? small : mem_zalloc(4 * r->n * sizeof(*room));
    struct threads now = {.list = room, .index = room + r->n};
    struct threads next = {.list = room + 2 * r->n, .index = room + 3 * r->n};
    bool found = run(r, text, &now, &next);
    if (room != small) {
        free(room);
    }
    return found;
}
