/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed messages from clients: memory stays below the limit, and what we compress comes back.
 */
#include "common/base/err.h"
#include "common/format/deflate.h"
#include "tests/fuzz/fuzz_util.h"

#define MAX_BYTES 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct deflater *deflater;
    static struct inflater *inflater;
    if (deflater == NULL) {
        deflater = deflater_new(1);
        inflater = inflater_new();
    }
    struct span in = span_of(data, size);
    struct buf first = {0};
    struct buf second = {0};
    int rc = inflater_run(inflater, in, MAX_BYTES, &first);
    fuzz_require(rc == 0 || rc == ERR_LIMIT || rc == ERR_SYNTAX, "the codes of the header");
    fuzz_require((rc == ERR_LIMIT) == (first.n > MAX_BYTES), "the limit is noticed, and at once");
    fuzz_require(inflater_run(inflater, in, MAX_BYTES, &second) == rc, "the same code again");
    fuzz_require_equal(&first, &second, "nothing is left over from the message before");
    buf_clear(&first);
    buf_clear(&second);
    deflater_run(deflater, in, &first);
    fuzz_require(first.n != 0, "no message is empty");
    fuzz_require(inflater_run(inflater, buf_span(&first), size, &second) == 0, "it comes back");
    fuzz_require(span_eq(buf_span(&second), in), "as it was");
    buf_free(&first);
    buf_free(&second);
    return 0;
}
