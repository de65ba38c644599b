/* SPDX-License-Identifier: Apache-2.0 */
/* The frames that travel on PREFIX.client.CHANNEL and stand in history lists. */
#include "common/base/err.h"
#include "common/engine/engine.h"

#define MARK_LEN    2 /* "__" */
#define VERSION_LEN 3 /* "p1:" or "d1:" */

/* Position of the first "__" at or after `from`, or s.n. */
static size_t find_mark(struct span s, size_t from)
{
    for (size_t at = span_find(s, '_', from); at + 1 < s.n; at = span_find(s, '_', at + 1)) {
        if (s.p[at + 1] == '_') {
            return at;
        }
    }
    return s.n;
}

/* __X__BODY: what follows the second mark. */
static int skip_head(struct span payload, struct span *head, struct span *body)
{
    size_t end = find_mark(payload, MARK_LEN);
    if (end == payload.n) {
        return ERR_SYNTAX;
    }
    *head = span_of(payload.p + MARK_LEN, end - MARK_LEN);
    *body = span_from(payload, end + MARK_LEN);
    return 0;
}

/* __p1:OFFSET:EPOCH__BODY */
static int parse_positioned(struct span payload, struct engine_message *out)
{
    struct span head;
    if (skip_head(payload, &head, &out->body) != 0 || head.n < VERSION_LEN) {
        return ERR_SYNTAX;
    }
    head = span_from(head, VERSION_LEN);
    size_t colon = span_find(head, ':', 0);
    if (colon == head.n || span_to_u64(span_of(head.p, colon), &out->position.offset) != 0) {
        return ERR_SYNTAX;
    }
    out->position.epoch = span_from(head, colon + 1);
    return 0;
}

/* Takes "LENGTH:" and as many bytes. */
static int take_counted(struct span *rest, struct span *bytes)
{
    size_t colon = span_find(*rest, ':', 0);
    uint64_t n;
    if (colon == rest->n || span_to_u64(span_of(rest->p, colon), &n) != 0 ||
        n > rest->n - colon - 1) {
        return ERR_SYNTAX;
    }
    *bytes = span_of(rest->p + colon + 1, (size_t)n);
    *rest = span_from(*rest, colon + 1 + (size_t)n);
    return 0;
}

/* __d1:OFFSET:EPOCH:LENGTH:PREVIOUS:LENGTH:BODY */
static int parse_delta(struct span payload, struct engine_message *out)
{
    struct span rest = payload;
    if (!span_starts(rest, SPAN("__d1:"))) {
        return ERR_SYNTAX;
    }
    rest = span_from(rest, MARK_LEN + VERSION_LEN);
    size_t colon = span_find(rest, ':', 0);
    if (colon == rest.n || span_to_u64(span_of(rest.p, colon), &out->position.offset) != 0) {
        return ERR_SYNTAX;
    }
    rest = span_from(rest, colon + 1);
    colon = span_find(rest, ':', 0);
    if (colon == rest.n) {
        return ERR_SYNTAX;
    }
    out->position.epoch = span_of(rest.p, colon);
    rest = span_from(rest, colon + 1);
    if (take_counted(&rest, &out->prev) != 0 || !span_starts(rest, SPAN(":"))) {
        return ERR_SYNTAX;
    }
    rest = span_from(rest, 1);
    out->has_delta = true;
    return take_counted(&rest, &out->body);
}

int engine_message_parse(struct span payload, struct engine_message *out)
{
    *out = (struct engine_message){.kind = MESSAGE_PUBLICATION};
    /* A Publication cannot begin so: 0x5f is no valid field. */
    if (!span_starts(payload, SPAN("__"))) {
        out->body = span_of(payload.p != NULL ? payload.p : "", payload.n);
        return 0;
    }
    struct span ignored;
    switch (payload.n > MARK_LEN ? payload.p[MARK_LEN] : '\0') {
    case 'j':
        out->kind = MESSAGE_JOIN;
        return skip_head(payload, &ignored, &out->body);
    case 'l':
        out->kind = MESSAGE_LEAVE;
        return skip_head(payload, &ignored, &out->body);
    case 'p':
        return parse_positioned(payload, out);
    case 'd':
        return parse_delta(payload, out);
    default:
        return ERR_SYNTAX;
    }
}
