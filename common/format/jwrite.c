/* SPDX-License-Identifier: Apache-2.0 */
/* Appending JSON text to a buffer. */
#include "common/format/jwrite.h"

/* 0: as it is, 1: \uXXXX, 2: above ASCII, else the letter of its short escape. */
static const char classes[256] = {
    [0x00] = 1,   [0x01] = 1,          [0x02] = 1,   [0x03] = 1,    [0x04] = 1,   [0x05] = 1,
    [0x06] = 1,   [0x07] = 1,          [0x08] = 'b', [0x09] = 't',  [0x0a] = 'n', [0x0b] = 1,
    [0x0c] = 'f', [0x0d] = 'r',        [0x0e] = 1,   [0x0f] = 1,    [0x10] = 1,   [0x11] = 1,
    [0x12] = 1,   [0x13] = 1,          [0x14] = 1,   [0x15] = 1,    [0x16] = 1,   [0x17] = 1,
    [0x18] = 1,   [0x19] = 1,          [0x1a] = 1,   [0x1b] = 1,    [0x1c] = 1,   [0x1d] = 1,
    [0x1e] = 1,   [0x1f] = 1,          ['"'] = '"',  ['\\'] = '\\', ['<'] = 1,    ['>'] = 1,
    ['&'] = 1,    [0x80 ... 0xff] = 2,
};

static void add_u_escape(struct buf *b, unsigned c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', hex[c >> 12 & 15], hex[c >> 8 & 15], hex[c >> 4 & 15], hex[c & 15]};
    buf_add(b, text, sizeof(text));
}

/* One character above ASCII; returns how many bytes it took. */
static size_t add_wide(struct buf *b, struct span rest)
{
    unsigned char lead = (unsigned char)rest.p[0];
    size_t len = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (len > rest.n || !span_is_utf8(span_of(rest.p, len))) {
        buf_add_str(b, "\\ufffd");
        return 1;
    }
    if (len == 3 && memcmp(rest.p, "\xe2\x80", 2) == 0 &&
        (rest.p[2] == '\xa8' || rest.p[2] == '\xa9')) {
        add_u_escape(b, rest.p[2] == '\xa8' ? 0x2028 : 0x2029);
    } else {
        buf_add(b, rest.p, len);
    }
    return len;
}

void jwrite_string(struct buf *b, struct span s)
{
    if (s.n == 0) { /* an absent text has no address to count from */
        buf_add(b, "\"\"", 2);
        return;
    }
    buf_add_char(b, '"');
    size_t done = 0;
    size_t i = 0;
    while (i < s.n) {
        char class = classes[(unsigned char)s.p[i]];
        if (class == 0) {
            i++;
            continue;
        }
        buf_add(b, s.p + done, i - done);
        if (class == 1) {
            add_u_escape(b, (unsigned char)s.p[i]);
            i++;
        } else if (class == 2) {
            i += add_wide(b, span_from(s, i));
        } else {
            char text[2] = {'\\', class};
            buf_add(b, text, 2);
            i++;
        }
        done = i;
    }
    buf_add(b, s.p + done, i - done);
    buf_add_char(b, '"');
}

void jwrite_raw(struct buf *b, struct span json)
{
    size_t i = 0;
    while (i < json.n) {
        size_t at = span_find(json, '\n', i);
        buf_add(b, json.p + i, at - i);
        i = at + 1;
    }
}

/* Position behind the string whose opening quote is at `at`. */
static size_t skip_quoted(struct span s, size_t at)
{
    for (size_t i = at + 1; i < s.n; i++) {
        if (s.p[i] == '\\') {
            i++;
        } else if (s.p[i] == '"') {
            return i + 1;
        }
    }
    return s.n;
}

static void add_html_safe(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '<' || c == '>' || c == '&') {
            add_u_escape(b, (unsigned char)c);
        } else if (c == '\xe2' && s.n - i >= 3 && s.p[i + 1] == '\x80' &&
                   (s.p[i + 2] == '\xa8' || s.p[i + 2] == '\xa9')) {
            i += add_wide(b, span_from(s, i)) - 1;
        } else {
            buf_add_char(b, c);
        }
    }
}

void jwrite_compact(struct buf *b, struct span json)
{
    size_t i = 0;
    while (i < json.n) {
        char c = json.p[i];
        if (c == '"') {
            size_t behind = skip_quoted(json, i);
            add_html_safe(b, span_of(json.p + i, behind - i));
            i = behind;
            continue;
        }
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            buf_add_char(b, c);
        }
        i++;
    }
}
