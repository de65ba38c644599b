/* SPDX-License-Identifier: Apache-2.0 */
/* Query strings and cookies. */
#include "fcgi/query.h"

#include "common/base/err.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct span query_unescape(struct span s, bool is_form, struct arena *a)
{
    if (span_find(s, '%', 0) == s.n && (!is_form || span_find(s, '+', 0) == s.n)) {
        return s;
    }
    char *p = arena_alloc(a, s.n);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '%' && s.n - i > 2 ? hex_digit(s.p[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(s.p[i + 2]) : -1;
        if (low >= 0) {
            p[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            p[n++] = is_form && s.p[i] == '+' ? ' ' : s.p[i];
        }
    }
    return span_of(p, n);
}

bool query_next(struct span *rest, struct arena *a, struct span *name, struct span *value)
{
    struct span part;
    while (span_split(rest, '&', &part)) {
        if (part.n == 0) {
            continue;
        }
        size_t at = span_find(part, '=', 0);
        *name = query_unescape(span_of(part.p, at), true, a);
        *value = query_unescape(span_from(part, at + 1), true, a);
        return true;
    }
    return false;
}

struct span query_get(struct span query, const char *name, struct arena *a)
{
    struct span key;
    struct span value;
    while (query_next(&query, a, &key, &value)) {
        if (span_eq_str(key, name)) {
            return value;
        }
    }
    return (struct span){0};
}

static int fail(struct schema_error *e, const char *what, const struct field *f)
{
    if (e != NULL) {
        *e = (struct schema_error){.what = what, .field = span_str(f->name)};
    }
    return ERR_TYPE;
}

static int store(const struct field *f, struct span value, void *at, struct schema_error *e)
{
    int64_t i = 0;
    uint64_t u = 0;
    switch (f->kind) {
    case KIND_STR:
        *(struct span *)at = value;
        return 0;
    case KIND_BOOL:
        if (!span_eq_str(value, "true") && !span_eq_str(value, "1") &&
            !span_eq_str(value, "false") && !span_eq_str(value, "0")) {
            return fail(e, "expected true or false", f);
        }
        *(bool *)at = value.p[0] == 't' || value.p[0] == '1';
        return 0;
    case KIND_I32:
        if (span_to_i64(value, &i) != 0 || i < INT32_MIN || i > INT32_MAX) {
            return fail(e, "expected a 32-bit integer", f);
        }
        *(int32_t *)at = (int32_t)i;
        return 0;
    case KIND_U64:
        if (span_to_u64(value, &u) != 0) {
            return fail(e, "expected an unsigned 64-bit integer", f);
        }
        *(uint64_t *)at = u;
        return 0;
    default:
        return fail(e, "cannot stand in a query, use POST", f);
    }
}

/* Stores a parameter for the member or the sub-message's member that it names. */
static int assign(const struct schema *s, struct span name, struct span value, struct arena *a,
                  void *msg, struct schema_error *e)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct field *f = &s->fields[i];
        struct span field = span_str(f->name);
        void *at = (char *)msg + f->offset;
        if (f->kind == KIND_MSG && (f->flags & FIELD_REPEATED) == 0) {
            bool is_member = span_starts(name, field) && name.n > field.n + 1 &&
                             (name.p[field.n] == '.' || name.p[field.n] == '_');
            if (is_member) {
                void **sub = at;
                *sub = *sub != NULL ? *sub : arena_zalloc(a, f->sub->size);
                return assign(f->sub, span_from(name, field.n + 1), value, a, *sub, e);
            }
        } else if (span_eq(name, field)) {
            return store(f, value, at, e);
        }
    }
    return 0;
}

int query_decode(const struct schema *s, struct span query, struct arena *a, void *out,
                 struct schema_error *e)
{
    struct span name;
    struct span value;
    memset(out, 0, s->size);
    while (query_next(&query, a, &name, &value)) {
        int rc = assign(s, name, value, a, out, e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

struct span cookie_get(struct span header, struct span name)
{
    struct span pair;
    while (span_split(&header, ';', &pair)) {
        pair = span_trim(pair);
        size_t at = span_find(pair, '=', 0);
        if (at == pair.n || !span_eq(span_of(pair.p, at), name)) {
            continue;
        }
        struct span value = span_from(pair, at + 1);
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"') {
            value = span_of(value.p + 1, value.n - 2);
        }
        return value;
    }
    return (struct span){0};
}
