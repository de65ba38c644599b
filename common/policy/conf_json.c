/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where a text stops being JSON, and says it in words: jscan only says that it does. */
#include "common/policy/conf_loader.h"

struct finder {
    struct span text;
    size_t at;
    int depth;
    const char *what; /* set at the first fault; `at` is its place */
};

static int peek(struct finder *f)
{
    while (f->at < f->text.n && strchr(" \t\r\n", f->text.p[f->at]) != NULL &&
           f->text.p[f->at] != '\0') {
        f->at++;
    }
    return f->at < f->text.n ? (unsigned char)f->text.p[f->at] : -1;
}

static bool fault(struct finder *f, const char *what)
{
    f->what = what;
    return false;
}

/* A fault where something else was expected; some mistakes have better words. */
static bool unexpected(struct finder *f, const char *what)
{
    int c = peek(f);
    if (c < 0) {
        return fault(f, "the text ends in the middle; a } or ] may be missing");
    }
    if (c == '/' || (c == '#' && f->at + 1 < f->text.n)) {
        return fault(f, "JSON has no comments; remove this one");
    }
    if (c == '\'') {
        return fault(f, "JSON wants double quotes, not single ones");
    }
    return fault(f, what);
}

static bool find_value(struct finder *f);

static bool find_string(struct finder *f)
{
    const char *p = f->text.p;
    for (f->at++; f->at < f->text.n; f->at++) {
        unsigned char c = (unsigned char)p[f->at];
        if (c == '"') {
            f->at++;
            return true;
        }
        if (c < 0x20) {
            return fault(
                f, c == '\n' ? "a string ends at its line's end; a quote is missing, or write \\n"
                             : "a raw control character inside a string");
        }
        if (c != '\\') {
            continue;
        }
        c = f->at + 1 < f->text.n ? (unsigned char)p[f->at + 1] : 'n';
        if (c == '\0' || strchr("\"\\/bfnrtu", c) == NULL) {
            return fault(f, "an unknown escape; a backslash itself is written \\\\");
        }
        f->at++;
        for (int i = 1; c == 'u' && i <= 4; i++) {
            char h = f->at + i < f->text.n ? p[f->at + i] : '\0';
            if (!((h >= '0' && h <= '9') || ((h | 32) >= 'a' && (h | 32) <= 'f'))) {
                return fault(f, "\\u wants four hexadecimal digits");
            }
        }
    }
    return fault(f, "the text ends inside a string");
}

static bool find_scalar(struct finder *f)
{
    struct jscan s = {.p = f->text.p + f->at, .end = f->text.p + f->text.n};
    struct span value;
    enum jscan_kind kind;
    if (jscan_value(&s, &value, &kind) != 0) {
        return unexpected(
            f, "expected a value: a string in quotes, a number, true, false, null, { or [");
    }
    f->at = (size_t)(s.p - f->text.p);
    return true;
}

static bool find_member(struct finder *f)
{
    if (peek(f) != '"') {
        return unexpected(f, "expected the name of an option in double quotes");
    }
    if (!find_string(f)) {
        return false;
    }
    if (peek(f) != ':') {
        return unexpected(f, "expected a colon after the name");
    }
    f->at++;
    return find_value(f);
}

static bool find_container(struct finder *f, char close)
{
    if (++f->depth > JSCAN_MAX_DEPTH) {
        return fault(f, "nested too deeply");
    }
    f->at++;
    bool is_empty = peek(f) == close;
    while (!is_empty) {
        if (!(close == '}' ? find_member(f) : find_value(f))) {
            return false;
        }
        int c = peek(f);
        if (c == close) {
            break;
        }
        if (c != ',') {
            return unexpected(f, close == '}' ? "expected a comma or }" : "expected a comma or ]");
        }
        size_t comma = f->at++;
        c = peek(f);
        if (c == close) {
            f->at = comma;
            return fault(f, "a comma before the closing bracket; remove it");
        }
    }
    f->at++;
    f->depth--;
    return true;
}

static bool find_value(struct finder *f)
{
    switch (peek(f)) {
    case '{':
        return find_container(f, '}');
    case '[':
        return find_container(f, ']');
    case '"':
        return find_string(f);
    default:
        return find_scalar(f);
    }
}

/* The first byte that is not UTF-8. */
static size_t find_bad_utf8(struct span text)
{
    size_t good = 0;
    for (size_t at = 0; at <= text.n; at = span_find(text, '\n', at) + 1) {
        size_t end = span_find(text, '\n', at);
        if (!span_is_utf8(span_of(text.p + at, end - at))) {
            return at;
        }
        good = at;
    }
    return good;
}

bool conf_json_fault(struct span text, struct conf_fault *out)
{
    struct finder f = {.text = text};
    if (!span_is_utf8(text)) {
        f.at = find_bad_utf8(text);
        f.what = "this line is not UTF-8";
    } else if (find_value(&f)) {
        if (peek(&f) < 0) {
            return false;
        }
        (void)unexpected(&f, "text after the end of the configuration");
    }
    *out = (struct conf_fault){.line = 1, .column = 1, .what = f.what};
    for (size_t i = 0; i < f.at && i < text.n; i++) {
        if (text.p[i] == '\n') {
            out->line++;
            out->column = 1;
        } else if (((unsigned char)text.p[i] & 0xc0) != 0x80) {
            out->column++;
        }
    }
    return true;
}
