/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of HTML forms. */
#include "pushd/admin/form.h"

#include "common/base/err.h"

#define MAX_BOUNDARY 70 /* RFC 2046, 5.1.1 */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int decode_percent(struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%') {
            buf_add_char(out, s.p[i] == '+' ? ' ' : s.p[i]);
            continue;
        }
        int high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
        int low = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return ERR_SYNTAX;
        }
        buf_add_char(out, (char)(high * 16 + low));
        i += 2;
    }
    return 0;
}

static int find_urlencoded(struct span body, const char *name, struct buf *out)
{
    struct span pair;
    while (span_split(&body, '&', &pair)) {
        size_t equals = span_find(pair, '=', 0);
        if (span_eq_str(span_of(pair.p, equals), name)) {
            return decode_percent(span_from(pair, equals + 1), out);
        }
    }
    return ERR_MISSING;
}

/* The value of a parameter such as boundary=X or name="X" behind the first semicolon of a header;
 * absent when it is not there. Quoted values may hold semicolons; a backslash in them stays as it
 * is, which browsers mean so. */
static struct span parameter(struct span header, const char *name)
{
    size_t at = span_find(header, ';', 0);
    while (at < header.n) {
        size_t equals = span_find(header, '=', at);
        struct span key = span_trim(span_of(header.p + at + 1, equals > at ? equals - at - 1 : 0));
        struct span rest = span_from(header, equals + 1);
        bool is_quoted = rest.n != 0 && rest.p[0] == '"';
        size_t end = is_quoted ? span_find(rest, '"', 1) : span_find(rest, ';', 0);
        if (is_quoted && end == rest.n) {
            break;
        }
        if (span_eq_nocase(key, span_str(name))) {
            return is_quoted ? span_of(rest.p + 1, end - 1) : span_trim(span_of(rest.p, end));
        }
        at = span_find(header, ';', equals + 1 + end);
    }
    return (struct span){0};
}

/* Position of `what` in s at or after `from`, or s.n. */
static size_t find_text(struct span s, struct span what, size_t from)
{
    const char *at = from < s.n ? memmem(s.p + from, s.n - from, what.p, what.n) : NULL;
    return at != NULL ? (size_t)(at - s.p) : s.n;
}

/* Whether the head of a part names this field. */
static bool head_names(struct span head, const char *name)
{
    struct span line;
    while (span_split(&head, '\n', &line)) {
        size_t colon = span_find(line, ':', 0);
        if (span_eq_nocase(span_trim(span_of(line.p, colon)), SPAN("Content-Disposition"))) {
            return span_eq_str(parameter(span_from(line, colon + 1), "name"), name);
        }
    }
    return false;
}

static int find_multipart(struct span body, struct span boundary, const char *name, struct buf *out)
{
    char text[MAX_BOUNDARY + 4] = "\r\n--";
    memcpy(text + 4, boundary.p, boundary.n);
    struct span delimiter = span_of(text, boundary.n + 4);
    struct span first =
        span_from(delimiter, 2); /* may begin the body, then without the line break */
    size_t at = span_starts(body, first) ? first.n : find_text(body, delimiter, 0) + delimiter.n;
    while (at < body.n && !span_starts(span_from(body, at), SPAN("--"))) {
        size_t head = find_text(body, SPAN("\r\n"), at);
        size_t head_end = find_text(body, SPAN("\r\n\r\n"), head);
        size_t content = head_end + 4;
        size_t end = find_text(body, delimiter, head_end);
        if (head_end == body.n || end == body.n) {
            return ERR_SYNTAX;
        }
        if (head_names(span_of(body.p + head, head_end - head), name)) {
            if (end > content) {
                buf_add(out, body.p + content, end - content);
            }
            return 0;
        }
        at = end + delimiter.n;
    }
    return ERR_MISSING;
}

int admin_form_field(struct span content_type, struct span body, const char *name, struct buf *out)
{
    struct span type = span_trim(span_of(content_type.p, span_find(content_type, ';', 0)));
    if (span_eq_nocase(type, SPAN("application/x-www-form-urlencoded"))) {
        return find_urlencoded(body, name, out);
    }
    if (!span_eq_nocase(type, SPAN("multipart/form-data"))) {
        return ERR_TYPE;
    }
    struct span boundary = parameter(content_type, "boundary");
    if (boundary.n == 0 || boundary.n > MAX_BOUNDARY) {
        return ERR_SYNTAX;
    }
    return find_multipart(body, boundary, name, out);
}
