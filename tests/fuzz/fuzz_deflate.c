/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed messages: damage does no harm, the limit holds, and what was compressed comes back. */
#include "common/format/deflate.h"

#include "common/base/err.h"
#include "tests/fuzz/fuzz_util.h"

#define MAX_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct deflate *d;
    if (d == NULL) {
        d = deflate_new(1, 0);
    }
    struct span in = span_of(data, size);
    struct buf made = {0};
    int rc = deflate_expand(d, in, MAX_BYTES, &made);
    fuzz_require(made.n <= MAX_BYTES + 1, "it stops at the limit");
    fuzz_require((rc == ERR_LIMIT) == (made.n > MAX_BYTES), "and says so");
    deflate_is_offered(in);
    struct buf packed = {0};
    struct buf want = {0};
    buf_clear(&made);
    buf_add_span(&want, in);
    deflate_compress(d, in, &packed);
    fuzz_require(deflate_expand(d, buf_span(&packed), size, &made) == 0, "what was made expands");
    fuzz_require_equal(&made, &want, "to what it was");
    buf_free(&made);
    buf_free(&packed);
    buf_free(&want);
    return 0;
}
