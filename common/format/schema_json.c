/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON codec over a table of fields. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/format/jscan.h"
#include "common/format/jwrite.h"
#include "common/format/schema.h"
#include "common/format/schema_util.h"

#define NUMBER_MAX_BYTES 64

static const char malformed[] = "malformed JSON";

static const struct field *find_field(const struct schema *s, struct span raw_key, struct arena *a)
{
    struct span key = jscan_string(raw_key, a);
    for (size_t i = 0; i < s->count; i++) {
        if (span_eq_str(key, s->fields[i].name)) {
            return &s->fields[i];
        }
    }
    for (size_t i = 0; i < s->count; i++) {
        if (span_eq_nocase(key, span_str(s->fields[i].name))) {
            return &s->fields[i];
        }
    }
    return NULL;
}

struct json_decoder {
    struct arena *arena;
    struct schema_error *error;
    int depth;
};

static int decode_object(struct json_decoder *d, const struct schema *s, struct span object,
                         void *out);

static int store_number(const struct field *f, struct span value, void *at, struct schema_error *e)
{
    int64_t i = 0;
    uint64_t u = 0;
    int rc;
    switch (f->kind) {
    case KIND_I32:
        rc = span_to_i64(value, &i);
        if (rc != 0 || i < INT32_MIN || i > INT32_MAX) {
            return schema__fail(e, ERR_TYPE, "expected a 32-bit integer", f);
        }
        *(int32_t *)at = (int32_t)i;
        return 0;
    case KIND_U32:
        rc = span_to_u64(value, &u);
        if (rc != 0 || u > UINT32_MAX) {
            return schema__fail(e, ERR_TYPE, "expected an unsigned 32-bit integer", f);
        }
        *(uint32_t *)at = (uint32_t)u;
        return 0;
    case KIND_I64:
    case KIND_S64:
        if (span_to_i64(value, at) != 0) {
            return schema__fail(e, ERR_TYPE, "expected a 64-bit integer", f);
        }
        return 0;
    case KIND_U64:
        if (span_to_u64(value, at) != 0) {
            return schema__fail(e, ERR_TYPE, "expected an unsigned 64-bit integer", f);
        }
        return 0;
    default: {
        char text[NUMBER_MAX_BYTES];
        if (value.n >= sizeof(text)) {
            return schema__fail(e, ERR_TYPE, "a number of too many digits", f);
        }
        memcpy(text, value.p, value.n);
        text[value.n] = '\0';
        double v = strtod(text, NULL);
        if (!isfinite(v)) {
            return schema__fail(e, ERR_TYPE, "a number beyond the range of a double", f);
        }
        *(double *)at = v;
        return 0;
    }
    }
}

static int decode_list(struct json_decoder *d, const struct field *f, struct span value,
                       struct vec *v)
{
    *v = (struct vec){0};
    struct jscan s = jscan_enter(value);
    struct span item;
    enum jscan_kind kind;
    while (jscan_element(&s, &item, &kind)) {
        void *element = schema__vec_add(v, schema__element_size(f), d->arena);
        if (kind == JSCAN_NULL) {
            continue;
        }
        if (f->kind == KIND_STR) {
            if (kind != JSCAN_STRING) {
                return schema__fail(d->error, ERR_TYPE, "expected a list of strings", f);
            }
            *(struct span *)element = jscan_string(jscan_unquote(item), d->arena);
        } else if (f->kind == KIND_BYTES) {
            *(struct span *)element = item;
        } else if (kind != JSCAN_OBJECT) {
            return schema__fail(d->error, ERR_TYPE, "expected a list of objects", f);
        } else {
            int rc = decode_object(d, f->sub, item, element);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

#define MAP_LINEAR_MAX 16

/* Finds keys of a map that is too long to be searched from its start for each member. */
struct map_index {
    uint32_t *slots; /* position in the vec + 1, 0 = free */
    size_t mask;
};

static struct span *map_key(const struct vec *v, size_t size, size_t i)
{
    return (struct span *)(void *)((char *)v->items + i * size);
}

/* The slot of `key`: that of the equal key, or a free one. */
static uint32_t *index_slot(const struct map_index *ix, const struct vec *v, size_t size,
                            struct span key)
{
    size_t at = hash_span(key) & ix->mask;
    while (ix->slots[at] != 0 && !span_eq(*map_key(v, size, ix->slots[at] - 1), key)) {
        at = (at + 1) & ix->mask;
    }
    return &ix->slots[at];
}

static void index_grow(struct map_index *ix, const struct vec *v, size_t size, struct arena *a)
{
    size_t slots = ix->slots == NULL ? 8 * MAP_LINEAR_MAX : 4 * (ix->mask + 1);
    ix->slots = arena_zalloc(a, slots * sizeof(*ix->slots));
    ix->mask = slots - 1;
    for (size_t i = 0; i < v->n; i++) {
        *index_slot(ix, v, size, *map_key(v, size, i)) = (uint32_t)i + 1;
    }
}

/* The element of a map for `key`: the last of duplicate members counts, at the place of the first.
 */
static void *map_slot(struct vec *v, size_t size, struct span key, struct arena *a,
                      struct map_index *ix)
{
    if (v->n <= MAP_LINEAR_MAX) {
        for (size_t i = 0; i < v->n; i++) {
            if (span_eq(*map_key(v, size, i), key)) {
                return map_key(v, size, i);
            }
        }
        return schema__vec_add(v, size, a);
    }
    if (ix->slots == NULL || v->n > ix->mask / 2) {
        index_grow(ix, v, size, a);
    }
    uint32_t *slot = index_slot(ix, v, size, key);
    if (*slot != 0) {
        return map_key(v, size, *slot - 1);
    }
    *slot = (uint32_t)v->n + 1;
    return schema__vec_add(v, size, a);
}

static int decode_map(struct json_decoder *d, const struct field *f, struct span value,
                      struct vec *v)
{
    *v = (struct vec){0};
    struct map_index ix = {0};
    struct jscan s = jscan_enter(value);
    struct span raw_key;
    struct span item;
    enum jscan_kind kind;
    while (jscan_member(&s, &raw_key, &item, &kind)) {
        struct span key = jscan_string(raw_key, d->arena);
        void *element = map_slot(v, schema__element_size(f), key, d->arena, &ix);
        if (f->kind == KIND_MAP_STR) {
            if (kind != JSCAN_STRING && kind != JSCAN_NULL) {
                return schema__fail(d->error, ERR_TYPE, "expected an object of strings", f);
            }
            struct kv *pair = element;
            pair->key = key;
            pair->value =
                kind == JSCAN_NULL ? SPAN("") : jscan_string(jscan_unquote(item), d->arena);
        } else if (f->kind == KIND_MAP_DBL) {
            struct kv_dbl *pair = element;
            pair->key = key;
            if (kind != JSCAN_NUMBER) {
                return schema__fail(d->error, ERR_TYPE, "expected an object of numbers", f);
            }
            int rc = store_number(f, item, &pair->value, d->error);
            if (rc != 0) {
                return rc;
            }
        } else {
            struct kv_msg *pair = element;
            pair->key = key;
            pair->msg = arena_zalloc(d->arena, f->sub->size);
            if (kind == JSCAN_NULL) {
                continue;
            }
            if (kind != JSCAN_OBJECT) {
                return schema__fail(d->error, ERR_TYPE, "expected an object of objects", f);
            }
            int rc = decode_object(d, f->sub, item, pair->msg);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

static int decode_message(struct json_decoder *d, const struct field *f, struct span value,
                          enum jscan_kind kind, void **at)
{
    if (kind != JSCAN_OBJECT) {
        return schema__fail(d->error, ERR_TYPE, "expected an object", f);
    }
    *at = arena_alloc(d->arena, f->sub->size);
    return decode_object(d, f->sub, value, *at);
}

static int decode_field(struct json_decoder *d, const struct field *f, struct span value,
                        enum jscan_kind kind, void *msg)
{
    void *at = schema__at(f, msg);
    if (kind == JSCAN_NULL && f->kind != KIND_BYTES) {
        return 0;
    }
    if ((f->flags & FIELD_REPEATED) != 0) {
        return kind == JSCAN_ARRAY ? decode_list(d, f, value, at)
                                   : schema__fail(d->error, ERR_TYPE, "expected a list", f);
    }
    switch (f->kind) {
    case KIND_BOOL:
        if (kind != JSCAN_BOOL) {
            return schema__fail(d->error, ERR_TYPE, "expected true or false", f);
        }
        *(bool *)at = value.p[0] == 't';
        return 0;
    case KIND_STR:
        if (kind != JSCAN_STRING) {
            return schema__fail(d->error, ERR_TYPE, "expected a string", f);
        }
        *(struct span *)at = jscan_string(jscan_unquote(value), d->arena);
        return 0;
    case KIND_BYTES:
        *(struct span *)at = value;
        return 0;
    case KIND_MSG:
        return decode_message(d, f, value, kind, at);
    case KIND_MAP_STR:
    case KIND_MAP_MSG:
    case KIND_MAP_DBL:
        return kind == JSCAN_OBJECT ? decode_map(d, f, value, at)
                                    : schema__fail(d->error, ERR_TYPE, "expected an object", f);
    default:
        return kind == JSCAN_NUMBER ? store_number(f, value, at, d->error)
                                    : schema__fail(d->error, ERR_TYPE, "expected a number", f);
    }
}

static int decode_object(struct json_decoder *d, const struct schema *s, struct span object,
                         void *out)
{
    memset(out, 0, s->size);
    if (d->depth == SCHEMA_MAX_DEPTH) {
        return schema__fail(d->error, ERR_LIMIT, "JSON nested too deeply", NULL);
    }
    d->depth++;
    struct jscan scan = jscan_enter(object);
    struct span raw_key;
    struct span value;
    enum jscan_kind kind;
    while (jscan_member(&scan, &raw_key, &value, &kind)) {
        const struct field *f = find_field(s, raw_key, d->arena);
        int rc = f != NULL ? decode_field(d, f, value, kind, out) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    d->depth--;
    return 0;
}

int schema_json_decode(const struct schema *s, struct span text, struct arena *a, void *out,
                       size_t *consumed, struct schema_error *e)
{
    struct jscan scan = jscan_of(text);
    struct span value;
    enum jscan_kind kind;
    int rc = jscan_value(&scan, &value, &kind);
    if (rc != 0) {
        return schema__fail(e, rc, rc == ERR_LIMIT ? "JSON nested too deeply" : malformed, NULL);
    }
    *consumed = (size_t)(scan.p - text.p);
    if (kind == JSCAN_NULL) {
        memset(out, 0, s->size);
        return 0;
    }
    if (kind != JSCAN_OBJECT) {
        return schema__fail(e, ERR_TYPE, "expected a JSON object", NULL);
    }
    return decode_object(&(struct json_decoder){.arena = a, .error = e}, s, value, out);
}

/* The shortest text that reads back as v. JSON has no word for infinite and undefined ones: they
 * become 0. */
static void add_double(struct buf *b, double v)
{
    char text[32] = "0";
    for (int digits = 15; isfinite(v) && digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        double back = strtod(text, NULL);
        if (!(back < v) && !(back > v)) {
            break;
        }
    }
    buf_add_str(b, text);
}

static void encode_map(const struct field *f, const struct vec *v, struct buf *b)
{
    buf_add_char(b, '{');
    for (size_t i = 0; i < v->n; i++) {
        const char *element = (const char *)v->items + i * schema__element_size(f);
        const struct span *key = (const struct span *)(const void *)element;
        if (i != 0) {
            buf_add_char(b, ',');
        }
        jwrite_string(b, *key);
        buf_add_char(b, ':');
        if (f->kind == KIND_MAP_STR) {
            jwrite_string(b, ((const struct kv *)(const void *)element)->value);
        } else if (f->kind == KIND_MAP_DBL) {
            add_double(b, ((const struct kv_dbl *)(const void *)element)->value);
        } else {
            schema_json_encode(f->sub, ((const struct kv_msg *)(const void *)element)->msg, b);
        }
    }
    buf_add_char(b, '}');
}

static void encode_bytes(const struct field *f, struct span s, struct buf *b)
{
    if (s.n == 0) {
        buf_add_str(b, "null");
    } else if ((f->flags & FIELD_COMPACT) != 0) {
        jwrite_compact(b, s);
    } else {
        jwrite_raw(b, s);
    }
}

static void encode_list(const struct field *f, const struct vec *v, struct buf *b)
{
    buf_add_char(b, '[');
    for (size_t i = 0; i < v->n; i++) {
        const char *element = (const char *)v->items + i * schema__element_size(f);
        if (i != 0) {
            buf_add_char(b, ',');
        }
        if (f->kind == KIND_STR) {
            jwrite_string(b, *(const struct span *)(const void *)element);
        } else if (f->kind == KIND_BYTES) {
            encode_bytes(f, *(const struct span *)(const void *)element, b);
        } else {
            schema_json_encode(f->sub, element, b);
        }
    }
    buf_add_char(b, ']');
}

static void encode_value(const struct field *f, const void *at, struct buf *b)
{
    if ((f->flags & FIELD_REPEATED) != 0) {
        encode_list(f, at, b);
        return;
    }
    switch (f->kind) {
    case KIND_BOOL:
        buf_add_str(b, *(const bool *)at ? "true" : "false");
        break;
    case KIND_I32:
        buf_add_i64(b, *(const int32_t *)at);
        break;
    case KIND_U32:
        buf_add_u64(b, *(const uint32_t *)at);
        break;
    case KIND_I64:
    case KIND_S64:
        buf_add_i64(b, *(const int64_t *)at);
        break;
    case KIND_U64:
        buf_add_u64(b, *(const uint64_t *)at);
        break;
    case KIND_DOUBLE:
        add_double(b, *(const double *)at);
        break;
    case KIND_STR:
        jwrite_string(b, *(const struct span *)at);
        break;
    case KIND_BYTES:
        encode_bytes(f, *(const struct span *)at, b);
        break;
    case KIND_MSG:
        schema_json_encode(f->sub, *(void *const *)at, b);
        break;
    case KIND_MAP_STR:
    case KIND_MAP_MSG:
    case KIND_MAP_DBL:
        encode_map(f, at, b);
        break;
    }
}

void schema_json_encode(const struct schema *s, const void *msg, struct buf *b)
{
    buf_add_char(b, '{');
    bool first = true;
    for (size_t i = 0; i < s->count; i++) {
        const struct field *f = &s->fields[i];
        if ((f->flags & FIELD_ALWAYS) == 0 && schema__is_empty(f, msg)) {
            continue;
        }
        buf_add_str(b, first ? "\"" : ",\"");
        first = false;
        buf_add_str(b, f->name);
        buf_add_str(b, "\":");
        encode_value(f, schema__get(f, msg), b);
    }
    buf_add_char(b, '}');
}
