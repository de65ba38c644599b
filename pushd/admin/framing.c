/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the headers that say where a request ends. */
#include "pushd/admin/framing.h"

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c <= ' ' || c == 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL) {
            return false;
        }
    }
    return s.n != 0;
}

static bool has_control(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return true;
        }
    }
    return false;
}

void admin_framing_add(struct admin_framing *f, struct span name, struct span value)
{
    bool is_good = is_token(name) && !has_control(value);
    if (span_eq_nocase(name, SPAN("Content-Length"))) {
        f->headers++;
        is_good = is_good && span_to_u64(value, &f->length) == 0;
    } else if (span_eq_nocase(name, SPAN("Transfer-Encoding"))) {
        f->headers++;
        is_good = is_good && span_eq_nocase(value, SPAN("chunked"));
    }
    f->is_bad = f->is_bad || !is_good || f->headers > 1;
}
