/* SPDX-License-Identifier: Apache-2.0 */
/* What a named group matched. Threads run side by side as in rx.c, but in the order of preference,
 * and each remembers where the group began and ended. */
#include "common/base/mem.h"
#include "common/policy/rx_program.h"
#include "common/policy/utf8.h"

#include <stdlib.h>

struct thread {
    uint32_t pc;
    size_t begin; /* SIZE_MAX: not yet */
    size_t end;
};

/* Those that come first are preferred. `index` tells in constant time whether an instruction has
 * been visited. */
struct queue {
    struct thread *list;
    uint32_t n;
    uint32_t *index;
    uint32_t *seen;
    uint32_t seen_count;
};

struct matcher {
    const struct rx *r;
    uint32_t group;
    struct queue queues[2];
    struct thread *stack; /* no longer than two for each instruction */
    struct thread best;
    bool found;
};

static bool visit(struct queue *q, uint32_t pc)
{
    if (q->index[pc] < q->seen_count && q->seen[q->index[pc]] == pc) {
        return false;
    }
    q->index[pc] = q->seen_count;
    q->seen[q->seen_count++] = pc;
    return true;
}

/* Follows a thread through all that takes no text, preferred ways first. */
static void start(struct matcher *m, struct queue *q, struct thread t, size_t pos,
                  struct rx_place at)
{
    uint32_t depth = 0;
    m->stack[depth++] = t;
    while (depth != 0) {
        t = m->stack[--depth];
        if (!visit(q, t.pc)) {
            continue;
        }
        const struct rx_instr *in = &m->r->code[t.pc];
        struct thread next = t;
        next.pc++;
        switch (in->op) {
        case OP_SET:
        case OP_MATCH:
            q->list[q->n++] = t;
            break;
        case OP_SPLIT:
            next.pc = in->y;
            m->stack[depth++] = next;
            next.pc = in->x;
            m->stack[depth++] = next;
            break;
        case OP_JUMP:
            next.pc = in->x;
            m->stack[depth++] = next;
            break;
        case OP_SAVE:
            if (in->x == m->group && in->y == 0) {
                next.begin = pos;
            } else if (in->x == m->group) {
                next.end = pos;
            }
            m->stack[depth++] = next;
            break;
        case OP_ASSERT:
            if (rx_holds(in->x, at)) {
                m->stack[depth++] = next;
            }
            break;
        }
    }
}

static void run(struct matcher *m, struct span text)
{
    struct queue *now = &m->queues[0];
    struct queue *next = &m->queues[1];
    struct rx_place at = {.before = NO_CHAR};
    size_t n = 0;
    for (size_t pos = 0; pos <= text.n; pos += n) {
        at.after = pos < text.n ? utf8_at(text, pos, &n) : NO_CHAR;
        if (!m->found) { /* unanchored: a match may begin anywhere, but the leftmost is wanted */
            start(m, now, (struct thread){0, SIZE_MAX, SIZE_MAX}, pos, at);
        }
        size_t behind = pos + n;
        size_t ignored;
        struct rx_place there = {.before = at.after,
                                 .after =
                                     behind < text.n ? utf8_at(text, behind, &ignored) : NO_CHAR};
        next->n = next->seen_count = 0;
        for (uint32_t i = 0; i < now->n; i++) {
            struct thread t = now->list[i];
            const struct rx_instr *in = &m->r->code[t.pc];
            if (in->op == OP_MATCH) {
                m->best = t;
                m->found = true;
                break; /* the rest is less preferred */
            }
            if (pos < text.n && rx_in_set(m->r, in, at.after)) {
                t.pc++;
                start(m, next, t, behind, there);
            }
        }
        if (pos == text.n || (m->found && next->n == 0)) {
            return;
        }
        struct queue *swap = now;
        now = next;
        next = swap;
        at.before = at.after;
    }
}

bool rx_capture(const struct rx *r, int group, struct span text, struct span *out)
{
    size_t size = r->n * (4 * sizeof(struct thread) + 4 * sizeof(uint32_t));
    char *room = mem_zalloc(size);
    struct thread *threads = (struct thread *)(void *)room;
    uint32_t *numbers = (uint32_t *)(void *)(threads + 4 * (size_t)r->n);
    struct matcher m = {.r = r, .group = (uint32_t)group, .stack = threads + 2 * (size_t)r->n};
    for (size_t i = 0; i < 2; i++) {
        m.queues[i] = (struct queue){.list = threads + i * r->n,
                                     .index = numbers + 2 * i * r->n,
                                     .seen = numbers + (2 * i + 1) * r->n};
    }
    run(&m, text);
    free(room);
    bool took_part = m.found && m.best.end != SIZE_MAX;
    *out = took_part ? span_of(text.p + m.best.begin, m.best.end - m.best.begin) : (struct span){0};
    return m.found;
}

int rx_group(const struct rx *r, struct span name)
{
    for (uint32_t i = 0; i < r->group_count; i++) {
        if (span_eq_str(name, r->groups[i].name)) {
            return (int)i;
        }
    }
    return -1;
}

bool rx_group_is_literal(const struct rx *r, int group)
{
    return r->groups[group].is_literal;
}
