/* SPDX-License-Identifier: Apache-2.0 */
/* A strict reader of the Prometheus text format 0.0.4. */
#include "tests/unit/prom_text.h"

#include <math.h>
#include <stdlib.h>

#define MAX_FAMILIES 256

struct reader {
    struct prom *out;
    struct span families[MAX_FAMILIES];
    size_t family_count;
    struct span help;   /* name of the last HELP line */
    struct span family; /* name of the last TYPE line */
    bool is_counter;
};

static bool is_name_char(char c, bool is_first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           (!is_first && c >= '0' && c <= '9');
}

/* Length of the name that s begins with. */
static size_t name_length(struct span s)
{
    size_t n = 0;
    while (n < s.n && is_name_char(s.p[n], n == 0)) {
        n++;
    }
    return n;
}

/* Length of `{a="x",...}` including both braces, or 0. */
static size_t labels_length(struct span s)
{
    size_t i = 1;
    for (;;) {
        size_t n = name_length(span_from(s, i));
        i += n;
        if (n == 0 || !span_starts(span_from(s, i), SPAN("=\""))) {
            return 0;
        }
        i += 2;
        while (i < s.n && s.p[i] != '"') {
            if (s.p[i] == '\\') {
                i++;
                if (i >= s.n || strchr("\\\"n", s.p[i]) == NULL) {
                    return 0;
                }
            }
            i++;
        }
        i++;
        if (i >= s.n || (s.p[i] != ',' && s.p[i] != '}')) {
            return 0;
        }
        if (s.p[i++] == '}') {
            return i;
        }
    }
}

static int read_comment(struct reader *r, struct span line)
{
    struct span rest = line;
    struct span hash;
    struct span keyword;
    struct span name;
    span_split(&rest, ' ', &hash);
    if (!span_eq(hash, SPAN("#")) || !span_split(&rest, ' ', &keyword) ||
        !span_split(&rest, ' ', &name) || name.n == 0 || name_length(name) != name.n ||
        rest.n == 0) {
        return ERR_SYNTAX;
    }
    if (span_eq(keyword, SPAN("HELP"))) {
        r->help = name;
        return 0;
    }
    r->is_counter = span_eq(rest, SPAN("counter"));
    if (!span_eq(keyword, SPAN("TYPE")) || !span_eq(r->help, name) ||
        (!r->is_counter && !span_eq(rest, SPAN("gauge"))) || r->family_count == MAX_FAMILIES) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < r->family_count; i++) {
        if (span_eq(r->families[i], name)) {
            return ERR_CONFLICT;
        }
    }
    r->families[r->family_count++] = name;
    r->family = name;
    return 0;
}

static int read_sample(struct reader *r, struct span line)
{
    size_t n = name_length(line);
    if (n == 0 || !span_eq(span_of(line.p, n), r->family)) {
        return ERR_SYNTAX;
    }
    if (n < line.n && line.p[n] == '{') {
        size_t labels = labels_length(span_from(line, n));
        if (labels == 0) {
            return ERR_SYNTAX;
        }
        n += labels;
    }
    struct span series = span_of(line.p, n);
    struct span number = span_from(line, n + 1);
    if (n >= line.n || line.p[n] != ' ' || number.n == 0 || number.n > 40 ||
        r->out->n == PROM_MAX_SERIES) {
        return ERR_SYNTAX;
    }
    char text[48];
    char *end;
    memcpy(text, number.p, number.n);
    text[number.n] = '\0';
    double value = strtod(text, &end);
    if (*end != '\0' || strchr(text, ' ') != NULL ||
        (r->is_counter && !(value >= 0 && isfinite(value)))) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < r->out->n; i++) {
        if (span_eq(r->out->items[i].series, series)) {
            return ERR_CONFLICT;
        }
    }
    r->out->items[r->out->n].series = series;
    r->out->items[r->out->n].value = value;
    r->out->items[r->out->n].is_counter = r->is_counter;
    r->out->n++;
    return 0;
}

int prom_parse(struct prom *p, struct span text, struct err *e)
{
    struct reader r = {.out = p};
    p->n = 0;
    if (text.n == 0 || text.p[text.n - 1] != '\n' || !span_is_utf8(text)) {
        return err_set(e, ERR_SYNTAX,
                       "the text is empty, has no newline at its end or is not UTF-8");
    }
    struct span rest = span_of(text.p, text.n - 1);
    struct span line;
    while (span_split(&rest, '\n', &line)) {
        int rc = span_starts(line, SPAN("#")) ? read_comment(&r, line) : read_sample(&r, line);
        if (rc != 0) {
            return err_set(e, rc, "%s: %.*s", err_text(rc), SPAN_FMT(line));
        }
    }
    return 0;
}

bool prom_get(const struct prom *p, const char *series, double *value)
{
    for (size_t i = 0; i < p->n; i++) {
        if (span_eq_str(p->items[i].series, series)) {
            *value = p->items[i].value;
            return true;
        }
    }
    return false;
}
