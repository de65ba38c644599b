/* SPDX-License-Identifier: Apache-2.0 */
/* The Protobuf codec over a table of fields. */
#include "common/base/err.h"
#include "common/format/pbwire.h"
#include "common/format/schema.h"
#include "common/format/schema_util.h"

static const char malformed[] = "malformed Protobuf";

struct pb_decoder {
    struct arena *arena;
    struct schema_error *error;
    int depth;
};

static int decode(struct pb_decoder *d, const struct schema *s, struct span bytes, void *out);

static const struct field *find_field(const struct schema *s, uint32_t number)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->fields[i].number == number) {
            return &s->fields[i];
        }
    }
    return NULL;
}

static enum pb_wire wire_of(const struct field *f)
{
    switch (f->kind) {
    case KIND_BOOL:
    case KIND_I32:
    case KIND_U32:
    case KIND_I64:
    case KIND_U64:
    case KIND_S64:
        return PB_VARINT;
    case KIND_DOUBLE:
        return PB_FIXED64;
    default:
        return PB_BYTES;
    }
}

static void store_scalar(const struct field *f, uint64_t v, void *at)
{
    switch (f->kind) {
    case KIND_BOOL:
        *(bool *)at = v != 0;
        break;
    case KIND_I32:
    case KIND_U32:
        *(uint32_t *)at = (uint32_t)v;
        break;
    case KIND_S64:
        *(uint64_t *)at = v >> 1 ^ (0 - (v & 1));
        break;
    default: /* I64, U64 and the bits of a double */
        memcpy(at, &v, sizeof(v));
        break;
    }
}

static int store_string(struct pb_decoder *d, const struct field *f, struct span bytes,
                        struct span *at)
{
    if (f->kind != KIND_BYTES && !span_is_utf8(bytes)) {
        return schema__fail(d->error, ERR_SYNTAX, "a string that is not UTF-8", f);
    }
    *at = bytes;
    return 0;
}

/* One entry message of a map: 1 key, 2 value. */
static int decode_entry(struct pb_decoder *d, const struct field *f, struct span bytes,
                        void *element)
{
    struct pb_reader r = pb_reader_of(bytes);
    struct pb_field pf;
    struct span *key = element;
    *key = SPAN("");
    if (f->kind == KIND_MAP_STR) {
        ((struct kv *)element)->value = SPAN("");
    } else if (f->kind == KIND_MAP_MSG) {
        ((struct kv_msg *)element)->msg = arena_zalloc(d->arena, f->sub->size);
    }
    int rc;
    while ((rc = pb_read_field(&r, &pf)) == 1) {
        if (pf.number == 1 && pf.wire == PB_BYTES) {
            rc = store_string(d, f, pf.bytes, key);
        } else if (pf.number != 2) {
            continue;
        } else if (f->kind == KIND_MAP_STR && pf.wire == PB_BYTES) {
            rc = store_string(d, f, pf.bytes, &((struct kv *)element)->value);
        } else if (f->kind == KIND_MAP_MSG && pf.wire == PB_BYTES) {
            rc = decode(d, f->sub, pf.bytes, ((struct kv_msg *)element)->msg);
        } else if (f->kind == KIND_MAP_DBL && pf.wire == PB_FIXED64) {
            memcpy(&((struct kv_dbl *)element)->value, &pf.value, sizeof(pf.value));
        }
        if (rc < 0) {
            return rc;
        }
    }
    return rc == 0 ? 0 : schema__fail(d->error, rc, malformed, f);
}

static int decode_bytes_field(struct pb_decoder *d, const struct field *f, struct span bytes,
                              void *at)
{
    if (f->kind == KIND_MAP_STR || f->kind == KIND_MAP_MSG || f->kind == KIND_MAP_DBL) {
        return decode_entry(d, f, bytes, schema__vec_add(at, schema__element_size(f), d->arena));
    }
    if ((f->flags & FIELD_REPEATED) != 0) {
        at = schema__vec_add(at, schema__element_size(f), d->arena);
        return f->kind == KIND_MSG ? decode(d, f->sub, bytes, at) : store_string(d, f, bytes, at);
    }
    if (f->kind == KIND_MSG) {
        void **msg = at;
        *msg = arena_alloc(d->arena, f->sub->size);
        return decode(d, f->sub, bytes, *msg);
    }
    return store_string(d, f, bytes, at);
}

static int decode(struct pb_decoder *d, const struct schema *s, struct span bytes, void *out)
{
    memset(out, 0, s->size);
    if (d->depth == SCHEMA_MAX_DEPTH) {
        return schema__fail(d->error, ERR_LIMIT, "Protobuf nested too deeply", NULL);
    }
    d->depth++;
    struct pb_reader r = pb_reader_of(bytes);
    struct pb_field pf;
    int rc;
    while ((rc = pb_read_field(&r, &pf)) == 1) {
        const struct field *f = find_field(s, pf.number);
        if (f == NULL) {
            continue;
        }
        if (wire_of(f) != pf.wire) {
            return schema__fail(d->error, ERR_TYPE, malformed, f);
        }
        if (pf.wire != PB_BYTES) {
            store_scalar(f, pf.value, schema__at(f, out));
        } else if ((rc = decode_bytes_field(d, f, pf.bytes, schema__at(f, out))) < 0) {
            return rc;
        }
    }
    d->depth--;
    return rc == 0 ? 0 : schema__fail(d->error, rc, malformed, NULL);
}

int schema_pb_decode(const struct schema *s, struct span bytes, struct arena *a, void *out,
                     struct schema_error *e)
{
    struct pb_decoder d = {.arena = a, .error = e};
    return decode(&d, s, bytes, out);
}

static uint64_t scalar_bits(const struct field *f, const void *at)
{
    switch (f->kind) {
    case KIND_BOOL:
        return *(const bool *)at;
    case KIND_I32:
        return (uint64_t)(int64_t) * (const int32_t *)at; /* sign-extended, as Protobuf does */
    case KIND_U32:
        return *(const uint32_t *)at;
    case KIND_S64: {
        uint64_t v = *(const uint64_t *)at;
        return v << 1 ^ (0 - (v >> 63));
    }
    default:
        return *(const uint64_t *)at;
    }
}

static void encode_map(const struct field *f, const struct vec *v, struct buf *b)
{
    for (size_t i = 0; i < v->n; i++) {
        const void *element = (const char *)v->items + i * schema__element_size(f);
        size_t entry = pb_open(b, f->number);
        pb_add_bytes(b, 1, *(const struct span *)element);
        if (f->kind == KIND_MAP_STR) {
            pb_add_bytes(b, 2, ((const struct kv *)element)->value);
        } else if (f->kind == KIND_MAP_DBL) {
            pb_add_double(b, 2, ((const struct kv_dbl *)element)->value);
        } else {
            size_t mark = pb_open(b, 2);
            schema_pb_encode(f->sub, ((const struct kv_msg *)element)->msg, b);
            pb_close(b, mark);
        }
        pb_close(b, entry);
    }
}

static void encode_message(const struct field *f, const void *msg, struct buf *b)
{
    size_t mark = pb_open(b, f->number);
    schema_pb_encode(f->sub, msg, b);
    pb_close(b, mark);
}

static void encode_field(const struct field *f, const void *at, struct buf *b)
{
    if (f->kind == KIND_MAP_STR || f->kind == KIND_MAP_MSG || f->kind == KIND_MAP_DBL) {
        encode_map(f, at, b);
    } else if ((f->flags & FIELD_REPEATED) != 0) {
        const struct vec *v = at;
        for (size_t i = 0; i < v->n; i++) {
            const void *element = (const char *)v->items + i * schema__element_size(f);
            if (f->kind == KIND_MSG) {
                encode_message(f, element, b);
            } else {
                pb_add_bytes(b, f->number, *(const struct span *)element);
            }
        }
    } else if (f->kind == KIND_MSG) {
        encode_message(f, *(void *const *)at, b);
    } else if (f->kind == KIND_DOUBLE) {
        pb_add_double(b, f->number, *(const double *)at);
    } else if (wire_of(f) == PB_VARINT) {
        pb_add_tag(b, f->number, PB_VARINT);
        pb_add_varint(b, scalar_bits(f, at));
    } else {
        pb_add_bytes(b, f->number, *(const struct span *)at);
    }
}

void schema_pb_encode(const struct schema *s, const void *msg, struct buf *b)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct field *f = &s->fields[i];
        if (!schema__is_empty(f, msg)) {
            encode_field(f, schema__get(f, msg), b);
        }
    }
}
