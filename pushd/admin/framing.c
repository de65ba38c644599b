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
        f->bodies++;
        is_good = is_good && span_to_u64(value, &f->length) == 0;
    } else if (span_eq_nocase(name, SPAN("Transfer-Encoding"))) {
        f->bodies++;
        is_good = is_good && span_eq_nocase(value, SPAN("chunked"));
    } else if (span_eq_nocase(name, SPAN("Host"))) {
        f->hosts++;
    }
    f->is_malformed = f->is_malformed || !is_good;
}

bool admin_framing_is_bad(const struct admin_framing *f, struct span version)
{
    bool needs_host = !span_eq(version, SPAN("HTTP/1.0"));
    return f->is_malformed || f->bodies > 1 || f->hosts > 1 || (needs_host && f->hosts == 0);
}
