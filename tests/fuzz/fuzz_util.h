/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzz targets share: a property that does not hold ends the process, with the texts that
 * differ. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "common/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void fuzz_require(bool holds, const char *property)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", property);
        abort();
    }
}

static inline void fuzz_require_equal(const struct buf *a, const struct buf *b,
                                      const char *property)
{
    if (!span_eq(buf_span(a), buf_span(b))) {
        fprintf(stderr, "does not hold: %s\n  %.*s\n  %.*s\n", property, SPAN_FMT(buf_span(a)),
                SPAN_FMT(buf_span(b)));
        abort();
    }
}
