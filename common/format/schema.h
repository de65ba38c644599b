/* SPDX-License-Identifier: Apache-2.0 */
/* Messages described by rows: one table of fields serves the JSON and the Protobuf codec alike. */
#pragma once

#include "common/base/arena.h"

enum schema_kind {
    KIND_BOOL,    /* bool */
    KIND_I32,     /* int32_t */
    KIND_U32,     /* uint32_t */
    KIND_I64,     /* int64_t */
    KIND_U64,     /* uint64_t */
    KIND_S64,     /* int64_t, zigzag in Protobuf */
    KIND_DOUBLE,  /* double; JSON: decoding keeps integers and reals */
    KIND_STR,     /* struct span, UTF-8 */
    KIND_BYTES,   /* struct span; in JSON a raw value of any type, kept byte for byte */
    KIND_MSG,     /* struct X *, NULL when absent */
    KIND_MAP_STR, /* struct vec of struct kv; map<string,string> */
    KIND_MAP_MSG, /* struct vec of struct kv_msg; map<string,message> */
    KIND_MAP_DBL, /* struct vec of struct kv_dbl; map<string,double> */
};

enum {
    FIELD_REPEATED =
        1, /* KIND_STR: struct vec of struct span; KIND_MSG: struct vec of the message itself */
    FIELD_ALWAYS = 2,  /* written in JSON even when empty or zero */
    FIELD_COMPACT = 4, /* KIND_BYTES in JSON: written without white space, see jwrite_compact */
};

/* `n` elements, contiguous. */
struct vec {
    void *items;
    size_t n;
};

struct kv {
    struct span key;
    struct span value;
};

struct kv_msg {
    struct span key;
    void *msg; /* of the field's sub-schema */
};

struct kv_dbl {
    struct span key;
    double value;
};

struct schema;

struct field {
    const char *name; /* JSON member */
    uint32_t number;  /* Protobuf field */
    enum schema_kind kind;
    unsigned flags;
    size_t offset; /* in the struct */
    const struct schema *sub;
};

struct schema {
    const char *name;
    size_t size; /* of the struct */
    const struct field *fields;
    size_t count;
};

#define FIELD(type, number_, member, kind_, ...)               \
    {                                                          \
        .name = #member, .number = (number_), .kind = (kind_), \
        .offset = offsetof(struct type, member), __VA_ARGS__   \
    }

/* Why decoding failed, for the explanation that goes to a person: a constant text and the member it
 * concerns. */
struct schema_error {
    const char *what;  /* such as "malformed JSON", "expected a string" */
    struct span field; /* name of the member, or absent; borrowed from the table */
};

/* Decodes one JSON object into `out` (of s->size, zeroed here). Strings and sub-messages live in
 * the text or the arena, which both have to outlive the result. Unknown members are ignored, names
 * match exactly or else without case, the last of duplicate members counts, null is like absent
 * (for KIND_BYTES: the value null). *consumed gets the number of bytes up to the end of the object;
 * the caller decides what may follow. `e` may be NULL. ERR_SYNTAX, ERR_TYPE, ERR_LIMIT. */
int schema_json_decode(const struct schema *s, struct span text, struct arena *a, void *out,
                       size_t *consumed, struct schema_error *e);

/* The same for Protobuf; takes the whole of `bytes`. Invalid UTF-8 in strings is ERR_SYNTAX. */
int schema_pb_decode(const struct schema *s, struct span bytes, struct arena *a, void *out,
                     struct schema_error *e);

/* Appends a message. Absent and zero fields are left out. JSON: map members are written in the
 * order of the vec. */
void schema_json_encode(const struct schema *s, const void *msg, struct buf *b);
void schema_pb_encode(const struct schema *s, const void *msg, struct buf *b);

/* Sorts a map (of struct kv, kv_msg or kv_dbl, `size` bytes each) by its keys. The reference writes
 * maps so in answers of the server API. */
void schema_map_sort(struct vec *map, size_t size);

/* Whether every payload (KIND_BYTES) in the message is valid JSON, so that it may be embedded in
 * JSON. */
bool schema_payloads_are_json(const struct schema *s, const void *msg);
