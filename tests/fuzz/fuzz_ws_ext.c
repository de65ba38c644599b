/* SPDX-License-Identifier: Apache-2.0 */
/* Offers of WebSocket extensions. */
#include "common/protocol/ws_ext.h"
#include "tests/fuzz/fuzz_util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span value = span_of(data, size);
    bool offers = ws_ext_offers_deflate(value);
    struct buf list = {0};
    /* One that we accept does not heal a value that is malformed, and does no harm to another. */
    buf_add_span(&list, value);
    buf_add_str(&list, ", permessage-deflate");
    bool with_good = ws_ext_offers_deflate(buf_span(&list));
    fuzz_require(!offers || with_good, "a further offer takes nothing away");
    buf_clear(&list);
    buf_add_span(&list, value);
    buf_add_str(&list, ", permessage-deflate; server_max_window_bits=10");
    fuzz_require(ws_ext_offers_deflate(buf_span(&list)) == (offers && with_good),
                 "an offer that is declined changes nothing");
    buf_free(&list);
    return 0;
}
