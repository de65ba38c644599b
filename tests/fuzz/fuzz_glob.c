/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns: a glob or regular expression in the first line, a text behind it. */
#include "common/policy/channel.h"
#include "common/policy/rx.h"
#include "tests/fuzz/fuzz_util.h"

/* A pattern without special characters matches itself only. */
static void require_literal(struct span pattern, struct span text, bool matches)
{
    for (size_t i = 0; i < pattern.n; i++) {
        unsigned char c = (unsigned char)pattern.p[i];
        if (c >= 0x80 || strchr("*?[]{}\\,", c) != NULL) {
            return;
        }
    }
    fuzz_require(matches == span_eq(pattern, text) || pattern.n > 2048,
                 "a literal pattern matches itself only");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = span_of(data, size);
    size_t end = span_find(all, '\n', 0);
    struct span pattern = span_of(data, end);
    struct span text = span_from(all, end + 1);
    text.n = text.n > 300 ? 300 : text.n;
    bool matches = glob_match(pattern, text);
    fuzz_require(!matches || glob_is_valid(pattern), "only a valid pattern matches");
    require_literal(pattern, text, matches);
    struct err e = {0};
    struct rx *r = rx_new(pattern, &e);
    if (r != NULL) {
        rx_finds(r, text);
        rx_free(r);
    } else {
        fuzz_require(e.code < 0 && e.text[0] != '\0', "an error has a code and a text");
    }
    return 0;
}
