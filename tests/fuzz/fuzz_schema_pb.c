/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the Protobuf codec survives any bytes, and agrees with the JSON codec about every
 * message. */
#include "common/base/err.h"
#include "common/format/jscan.h"

#include "tests/fuzz/fuzz_util.h"
#include "tests/unit/schemas.h"

/* Both texts of `msg` have to come back from its Protobuf form. */
static void through_protobuf(const struct schema *s, const void *msg, struct arena *a)
{
    struct buf pb[2] = {{0}, {0}};
    struct buf json[2] = {{0}, {0}};
    void *again = arena_alloc(a, s->size);
    schema_pb_encode(s, msg, &pb[0]);
    schema_json_encode(s, msg, &json[0]);
    fuzz_require(schema_pb_decode(s, buf_span(&pb[0]), a, again, NULL) == 0,
                 "encoded Protobuf decodes");
    schema_pb_encode(s, again, &pb[1]);
    schema_json_encode(s, again, &json[1]);
    fuzz_require_equal(&pb[0], &pb[1], "Protobuf comes back from Protobuf");
    fuzz_require_equal(&json[0], &json[1], "JSON comes back from Protobuf");
    for (size_t i = 0; i < 2; i++) {
        buf_free(&pb[i]);
        buf_free(&json[i]);
    }
}

/* A message whose payloads are JSON can be shown to a JSON client. */
static void through_json(const struct schema *s, const void *msg, struct arena *a)
{
    struct buf first = {0};
    schema_json_encode(s, msg, &first);
    void *again = arena_alloc(a, s->size);
    size_t consumed = 0;
    int rc = schema_json_decode(s, buf_span(&first), a, again, &consumed, NULL);
    if (rc != ERR_LIMIT) { /* both forms limit their depth, each in its own way */
        fuzz_require(rc == 0 && consumed == first.n, "encoded JSON decodes");
        through_protobuf(s, again, a);
    }
    buf_free(&first);
}

/* The first byte chooses the table; the rest is tried as Protobuf and as JSON. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct schema *s = all_schemas[data[0] % ARRAY_LEN(all_schemas)];
    struct span bytes = span_of(data + 1, size - 1);
    struct arena a = {0};
    void *msg = arena_alloc(&a, s->size);
    struct schema_error e = {0};
    size_t consumed;
    int rc = schema_pb_decode(s, bytes, &a, msg, &e);
    if (rc == 0) {
        through_protobuf(s, msg, &a);
        if (schema_payloads_are_json(s, msg)) {
            through_json(s, msg, &a);
        }
    } else {
        fuzz_require(rc == ERR_SYNTAX || rc == ERR_TYPE || rc == ERR_LIMIT,
                     "failures have their codes");
        fuzz_require(e.what != NULL, "a refusal says what was wrong");
    }
    if (schema_json_decode(s, bytes, &a, msg, &consumed, NULL) == 0) {
        through_protobuf(s, msg, &a);
    }
    arena_fini(&a);
    return 0;
}
