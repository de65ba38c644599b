/* SPDX-License-Identifier: Apache-2.0 */
/* The effective configuration as JSON. */
#include "common/format/jwrite.h"
#include "common/policy/conf_value.h"

/* Where the address ends that may hold credentials. In one of Redis the last @ counts, wherever it
 * stands, so that a password may have a slash. */
static size_t authority_end(struct span url, size_t from)
{
    if (!span_starts(url, SPAN("http://")) && !span_starts(url, SPAN("https://"))) {
        return url.n;
    }
    size_t path = span_find(url, '/', from);
    size_t query = span_find(url, '?', from);
    return path < query ? path : query;
}

void conf_url_redact(struct span url, struct buf *out)
{
    size_t scheme = 0;
    while (scheme + 2 < url.n && memcmp(url.p + scheme, "://", 3) != 0) {
        scheme++;
    }
    size_t user = scheme + 2 < url.n ? scheme + 3 : 0;
    size_t stop = authority_end(url, user);
    size_t at = url.n; /* the last @ */
    for (size_t i = user; i < stop; i++) {
        at = url.p[i] == '@' ? i : at;
    }
    size_t colon = span_find(url, ':', user);
    if (at == url.n || colon > at) {
        buf_add_span(out, url);
        return;
    }
    buf_add(out, url.p, colon + 1);
    buf_add_str(out, "***");
    buf_add_span(out, span_from(url, at));
}

static void print_string(const struct conf_row *row, const char *s, bool with_secrets,
                         struct buf *out)
{
    if (!with_secrets && (row->flags & CONF_SECRET) != 0 && s != NULL && s[0] != '\0') {
        jwrite_string(out, SPAN("***"));
    } else if (!with_secrets && (row->flags & CONF_URL) != 0 && s != NULL) {
        struct buf url = {0};
        conf_url_redact(span_str(s), &url);
        jwrite_string(out, buf_span(&url));
        buf_free(&url);
    } else {
        jwrite_string(out, span_str(s != NULL ? s : ""));
    }
}

static void print_strings(const struct conf_row *row, const struct conf_strings *list,
                          bool with_secrets, struct buf *out)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < list->n; i++) {
        buf_add_str(out, i > 0 ? ", " : "");
        print_string(row, list->items[i], with_secrets, out);
    }
    buf_add_char(out, ']');
}

void conf_value_print(const struct conf_row *row, const void *base, bool with_secrets,
                      struct buf *out)
{
    const void *at = (const char *)base + row->offset;
    switch (row->kind) {
    case CONF_BOOL:
        buf_add_str(out, *(const bool *)at ? "true" : "false");
        break;
    case CONF_INT:
        buf_add_i64(out, *(const int64_t *)at);
        break;
    case CONF_DURATION:
        buf_add_char(out, '"');
        conf_duration_print(*(const int64_t *)at, out);
        buf_add_char(out, '"');
        break;
    case CONF_ENUM:
        jwrite_string(out, span_str(conf_value_word(row, base)));
        break;
    case CONF_STRING:
        print_string(row, *(char *const *)at, with_secrets, out);
        break;
    case CONF_STRINGS:
        print_strings(row, at, with_secrets, out);
        break;
    }
}

/* Writes members at their depth, and the braces between them, as rows with dotted paths come by in
 * their order. */
struct printer {
    struct buf *out;
    bool with_secrets;
    bool is_first; /* no comma before the next member */
    int depth;
    struct span open; /* the path of the object that is open, of the row before */
};

static void begin_member(struct printer *p, struct span key)
{
    buf_addf(p->out, "%s\n%*s\"%.*s\": ", p->is_first ? "" : ",", p->depth * 2, "", SPAN_FMT(key));
    p->is_first = false;
}

static void open_object(struct printer *p, struct span key)
{
    begin_member(p, key);
    buf_add_char(p->out, '{');
    p->is_first = true;
    p->depth++;
}

static void close_bracket(struct printer *p, char bracket)
{
    p->depth--;
    buf_addf(p->out, "\n%*s%c", p->depth * 2, "", bracket);
    p->is_first = false;
}

/* Number of components that two dotted object paths share; *bytes gets the length of that part of
 * a. */
static int shared_depth(struct span a, struct span b, size_t *bytes)
{
    struct span rest_a = a;
    struct span rest_b = b;
    struct span x;
    struct span y;
    int n = 0;
    *bytes = 0;
    while (span_split(&rest_a, '.', &x) && span_split(&rest_b, '.', &y) && x.n > 0 &&
           span_eq(x, y)) {
        n++;
        *bytes = (size_t)(x.p + x.n - a.p);
    }
    return n;
}

static int count_parts(struct span path)
{
    struct span part;
    int n = 0;
    while (path.n > 0 && span_split(&path, '.', &part)) {
        n++;
    }
    return n;
}

/* Closes and opens objects until `path` is the open one. */
static void move_to(struct printer *p, struct span path)
{
    size_t bytes;
    int keep = shared_depth(path, p->open, &bytes);
    for (int n = count_parts(p->open); n > keep; n--) {
        close_bracket(p, '}');
    }
    struct span rest = span_from(path, bytes > 0 ? bytes + 1 : 0);
    struct span part;
    while (rest.n > 0 && span_split(&rest, '.', &part)) {
        open_object(p, part);
    }
    p->open = path;
}

static void print_rows(struct printer *p, const struct conf_table *t, const void *base,
                       bool with_name)
{
    for (size_t i = with_name ? 0 : 1; i < t->n; i++) {
        begin_member(p, span_str(t->rows[i].path));
        conf_value_print(&t->rows[i], base, p->with_secrets, p->out);
    }
}

static void print_list(struct printer *p, const struct conf_list *l, struct span key,
                       const struct conf *c)
{
    size_t n;
    const char *items = conf_list_items(l, c, &n);
    begin_member(p, key);
    buf_add_char(p->out, '[');
    p->depth++;
    for (size_t i = 0; i < n; i++) {
        buf_addf(p->out, "%s\n%*s{", i > 0 ? "," : "", p->depth * 2, "");
        p->depth++;
        p->is_first = true;
        print_rows(p, l->table, items + i * l->size, true);
        close_bracket(p, '}');
    }
    if (n > 0) {
        close_bracket(p, ']');
    } else {
        p->depth--;
        buf_add_char(p->out, ']');
    }
}

/* What has no row: it stands behind the rows of the object that is open. */
static void print_lists(struct printer *p, const struct conf *c)
{
    if (span_eq(p->open, SPAN("channel"))) {
        open_object(p, SPAN("without_namespace"));
        print_rows(p, &conf_ns_rows, &c->channel.without_namespace, false);
        close_bracket(p, '}');
    }
    for (size_t i = 0; i < CONF_LIST_COUNT; i++) {
        struct span path = span_str(conf_lists[i].path);
        size_t dot = span_find(path, '.', 0);
        if (span_eq(p->open, span_of(path.p, dot))) {
            print_list(p, &conf_lists[i], span_from(path, dot + 1), c);
        }
    }
}

void conf_print(const struct conf *c, bool with_secrets, struct buf *out)
{
    struct printer p = {
        .out = out, .with_secrets = with_secrets, .is_first = true, .depth = 1, .open = SPAN("")};
    buf_add_char(out, '{');
    for (size_t i = 0; i < conf_rows.n; i++) {
        const struct conf_row *row = &conf_rows.rows[i];
        struct span path = span_str(row->path);
        size_t dot = path.n;
        for (size_t k = 0; k < path.n; k++) {
            dot = path.p[k] == '.' ? k : dot;
        }
        struct span object = dot < path.n ? span_of(path.p, dot) : SPAN("");
        if (!span_eq(object, p.open)) {
            print_lists(&p, c);
        }
        move_to(&p, object);
        begin_member(&p, dot < path.n ? span_from(path, dot + 1) : path);
        conf_value_print(row, c, with_secrets, out);
    }
    move_to(&p, SPAN(""));
    buf_add_str(out, "\n}\n");
}
