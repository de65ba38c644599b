/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of regular expressions in Go's syntax. */
#include "common/policy/rx_tree.h"
#include "common/policy/utf8.h"

#define PATTERN_MAX_BYTES 4096
#define DEPTH_MAX         100
#define REPEAT_MAX        1000

enum {
    FOLD = 1,
    DOT_ALL = 2,
    MULTI_LINE = 4,
    LAZY = 8
};

struct parser {
    struct rx_tree *tree;
    struct span p;
    size_t at;
    unsigned flags;
    int depth;
    struct err *e;
};

static int fail(struct parser *s, const char *what)
{
    return err_set(s->e, ERR_SYNTAX, "bad regular expression at character %zu: %s", s->at + 1,
                   what);
}

static bool more(const struct parser *s)
{
    return s->at < s->p.n;
}

static bool looking_at(const struct parser *s, const char *text)
{
    return span_starts(span_from(s->p, s->at), span_str(text));
}

static bool take(struct parser *s, const char *text)
{
    if (!looking_at(s, text)) {
        return false;
    }
    s->at += strlen(text);
    return true;
}

static uint32_t take_char(struct parser *s)
{
    size_t n;
    uint32_t c = utf8_at(s->p, s->at, &n);
    s->at += n;
    return c;
}

static bool is_letter(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* With (?i) a range stands for its letters in the other case, too. */
static int fold(struct parser *s, uint32_t first)
{
    uint32_t end = s->tree->range_count;
    for (uint32_t i = first; i < end && (s->flags & FOLD) != 0; i++) {
        struct rx_range r = s->tree->ranges[i];
        if (r.high > 0x7f) {
            return fail(s, "(?i) works on ASCII letters only here");
        }
        for (uint32_t c = r.low; c <= r.high; c++) {
            if (is_letter(c)) {
                rx_range_add(s->tree, c ^ 0x20, c ^ 0x20);
            }
        }
    }
    return 0;
}

/* Closes the ranges from `first` into a node. */
static int finish_set(struct parser *s, uint32_t first, bool is_negated, uint32_t *out)
{
    rx_ranges_normalise(s->tree, first, is_negated);
    *out = rx_node_add(
        s->tree,
        (struct rx_node){.kind = RX_SET, .first = first, .count = s->tree->range_count - first});
    return 0;
}

static int char_node(struct parser *s, uint32_t c, uint32_t *out)
{
    uint32_t first = s->tree->range_count;
    rx_range_add(s->tree, c, c);
    int rc = fold(s, first);
    return rc != 0 ? rc : finish_set(s, first, false, out);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind \x: two digits, or any number in braces. */
static int hex_escape(struct parser *s, uint32_t *c)
{
    bool is_braced = take(s, "{");
    int digits = 0;
    *c = 0;
    for (; more(s) && hex_digit(s->p.p[s->at]) >= 0 && (is_braced || digits < 2) && digits < 8;
         digits++) {
        *c = *c << 4 | (uint32_t)hex_digit(s->p.p[s->at++]);
    }
    if (digits == 0 || (!is_braced && digits != 2) || (is_braced && !take(s, "}")) ||
        *c > 0x10ffff) {
        return fail(s, "\\x wants two hexadecimal digits, or {...}");
    }
    return 0;
}

/* The character that an escape stands for; s->at is behind the backslash. */
static int escape_char(struct parser *s, uint32_t *c)
{
    static const char from[] = "aftnrv";
    static const char to[] = "\a\f\t\n\r\v";
    if (!more(s)) {
        return fail(s, "a backslash at the end");
    }
    *c = take_char(s);
    if (*c == 'x') {
        return hex_escape(s, c);
    }
    const char *p = *c < 0x80 && *c != 0 ? strchr(from, (char)*c) : NULL;
    if (p != NULL) {
        *c = (unsigned char)to[p - from];
        return 0;
    }
    if (*c == '0') {
        for (*c = 0; more(s) && s->p.p[s->at] >= '0' && s->p.p[s->at] <= '7' && *c < 64; s->at++) {
            *c = *c * 8 + (uint32_t)(s->p.p[s->at] - '0');
        }
        return 0;
    }
    if (*c >= 0x80 || is_letter(*c) || (*c >= '0' && *c <= '9') || *c == '_') {
        s->at--;
        return fail(s, *c == 'p' || *c == 'P' ? "classes such as \\p{L} are not supported; write "
                                                "ranges such as [\xd0\xb0-\xd1\x8f]"
                                              : "an unknown escape");
    }
    return 0;
}

/* One character of a [..] class, which may be the end of a range. */
static int class_char(struct parser *s, uint32_t *c)
{
    if (!more(s)) {
        return fail(s, "a ] is missing");
    }
    if (take(s, "\\")) {
        return escape_char(s, c);
    }
    *c = take_char(s);
    return 0;
}

/* [:alpha:] or \d inside of a class. True when there was one; an unknown name is an error in *rc.
 */
static bool class_of_class(struct parser *s, int *rc)
{
    if (looking_at(s, "[:")) {
        size_t end = s->at + 2;
        while (end + 1 < s->p.n && !(s->p.p[end] == ':' && s->p.p[end + 1] == ']')) {
            end++;
        }
        if (end + 1 >= s->p.n) {
            return false;
        }
        if (!rx_class_name(s->tree, span_of(s->p.p + s->at + 2, end - s->at - 2))) {
            *rc = fail(s, "an unknown class name");
        }
        s->at = end + 2;
        return true;
    }
    if (looking_at(s, "\\") && s->at + 1 < s->p.n && rx_class_letter(s->tree, s->p.p[s->at + 1])) {
        s->at += 2;
        return true;
    }
    return false;
}

/* Behind the opening bracket. */
static int parse_class(struct parser *s, uint32_t *out)
{
    uint32_t first = s->tree->range_count;
    bool is_negated = take(s, "^");
    bool is_first = true;
    int rc = 0;
    while (rc == 0 && (is_first || !looking_at(s, "]"))) {
        uint32_t low;
        is_first = false;
        if (class_of_class(s, &rc)) {
            continue;
        }
        rc = class_char(s, &low);
        uint32_t high = low;
        if (rc == 0 && looking_at(s, "-") && s->at + 1 < s->p.n && s->p.p[s->at + 1] != ']') {
            s->at++;
            rc = class_char(s, &high);
        }
        if (rc == 0 && high < low) {
            rc = fail(s, "a range whose end comes before its beginning");
        }
        if (rc == 0) {
            rx_range_add(s->tree, low, high);
        }
    }
    if (rc == 0 && !take(s, "]")) {
        rc = fail(s, "a ] is missing");
    }
    if (rc == 0) {
        rc = fold(s, first);
    }
    return rc != 0 ? rc : finish_set(s, first, is_negated, out);
}

static int assert_node(struct parser *s, enum rx_assert which, uint32_t *out)
{
    *out = rx_node_add(s->tree, (struct rx_node){.kind = RX_ASSERT, .assert = which});
    return 0;
}

/* \Q...\E: the text as it is. */
static int parse_quoted(struct parser *s, uint32_t *out)
{
    *out = rx_node_add(s->tree, (struct rx_node){.kind = RX_EMPTY});
    int rc = 0;
    while (rc == 0 && more(s) && !take(s, "\\E")) {
        uint32_t c;
        rc = char_node(s, take_char(s), &c);
        if (rc == 0) {
            *out = rx_node_add(s->tree, (struct rx_node){.kind = RX_CAT, .a = *out, .b = c});
        }
    }
    return rc;
}

/* Behind a backslash outside of classes. */
static int parse_escape(struct parser *s, uint32_t *out)
{
    static const struct {
        const char *letter;
        enum rx_assert which;
    } asserts[] = {
        {"A", RX_TEXT_START}, {"z", RX_TEXT_END}, {"b", RX_WORD_EDGE}, {"B", RX_NO_WORD_EDGE}};
    for (size_t i = 0; i < ARRAY_LEN(asserts); i++) {
        if (take(s, asserts[i].letter)) {
            return assert_node(s, asserts[i].which, out);
        }
    }
    if (take(s, "Q")) {
        return parse_quoted(s, out);
    }
    uint32_t first = s->tree->range_count;
    if (more(s) && rx_class_letter(s->tree, s->p.p[s->at])) {
        s->at++;
        return finish_set(s, first, false, out);
    }
    uint32_t c;
    int rc = escape_char(s, &c);
    return rc != 0 ? rc : char_node(s, c, out);
}

static int parse_alternatives(struct parser *s, uint32_t *out);

static bool is_name_char(char c)
{
    return is_letter((unsigned char)c) || (c >= '0' && c <= '9') || c == '_';
}

/* Behind "(?P<". The group gets its node later. */
static int parse_name(struct parser *s)
{
    size_t start = s->at;
    while (more(s) && is_name_char(s->p.p[s->at])) {
        s->at++;
    }
    struct span name = span_of(s->p.p + start, s->at - start);
    if (name.n == 0 || !take(s, ">")) {
        return fail(s, "a bad name of a group");
    }
    return rx_name_add(s->tree, name) ? 0 : fail(s, "two groups of the same name");
}

/* Behind "(?": flags up to ':' or ')', or a name. *is_group is false for flags that hold for the
 * rest of the group. */
static int parse_flags(struct parser *s, bool *is_group)
{
    unsigned flags = s->flags;
    bool is_off = false;
    *is_group = true;
    if (take(s, "P<") || take(s, "<")) {
        return parse_name(s);
    }
    for (; more(s); s->at++) {
        char c = s->p.p[s->at];
        unsigned flag = c == 'i'   ? FOLD
                        : c == 's' ? DOT_ALL
                        : c == 'm' ? MULTI_LINE
                        : c == 'U' ? LAZY
                                   : 0;
        if (c == ':' || c == ')') {
            s->flags = flags;
            *is_group = c == ':';
            s->at++;
            return 0;
        }
        if (c == '-' && !is_off) {
            is_off = true;
        } else if (flag != 0) {
            flags = is_off ? flags & ~flag : flags | flag;
        } else {
            return fail(
                s,
                "unknown flags of a group; look-ahead and look-behind do not exist in this syntax");
        }
    }
    return fail(s, "a ) is missing");
}

/* Behind the opening parenthesis. */
static int parse_group(struct parser *s, uint32_t *out)
{
    unsigned outer = s->flags;
    uint32_t name = s->tree->name_count;
    bool is_group = true;
    if (take(s, "?")) {
        int rc = parse_flags(s, &is_group);
        if (rc != 0) {
            return rc;
        }
    }
    if (!is_group) {
        *out = rx_node_add(s->tree, (struct rx_node){.kind = RX_EMPTY});
        return 0;
    }
    if (++s->depth > DEPTH_MAX) {
        return fail(s, "groups nested too deeply");
    }
    bool is_named = s->tree->name_count > name;
    int rc = parse_alternatives(s, out);
    if (rc == 0 && !take(s, ")")) {
        rc = fail(s, "a ) is missing");
    }
    if (rc == 0 && is_named) {
        *out = rx_node_add(s->tree, (struct rx_node){.kind = RX_GROUP, .a = *out, .first = name});
        s->tree->names[name].node = *out;
    }
    s->depth--;
    s->flags = outer;
    return rc;
}

static int parse_atom(struct parser *s, uint32_t *out)
{
    uint32_t first = s->tree->range_count;
    uint32_t c = take_char(s);
    switch (c) {
    case '(':
        return parse_group(s, out);
    case '[':
        return parse_class(s, out);
    case '\\':
        return parse_escape(s, out);
    case '^':
        return assert_node(s, (s->flags & MULTI_LINE) != 0 ? RX_LINE_START : RX_TEXT_START, out);
    case '$':
        return assert_node(s, (s->flags & MULTI_LINE) != 0 ? RX_LINE_END : RX_TEXT_END, out);
    case '.':
        if ((s->flags & DOT_ALL) == 0) {
            rx_range_add(s->tree, '\n', '\n');
        }
        return finish_set(s, first, true, out);
    case '*':
    case '+':
    case '?':
        s->at--;
        return fail(s, "nothing to repeat before this");
    default:
        return char_node(s, c, out);
    }
}

static bool take_number(struct parser *s, uint32_t *n)
{
    size_t start = s->at;
    *n = 0;
    for (; more(s) && s->p.p[s->at] >= '0' && s->p.p[s->at] <= '9'; s->at++) {
        *n = *n > REPEAT_MAX ? *n : *n * 10 + (uint32_t)(s->p.p[s->at] - '0');
    }
    return s->at > start;
}

/* {2}, {2,} or {2,5}; anything else after a brace means the brace itself. */
static bool take_counts(struct parser *s, uint32_t *min, uint32_t *max)
{
    size_t start = s->at;
    if (take(s, "{") && take_number(s, min)) {
        *max = *min;
        if (take(s, ",")) {
            *max = RX_NONE;
            take_number(s, max);
            *max = looking_at(s, "}") && s->p.p[s->at - 1] == ',' ? RX_NONE : *max;
        }
        if (take(s, "}")) {
            return true;
        }
    }
    s->at = start;
    return false;
}

static int parse_repeated(struct parser *s, uint32_t *out)
{
    int rc = parse_atom(s, out);
    bool is_repeated = false;
    while (rc == 0) {
        uint32_t min = 0;
        uint32_t max = RX_NONE;
        if (take(s, "+")) {
            min = 1;
        } else if (take(s, "?")) {
            max = 1;
        } else if (!take(s, "*") && !take_counts(s, &min, &max)) {
            break;
        }
        if (is_repeated) {
            return fail(s, "a repetition of a repetition; put the first one into (?:...)");
        }
        if (min > REPEAT_MAX || (max != RX_NONE && (max > REPEAT_MAX || max < min))) {
            return fail(s, "a bad number of repetitions; at most 1000, the smaller one first");
        }
        bool is_lazy = take(s, "?") != ((s->flags & LAZY) != 0);
        is_repeated = true;
        *out = rx_node_add(
            s->tree, (struct rx_node){
                         .kind = RX_REPEAT, .a = *out, .min = min, .max = max, .is_lazy = is_lazy});
    }
    return rc;
}

static int parse_sequence(struct parser *s, uint32_t *out)
{
    *out = rx_node_add(s->tree, (struct rx_node){.kind = RX_EMPTY});
    int rc = 0;
    while (rc == 0 && more(s) && !looking_at(s, "|") && !looking_at(s, ")")) {
        uint32_t next;
        rc = parse_repeated(s, &next);
        if (rc == 0) {
            *out = rx_node_add(s->tree, (struct rx_node){.kind = RX_CAT, .a = *out, .b = next});
        }
    }
    return rc;
}

static int parse_alternatives(struct parser *s, uint32_t *out)
{
    int rc = parse_sequence(s, out);
    while (rc == 0 && take(s, "|")) {
        uint32_t next;
        rc = parse_sequence(s, &next);
        if (rc == 0) {
            *out = rx_node_add(s->tree, (struct rx_node){.kind = RX_ALT, .a = *out, .b = next});
        }
    }
    return rc;
}

int rx_parse(struct span pattern, struct rx_tree *t, struct err *e)
{
    struct parser s = {.tree = t, .p = pattern, .e = e};
    if (pattern.n > PATTERN_MAX_BYTES) {
        return err_set(e, ERR_LIMIT, "a regular expression of more than %d bytes",
                       PATTERN_MAX_BYTES);
    }
    int rc = parse_alternatives(&s, &t->root);
    if (rc == 0 && more(&s)) {
        rc = fail(&s, "a ) without a (");
    }
    return rc;
}
