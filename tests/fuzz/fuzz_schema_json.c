/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: a message that decodes from JSON encodes to JSON that decodes to the same message,
 * for every table. */
#include "common/base/err.h"
#include "common/format/jscan.h"

#include "tests/fuzz/fuzz_util.h"
#include "tests/unit/schemas.h"

static void round_trip(const struct schema *s, struct span text, const void *msg, struct arena *a)
{
    struct buf first = {0};
    struct buf second = {0};
    schema_json_encode(s, msg, &first);
    bool valid = jscan_is_valid(buf_span(&first));
    fuzz_require(valid || !span_is_utf8(text), "what UTF-8 text encodes to is valid JSON");
    fuzz_require(schema_payloads_are_json(s, msg) == valid,
                 "only payloads can keep bytes that are not UTF-8");
    void *again = arena_alloc(a, s->size);
    size_t consumed = 0;
    fuzz_require(schema_json_decode(s, buf_span(&first), a, again, &consumed, NULL) == 0,
                 "encoded text decodes");
    fuzz_require(consumed == first.n, "encoded text is one value");
    schema_json_encode(s, again, &second);
    fuzz_require_equal(&first, &second, "decode, encode, decode, encode");
    buf_free(&first);
    buf_free(&second);
}

/* The first byte chooses the table, the rest is the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const struct schema *s = all_schemas[data[0] % ARRAY_LEN(all_schemas)];
    struct span text = span_of(data + 1, size - 1);
    struct arena a = {0};
    void *msg = arena_alloc(&a, s->size);
    size_t consumed = 0;
    struct schema_error e = {0};
    int rc = schema_json_decode(s, text, &a, msg, &consumed, &e);
    if (rc == 0) {
        fuzz_require(consumed <= text.n, "a message lies in its text");
        round_trip(s, text, msg, &a);
    } else {
        fuzz_require(rc == ERR_SYNTAX || rc == ERR_TYPE || rc == ERR_LIMIT,
                     "failures have their codes");
        fuzz_require(e.what != NULL, "a refusal says what was wrong");
    }
    arena_fini(&a);
    return 0;
}
