/* SPDX-License-Identifier: Apache-2.0 */
/* Values of options: weakly typed on their way in, as Centrifugo's are. */
#include "common/policy/conf_value.h"

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/format/jwrite.h"

#include <stdlib.h>

#define SHOWN_MAX 60
#define LIST_MAX  10000

struct conf_value conf_value_of_text(struct span text)
{
    return (struct conf_value){.kind = JSCAN_STRING, .raw = text, .text = text, .is_env = true};
}

static void *member(const struct conf_row *row, void *base)
{
    return (char *)base + row->offset;
}

static const void *member_const(const struct conf_row *row, const void *base)
{
    return (const char *)base + row->offset;
}

/* "expected WHAT, found VALUE": the value is left out of secrets and cut elsewhere. */
static int expected(const struct conf_row *row, const struct conf_value *v, int code,
                    const char *what, struct err *e)
{
    if ((row->flags & (CONF_SECRET | CONF_URL)) != 0) {
        return err_set(e, code, "expected %s", what);
    }
    const char *quote = v->is_env ? "\"" : "";
    size_t n = v->raw.n;
    if (n > SHOWN_MAX) {
        for (n = SHOWN_MAX; n > 0 && ((unsigned char)v->raw.p[n] & 0xc0) == 0x80; n--) {
        }
    }
    return err_set(e, code, "expected %s, found %s%.*s%s%s", what, quote, (int)n, v->raw.p,
                   n < v->raw.n ? "..." : "", quote);
}

static bool is_one_of(struct span s, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (span_eq_str(s, *words)) {
            return true;
        }
    }
    return false;
}

static int set_bool(const struct conf_row *row, bool *out, const struct conf_value *v,
                    struct err *e)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True", NULL};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False", "", NULL};
    struct span s = v->kind == JSCAN_STRING ? v->text : v->raw;
    bool is_scalar = v->kind == JSCAN_STRING || v->kind == JSCAN_BOOL || v->kind == JSCAN_NUMBER;
    if (is_scalar && is_one_of(s, yes)) {
        *out = true;
    } else if (v->kind == JSCAN_NULL || (is_scalar && is_one_of(s, no))) {
        *out = false;
    } else {
        return expected(row, v, ERR_TYPE, "true or false", e);
    }
    return 0;
}

/* Integers as Go reads them: decimal, 0x.., 0o.., 0b.., 0.. (octal); JSON numbers may be written
 * 1e3 or 8000.0. */
static int parse_int(struct span s, bool is_number, int64_t *out)
{
    int rc = span_to_i64(s, out);
    bool negative = s.n > 0 && s.p[0] == '-';
    struct span digits = negative ? span_from(s, 1) : s;
    if (is_number && rc == ERR_SYNTAX) {
        char text[64];
        if (s.n >= sizeof(text)) {
            return ERR_SYNTAX;
        }
        memcpy(text, s.p, s.n);
        text[s.n] = '\0';
        double d = strtod(text, NULL);
        if (!(d >= -9e15 && d <= 9e15)) {
            return ERR_RANGE;
        }
        *out = (int64_t)d;
        return (double)*out == d ? 0 : ERR_SYNTAX;
    }
    if (is_number || digits.n < 2 || digits.n > 30 || digits.p[0] != '0') {
        return rc;
    }
    int base = 8;
    const char *letters = "xXbBoO";
    const char *letter = strchr(letters, digits.p[1]);
    if (letter != NULL && *letter != '\0') {
        base = letter - letters < 2 ? 16 : letter - letters < 4 ? 2 : 8;
        digits = span_from(digits, 2);
    }
    char text[32];
    memcpy(text, digits.p, digits.n);
    text[digits.n] = '\0';
    char *end;
    unsigned long long u = strtoull(text, &end, base);
    if (digits.n == 0 || *end != '\0' || text[0] == '-' || text[0] == '+' || text[0] == ' ') {
        return ERR_SYNTAX;
    }
    if (u > INT64_MAX) {
        return ERR_RANGE;
    }
    *out = negative ? -(int64_t)u : (int64_t)u;
    return 0;
}

static void add_bound(const struct conf_row *row, int64_t v, struct buf *out)
{
    if (row->kind == CONF_DURATION) {
        conf_duration_print(v, out);
    } else {
        buf_add_i64(out, v);
    }
}

/* Whether the number keeps the bounds of its row; 0 is the default and always allowed. */
static int check_range(const struct conf_row *row, int64_t n, const struct conf_value *v,
                       struct err *e)
{
    int64_t max = row->max != 0 ? row->max : INT64_MAX;
    if (n == 0 || (n >= row->min && n <= max)) {
        return 0;
    }
    struct buf b = {0};
    buf_add_str(&b,
                row->kind == CONF_DURATION ? "a duration of at least " : "a number of at least ");
    add_bound(row, row->min, &b);
    if (max != INT64_MAX) {
        buf_add_str(&b, " and at most ");
        add_bound(row, max, &b);
    }
    int rc = expected(row, v, ERR_RANGE, buf_cstr(&b), e);
    buf_free(&b);
    return rc;
}

static int set_int(const struct conf_row *row, int64_t *out, const struct conf_value *v,
                   struct err *e)
{
    int64_t n = 0;
    int rc = 0;
    if (v->kind == JSCAN_NUMBER) {
        rc = parse_int(v->raw, true, &n);
    } else if (v->kind == JSCAN_STRING) {
        rc = v->text.n > 0 ? parse_int(v->text, false, &n) : 0;
    } else if (v->kind != JSCAN_NULL) {
        rc = ERR_TYPE;
    }
    if (rc != 0) {
        return expected(row, v, rc, rc == ERR_RANGE ? "a number of 64 bits" : "a whole number", e);
    }
    rc = check_range(row, n, v, e);
    *out = rc == 0 ? n : *out;
    return rc;
}

static int set_duration(const struct conf_row *row, int64_t *out, const struct conf_value *v,
                        struct err *e)
{
    int64_t ns = 0;
    int rc = 0;
    if (v->kind == JSCAN_NUMBER) {
        rc = parse_int(v->raw, true, &ns);
    } else if (v->kind == JSCAN_STRING) {
        rc = v->text.n > 0 ? conf_duration_parse(v->text, &ns) : 0;
    } else if (v->kind != JSCAN_NULL) {
        rc = ERR_TYPE;
    }
    if (rc != 0) {
        return expected(row, v, rc, "a duration such as \"25s\", \"500ms\" or \"1h30m\"", e);
    }
    if ((row->flags & CONF_WHOLE_SECONDS) != 0 && ns % 1000000000 != 0) {
        return expected(row, v, ERR_RANGE, "a duration of whole seconds such as \"300s\"", e);
    }
    /* Away from zero: a tiny duration must not turn into the zero that means default. */
    int64_t ms = ns / 1000000 + (ns % 1000000 > 0) - (ns % 1000000 < 0);
    if (ns > -1000000 && ns < 1000000 && ns != 0) {
        bool is_bare = v->kind == JSCAN_NUMBER || span_to_i64(v->text, &(int64_t){0}) == 0;
        err_set(e, 0, "%lld%s is less than a millisecond%s", (long long)ns,
                is_bare ? " nanoseconds (what a bare number means)" : "ns",
                is_bare ? "; write a duration with its unit, such as \"25s\"" : "");
    }
    rc = check_range(row, ms, v, e);
    *out = rc == 0 ? ms : *out;
    return rc;
}

/* The text of a scalar that becomes a string. */
static int scalar_text(const struct conf_row *row, const struct conf_value *v, struct span *out,
                       struct err *e)
{
    if (v->kind == JSCAN_STRING) {
        *out = v->text;
    } else if (v->kind == JSCAN_NUMBER) {
        *out = v->raw;
    } else if (v->kind == JSCAN_NULL) {
        *out = SPAN("");
    } else {
        return expected(row, v, ERR_TYPE, "a string", e);
    }
    if (memchr(out->p, '\0', out->n) != NULL) {
        return err_set(e, ERR_SYNTAX, "a NUL character is not allowed here");
    }
    return span_is_utf8(*out) ? 0 : err_set(e, ERR_SYNTAX, "this is not UTF-8");
}

static void add_words(const struct conf_row *row, struct buf *out)
{
    buf_add_str(out, "one of");
    for (const struct conf_word *w = row->words; w->name != NULL; w++) {
        if (w->name[0] != '\0') {
            buf_addf(out, " %s", w->name);
        }
    }
}

static const struct conf_word *find_word(const struct conf_row *row, struct span s)
{
    for (const struct conf_word *w = row->words; w->name != NULL; w++) {
        if (span_eq_str(s, w->name)) {
            return w;
        }
    }
    return NULL;
}

/* The word of a text, or an error that lists the words; in soft rows a warning, and the first word.
 */
static int need_word(const struct conf_row *row, const struct conf_value *v, struct span s,
                     const struct conf_word **out, struct err *e)
{
    *out = find_word(row, s);
    if (*out != NULL) {
        return 0;
    }
    struct buf b = {0};
    add_words(row, &b);
    int rc = expected(row, v, ERR_UNKNOWN, buf_cstr(&b), e);
    buf_free(&b);
    const char *near = conf_near_word(row->words, s);
    if (near != NULL) {
        struct err first = *e;
        rc = err_set(e, rc, "%s; did you mean %s?", first.text, near);
    }
    if ((row->flags & CONF_SOFT) != 0) {
        *out = row->words;
        struct err first = *e;
        rc = err_set(e, 0, "%s; the default is used", first.text);
    }
    return rc;
}

static void store_enum(const struct conf_row *row, void *at, int value)
{
    if (row->size == sizeof(bool)) {
        *(bool *)at = value != 0;
    } else {
        memcpy(at, &value, sizeof(value));
    }
}

static int load_enum(const struct conf_row *row, const void *at)
{
    int value = 0;
    if (row->size == sizeof(bool)) {
        return *(const bool *)at;
    }
    memcpy(&value, at, sizeof(value));
    return value;
}

static int set_enum(const struct conf_row *row, void *at, const struct conf_value *v, struct err *e)
{
    struct span s;
    const struct conf_word *word;
    int rc = scalar_text(row, v, &s, e);
    if (rc == 0 && s.n == 0) {
        store_enum(row, at, row->words[0].value);
        return 0;
    }
    if (rc == 0) {
        rc = need_word(row, v, s, &word, e);
    }
    if (rc == 0) {
        store_enum(row, at, word->value);
    }
    return rc;
}

/* What a path of a URL looks like in struct conf. */
static char *path_dup(const struct conf_row *row, struct span s)
{
    while (s.n > 0 && s.p[s.n - 1] == '/') {
        s.n--;
    }
    if (s.n == 0) {
        return mem_strdup((row->flags & CONF_PATH) != 0 ? "/" : "");
    }
    struct buf b = {0};
    buf_add_str(&b, s.p[0] == '/' ? "" : "/");
    buf_add_span(&b, s);
    char *path = mem_strndup(b.p, b.n);
    buf_free(&b);
    return path;
}

static int set_string(const struct conf_row *row, char **out, const struct conf_value *v,
                      struct err *e)
{
    struct span s;
    const struct conf_word *word;
    int rc = scalar_text(row, v, &s, e);
    if (rc == 0 && row->words != NULL && s.n > 0) {
        rc = need_word(row, v, s, &word, e);
    }
    if (rc != 0) {
        return rc;
    }
    bool is_path = (row->flags & (CONF_PATH | CONF_PREFIX)) != 0 && s.n > 0;
    conf_value_free(row, (char *)out - row->offset);
    *out = is_path ? path_dup(row, s) : span_dup(s);
    return 0;
}

static void strings_add(struct conf_strings *list, struct span s)
{
    if ((list->n & (list->n - 1)) == 0) {
        list->items =
            mem_realloc(list->items, (list->n != 0 ? list->n * 2 : 1) * sizeof(*list->items));
    }
    list->items[list->n++] = span_dup(s);
}

static void strings_free(struct conf_strings *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i]);
    }
    free(list->items);
    *list = (struct conf_strings){0};
}

static int add_item(const struct conf_row *row, struct conf_strings *list,
                    const struct conf_value *v, struct err *e)
{
    struct span s;
    const struct conf_word *word;
    int rc = scalar_text(row, v, &s, e);
    if (rc == 0 && s.n == 0) {
        return 0;
    }
    if (rc == 0 && row->words != NULL) {
        rc = need_word(row, v, s, &word, e);
    }
    if (rc == 0 && list->n == LIST_MAX) {
        rc = err_set(e, ERR_LIMIT, "more than %d values", LIST_MAX);
    }
    if (rc == 0) {
        strings_add(list, s);
    }
    return rc;
}

/* The next element of a list that is given as one text. */
static bool split_list(struct span *rest, bool has_commas, struct span *part)
{
    size_t space = span_find(*rest, ' ', 0);
    size_t comma = has_commas ? span_find(*rest, ',', 0) : rest->n;
    return span_split(rest, comma < space ? ',' : ' ', part);
}

static int fill_strings(const struct conf_row *row, struct conf_strings *list,
                        const struct conf_value *v, struct arena *a, struct err *e)
{
    int rc = 0;
    if (v->kind == JSCAN_ARRAY) {
        struct jscan s = jscan_enter(v->raw);
        struct conf_value item = {0};
        while (rc == 0 && jscan_element(&s, &item.raw, &item.kind)) {
            item.text =
                item.kind == JSCAN_STRING ? jscan_string(jscan_unquote(item.raw), a) : item.raw;
            rc = item.kind == JSCAN_OBJECT || item.kind == JSCAN_ARRAY
                     ? expected(row, &item, ERR_TYPE, "a list of strings", e)
                     : add_item(row, list, &item, e);
        }
        return rc;
    }
    if (v->kind == JSCAN_OBJECT || v->kind == JSCAN_BOOL) {
        return expected(row, v, ERR_TYPE, "a list of strings", e);
    }
    bool has_commas = (row->flags & CONF_COMMAS) != 0;
    if (!v->is_env && !(has_commas && v->kind == JSCAN_STRING)) {
        return v->kind == JSCAN_NULL ? 0 : add_item(row, list, v, e);
    }
    struct span rest = v->text;
    struct span part;
    while (rc == 0 && split_list(&rest, has_commas, &part)) {
        struct conf_value item = conf_value_of_text(part);
        rc = add_item(row, list, &item, e);
    }
    return rc;
}

static int set_strings(const struct conf_row *row, struct conf_strings *out,
                       const struct conf_value *v, struct arena *a, struct err *e)
{
    struct conf_strings list = {0};
    int rc = fill_strings(row, &list, v, a, e);
    if (rc != 0) {
        strings_free(&list);
        return rc;
    }
    strings_free(out);
    *out = list;
    return 0;
}

int conf_value_set(const struct conf_row *row, void *base, const struct conf_value *v,
                   struct arena *a, struct err *e)
{
    void *at = member(row, base);
    e->code = 0;
    e->text[0] = '\0';
    switch (row->kind) {
    case CONF_BOOL:
        return set_bool(row, at, v, e);
    case CONF_INT:
        return set_int(row, at, v, e);
    case CONF_DURATION:
        return set_duration(row, at, v, e);
    case CONF_ENUM:
        return set_enum(row, at, v, e);
    case CONF_STRING:
        return set_string(row, at, v, e);
    case CONF_STRINGS:
        return set_strings(row, at, v, a, e);
    }
    return ERR_INTERNAL;
}

bool conf_value_is_zero(const struct conf_row *row, const void *base)
{
    const void *at = member_const(row, base);
    switch (row->kind) {
    case CONF_BOOL:
        return !*(const bool *)at;
    case CONF_INT:
    case CONF_DURATION:
        return *(const int64_t *)at == 0;
    case CONF_ENUM:
        return load_enum(row, at) == row->words[0].value;
    case CONF_STRING: {
        const char *s = *(char *const *)at;
        return s == NULL || s[0] == '\0';
    }
    case CONF_STRINGS:
        return ((const struct conf_strings *)at)->n == 0;
    }
    return true;
}

void conf_value_free(const struct conf_row *row, void *base)
{
    void *at = member(row, base);
    if (row->kind == CONF_STRINGS) {
        strings_free(at);
    } else if (row->kind == CONF_STRING) {
        char *s = *(char **)at;
        if (s != NULL && (row->flags & CONF_SECRET) != 0) {
            mem_wipe(s, strlen(s));
        }
        free(s);
        *(char **)at = NULL;
    }
}

const char *conf_value_word(const struct conf_row *row, const void *base)
{
    int value = load_enum(row, member_const(row, base));
    const struct conf_word *w = row->words;
    while (w->name != NULL && w->value != value) {
        w++;
    }
    return w->name != NULL ? w->name : "";
}
