/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns written for the reference, translated to POSIX extended regular expressions. */
#include "common/policy/claims_regex.h"

#include <ctype.h>
#include <stdlib.h>

/* What an escaped letter stands for, outside and inside brackets. */
static const struct {
    char letter;
    const char *outside;
    const char *inside;
} classes[] = {
    {'d', "[0-9]", "0-9"},
    {'D', "[^0-9]", NULL},
    {'w', "[[:alnum:]_]", "[:alnum:]_"},
    {'W', "[^[:alnum:]_]", NULL},
    {'s', "[[:space:]]", "[:space:]"},
    {'S', "[^[:space:]]", NULL},
};

static bool is_repetition(char c)
{
    return c == '*' || c == '+' || c == '?' || c == '}';
}

/* *p is at the letter behind the backslash. Returns what is wrong, or NULL. */
static const char *add_escape(char c, bool in_brackets, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        const char *text = in_brackets ? classes[i].inside : classes[i].outside;
        if (classes[i].letter == c && text != NULL) {
            buf_add_str(out, text);
            return NULL;
        }
    }
    if (c == '\0' || isalnum((unsigned char)c)) {
        return "this escape is not supported";
    }
    if (!in_brackets) {
        buf_add_char(out, '\\');
    } else if (strchr("]-^[", c) != NULL) {
        return "this escape is not supported inside brackets, put ] first, ^ not first and - last without a backslash";
    }
    buf_add_char(out, c);
    return NULL;
}

/* p is at the opening bracket. Returns the position of the closing one, or NULL with *wrong. */
static const char *add_brackets(const char *p, struct buf *out, const char **wrong)
{
    buf_add_char(out, *p++);
    if (*p == '^') {
        buf_add_char(out, *p++);
    }
    for (bool first = true; *p != '\0' && (first || *p != ']'); p++, first = false) {
        const char *class_end = p[0] == '[' && p[1] == ':' ? strstr(p, ":]") : NULL;
        if (class_end != NULL) {
            buf_add(out, p, (size_t)(class_end + 2 - p));
            p = class_end + 1;
        } else if (*p == '[' && (p[1] == '.' || p[1] == '=')) {
            *wrong = "[. and [= inside brackets have another meaning here";
        } else if (*p == '\\') {
            *wrong = add_escape(*++p, true, out);
        } else {
            buf_add_char(out, *p);
        }
        if (*wrong != NULL) {
            return NULL;
        }
    }
    if (*p == '\0') {
        *wrong = "a bracket is not closed";
        return NULL;
    }
    buf_add_char(out, ']');
    return p;
}

/* p is at "(". Named and unnamed groups are the same here. Returns the last character taken, or NULL with *wrong. */
static const char *add_group(const char *p, struct buf *out, const char **wrong)
{
    buf_add_char(out, '(');
    if (p[1] != '?') {
        return p;
    }
    const char *end = p[2] == ':' ? p + 2 : NULL;
    if (p[2] == '<' || (p[2] == 'P' && p[3] == '<')) {
        end = p[2] == '<' && (p[3] == '=' || p[3] == '!') ? NULL : strchr(p, '>');
    }
    if (end == NULL) {
        *wrong = "of the forms that begin with (? only groups such as (?:x) and (?P<name>x) are supported";
    }
    return end;
}

static const char *translate(const char *pattern, struct buf *out)
{
    const char *wrong = NULL;
    bool after_repetition = true; /* nothing to repeat at the start either */
    for (const char *p = pattern; *p != '\0'; p++) {
        if (is_repetition(*p) && *p != '}') {
            if (after_repetition) {
                return "nothing to repeat, and lazy repetition is not supported";
            }
            buf_add_char(out, *p);
            after_repetition = true;
            continue;
        }
        after_repetition = *p == '}' || *p == '|';
        if (*p == '\\') {
            wrong = add_escape(*++p, false, out);
        } else if (*p == '[') {
            p = add_brackets(p, out, &wrong);
        } else if (*p == '(') {
            p = add_group(p, out, &wrong);
            after_repetition = true;
        } else {
            buf_add_char(out, *p);
        }
        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}

int claims__regex_compile(regex_t *re, const char *pattern, struct err *e)
{
    struct buf posix = {0};
    char text[128];
    const char *wrong = translate(pattern, &posix);
    if (wrong == NULL) {
        int rc = regcomp(re, buf_cstr(&posix), REG_EXTENDED);
        if (rc != 0) {
            regerror(rc, re, text, sizeof(text));
            wrong = text;
        }
    }
    buf_free(&posix);
    return wrong == NULL ? 0 : err_set(e, ERR_SYNTAX, "\"%s\" cannot be used as a pattern: %s", pattern, wrong);
}

bool claims__regex_finds(const regex_t *re, struct span text)
{
    /* The length counts, for NUL is no end; sanitizers want to see one nevertheless. */
    regmatch_t whole = {.rm_so = 0, .rm_eo = (regoff_t)text.n};
    char *copy = span_dup(text);
    bool found = regexec(re, copy, 1, &whole, REG_STARTEND) == 0;
    free(copy);
    return found;
}
