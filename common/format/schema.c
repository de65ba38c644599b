/* SPDX-License-Identifier: Apache-2.0 */
/* Messages described by rows: what both codecs share. */
#include "common/format/schema.h"

#include "common/base/err.h"
#include "common/format/jscan.h"
#include "common/format/schema_util.h"

#include <stdlib.h>

size_t schema__element_size(const struct field *f)
{
    switch (f->kind) {
    case KIND_MAP_STR:
        return sizeof(struct kv);
    case KIND_MAP_MSG:
        return sizeof(struct kv_msg);
    case KIND_MAP_DBL:
        return sizeof(struct kv_dbl);
    case KIND_MSG:
        return f->sub->size;
    default:
        return sizeof(struct span);
    }
}

bool schema__is_empty(const struct field *f, const void *msg)
{
    const void *at = schema__get(f, msg);
    if ((f->flags & FIELD_REPEATED) != 0) {
        return ((const struct vec *)at)->n == 0;
    }
    switch (f->kind) {
    case KIND_BOOL:
        return !*(const bool *)at;
    case KIND_I32:
    case KIND_U32:
        return *(const uint32_t *)at == 0;
    case KIND_I64:
    case KIND_U64:
    case KIND_S64:
        return *(const uint64_t *)at == 0;
    case KIND_DOUBLE:
        return !(*(const double *)at < 0 || *(const double *)at > 0);
    case KIND_STR:
    case KIND_BYTES:
        return ((const struct span *)at)->n == 0;
    case KIND_MSG:
        return *(void *const *)at == NULL;
    case KIND_MAP_STR:
    case KIND_MAP_MSG:
    case KIND_MAP_DBL:
        return ((const struct vec *)at)->n == 0;
    }
    return true;
}

void *schema__vec_add(struct vec *v, size_t element_size, struct arena *a)
{
    if ((v->n & (v->n - 1)) == 0) { /* 0 or a power of two: full */
        size_t cap = v->n == 0 ? 1 : v->n * 2;
        void *items = arena_alloc(a, cap * element_size);
        if (v->n != 0) {
            memcpy(items, v->items, v->n * element_size);
        }
        v->items = items;
    }
    void *element = (char *)v->items + v->n * element_size;
    memset(element, 0, element_size);
    v->n++;
    return element;
}

int schema__fail(struct schema_error *e, int code, const char *what, const struct field *f)
{
    if (e != NULL) {
        e->what = what;
        e->field = f != NULL ? span_str(f->name) : (struct span){0};
    }
    return code;
}

/* All elements of maps begin with their key. */
static int by_key(const void *a, const void *b)
{
    return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

void schema_map_sort(struct vec *map, size_t size)
{
    if (map->n > 1) {
        qsort(map->items, map->n, size, by_key);
    }
}

static bool sub_is_json(const struct field *f, const void *at)
{
    if ((f->flags & FIELD_REPEATED) != 0) {
        const struct vec *v = at;
        for (size_t i = 0; i < v->n; i++) {
            if (!schema_payloads_are_json(f->sub, (const char *)v->items + i * f->sub->size)) {
                return false;
            }
        }
        return true;
    }
    const void *msg = *(void *const *)at;
    return msg == NULL || schema_payloads_are_json(f->sub, msg);
}

bool schema_payloads_are_json(const struct schema *s, const void *msg)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct field *f = &s->fields[i];
        const void *at = schema__get(f, msg);
        if (f->kind == KIND_BYTES) {
            const struct span *bytes = at;
            if (bytes->n != 0 && !jscan_is_valid(*bytes)) {
                return false;
            }
        } else if (f->kind == KIND_MSG && !sub_is_json(f, at)) {
            return false;
        } else if (f->kind == KIND_MAP_MSG) {
            const struct vec *v = at;
            const struct kv_msg *kvs = v->items;
            for (size_t k = 0; k < v->n; k++) {
                if (!schema_payloads_are_json(f->sub, kvs[k].msg)) {
                    return false;
                }
            }
        }
    }
    return true;
}
