/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: scanning, walking, decoding and rewriting JSON text agree with each other. */
#include "common/base/err.h"
#include "common/format/jscan.h"
#include "common/format/jwrite.h"

#include "tests/fuzz/fuzz_util.h"

static void check_string(struct span raw, struct arena *a)
{
    struct span text = jscan_string(raw, a);
    fuzz_require(span_is_utf8(text), "a decoded string is UTF-8");
    struct buf quoted = {0};
    jwrite_string(&quoted, text);
    fuzz_require(jscan_is_valid(buf_span(&quoted)), "a written string is JSON");
    struct span again = jscan_string(jscan_unquote(buf_span(&quoted)), a);
    fuzz_require(span_eq(text, again), "a written string reads back the same");
    buf_free(&quoted);
}

/* The scanner limits the depth, and with it this recursion. */
static void walk(struct span value, enum jscan_kind kind, struct arena *a)
{
    struct span raw_key;
    struct span inner;
    enum jscan_kind inner_kind;
    if (kind == JSCAN_STRING) {
        check_string(jscan_unquote(value), a);
    } else if (kind == JSCAN_OBJECT) {
        struct jscan s = jscan_enter(value);
        while (jscan_member(&s, &raw_key, &inner, &inner_kind)) {
            check_string(raw_key, a);
            walk(inner, inner_kind, a);
        }
        fuzz_require(jscan_at_end(&s), "members fill their object");
    } else if (kind == JSCAN_ARRAY) {
        struct jscan s = jscan_enter(value);
        while (jscan_element(&s, &inner, &inner_kind)) {
            walk(inner, inner_kind, a);
        }
        fuzz_require(jscan_at_end(&s), "elements fill their array");
    }
}

static void check_rewritten(struct span value, void (*write)(struct buf *, struct span),
                            bool was_valid)
{
    struct buf once = {0};
    struct buf twice = {0};
    write(&once, value);
    fuzz_require(jscan_is_valid(buf_span(&once)) == was_valid, "a rewritten value stays JSON");
    write(&twice, buf_span(&once));
    fuzz_require_equal(&once, &twice, "rewriting twice changes nothing");
    buf_free(&once);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(size != 0 ? (const char *)data : "", size);
    struct jscan s = jscan_of(text);
    struct span value;
    enum jscan_kind kind;
    struct arena a = {0};
    int rc;
    while ((rc = jscan_value(&s, &value, &kind)) == 0) {
        fuzz_require(value.p >= text.p && value.p + value.n == s.p && s.p <= text.p + text.n,
                     "a value lies in its text");
        walk(value, kind, &a);
        bool valid = jscan_is_valid(value);
        fuzz_require(valid == span_is_utf8(value), "a value on its own is valid when it is UTF-8");
        check_rewritten(value, jwrite_raw, valid);
        check_rewritten(value, jwrite_compact, valid);
    }
    fuzz_require(rc == ERR_SYNTAX || rc == ERR_LIMIT, "failures have their codes");
    arena_fini(&a);
    return 0;
}
