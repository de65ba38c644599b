/* SPDX-License-Identifier: Apache-2.0 */
/* Deltas: a malicious one does no harm, a made one gives the target back, and text stays text. */
#include "common/format/fossil.h"

#include "tests/fuzz/fuzz_util.h"

#define MADE_MAX_BYTES 65536
/* "size\n", "checksum;" and the head of one insert, each with up to six digits. */
#define OVERHEAD_MAX_BYTES 21

static void apply_anything(struct span source, struct span delta)
{
    struct buf made = {.max = MADE_MAX_BYTES};
    fossil_apply(source, delta, &made);
    fuzz_require(made.n <= MADE_MAX_BYTES, "a delta stays within the limit");
    buf_free(&made);
}

static void there_and_back(struct span source, struct span target)
{
    struct buf delta = {0};
    struct buf made = {0};
    struct buf want = {0};
    buf_add_span(&want, target);
    fossil_create(source, target, &delta);
    fuzz_require(fossil_apply(source, buf_span(&delta), &made) == 0, "a made delta applies");
    fuzz_require_equal(&made, &want, "it gives the target back");
    fuzz_require(delta.n <= target.n + OVERHEAD_MAX_BYTES, "it is hardly longer than the target");
    fuzz_require(!span_is_utf8(source) || !span_is_utf8(target) || span_is_utf8(buf_span(&delta)),
                 "the delta of texts is text");
    buf_free(&delta);
    buf_free(&made);
    buf_free(&want);
}

/* The first two bytes say where the source ends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    struct span rest = span_of(data + 2, size - 2);
    size_t cut = ((size_t)data[0] << 8 | data[1]) % (rest.n + 1);
    struct span source = span_of(rest.p, cut);
    struct span other = span_from(rest, cut);
    apply_anything(source, other);
    there_and_back(source, other);
    there_and_back(other, source);
    there_and_back(rest, other);
    return 0;
}
