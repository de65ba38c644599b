/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the configuration file. */
#include "common/base/mem.h"
#include "common/policy/conf_foreign.h"
#include "common/policy/conf_loader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A member of an object: its path (for lookups and messages) and value. */
struct member {
    struct span path;
    struct conf_value value;
    uint32_t line;
};

static bool has_control(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20) {
            return true;
        }
    }
    return false;
}

/* The next member of an object whose path is `prefix` ("" for none). */
static bool next_member(struct conf_loader *ld, struct jscan *s, struct span prefix,
                        struct member *m)
{
    struct span raw_key;
    if (!jscan_member(s, &raw_key, &m->value.raw, &m->value.kind)) {
        return false;
    }
    m->value.is_env = false;
    m->value.text = m->value.kind == JSCAN_STRING
                        ? jscan_string(jscan_unquote(m->value.raw), &ld->arena)
                        : m->value.raw;
    m->line = conf_line_of(ld, raw_key.p);
    struct span key = jscan_string(raw_key, &ld->arena);
    key = has_control(key) ? raw_key : key;
    struct buf b = {0};
    buf_addf(&b, "%.*s%s%.*s", SPAN_FMT(prefix), prefix.n > 0 ? "." : "", SPAN_FMT(key));
    m->path = arena_dup(&ld->arena, buf_span(&b));
    buf_free(&b);
    return true;
}

static int unknown(struct conf_loader *ld, const struct conf_scope *scope, const struct member *m)
{
    const char *near = conf_nearest(ld, scope->table, m->path);
    const char *path = conf_path(ld, scope, m->path);
    struct buf b = {0};
    buf_add_str(&b, "unknown option");
    if (near != NULL) {
        buf_addf(&b, "; did you mean %s?",
                 scope == &ld->main ? near : conf_path(ld, scope, span_str(near)));
    }
    int rc = 0;
    if (ld->opts->strict) {
        rc = conf_fail(ld, ERR_UNKNOWN, m->line, path, "%s", buf_cstr(&b));
    } else {
        conf_warn(ld, m->line, path, "%s", buf_cstr(&b));
    }
    buf_free(&b);
    return rc;
}

static int old_name(struct conf_loader *ld, const char *path, uint32_t line, const char *now)
{
    static const char text[] = "this is its name in older versions and has no effect; now it is %s";
    if (ld->opts->strict) {
        return conf_fail(ld, ERR_UNKNOWN, line, path, text, now);
    }
    conf_warn(ld, line, path, text, now);
    return 0;
}

/* Its kind, not its value: that may be a secret in a wrong place. */
static const char *kind_name(enum jscan_kind kind)
{
    static const char *const names[] = {
        [JSCAN_NULL] = "null",       [JSCAN_BOOL] = "true or false", [JSCAN_NUMBER] = "a number",
        [JSCAN_STRING] = "a string", [JSCAN_ARRAY] = "a list",       [JSCAN_OBJECT] = "an object",
    };
    return names[kind];
}

bool conf_foreign_is_active(const struct conf_foreign *f, const struct conf_value *v)
{
    struct jscan s;
    struct conf_value item = {.is_env = false};
    struct span key;
    bool has_switch = f != NULL && f->has_switch;
    switch (v->kind) {
    case JSCAN_NULL:
        return false;
    case JSCAN_BOOL:
        return span_eq(v->raw, SPAN("true"));
    case JSCAN_NUMBER:
        return !span_eq(v->raw, SPAN("0"));
    case JSCAN_STRING: /* the memory broker is what nobody has to switch on */
        return v->raw.n > 2 && !span_eq(jscan_unquote(v->raw), SPAN("memory"));
    case JSCAN_ARRAY:
        s = jscan_enter(v->raw);
        return jscan_element(&s, &item.raw, &item.kind);
    case JSCAN_OBJECT:
        break;
    }
    bool is_active = false;
    for (s = jscan_enter(v->raw); jscan_member(&s, &key, &item.raw, &item.kind);) {
        bool member_is_active = conf_foreign_is_active(NULL, &item);
        if (span_eq_nocase(key, SPAN("enabled"))) {
            return member_is_active;
        }
        is_active = is_active || (member_is_active && !has_switch);
    }
    return is_active;
}

void conf_foreign_report(struct conf_loader *ld, const struct conf_foreign *f, uint32_t where,
                         const char *path, bool is_active)
{
    switch (f->kind) {
    case FOREIGN_NOT_YET:
        if (is_active) {
            conf_warn(ld, where, path, "not supported yet, ignored%s%s", f->so != NULL ? "; " : "",
                      f->so != NULL ? f->so : "");
        }
        break;
    case FOREIGN_PRO:
        buf_addf(&ld->pro, "%s%s", ld->pro.n > 0 ? ", " : "", path);
        break;
    case FOREIGN_WEB_SERVER:
        ld->conf->http_server.is_set = true;
        break;
    case FOREIGN_OLD:
    case FOREIGN_QUIET:
    case FOREIGN_NONE:
        break;
    }
}

/* channel.without_namespace, or an element of a list. */
static int read_element(struct conf_loader *ld, struct conf_scope *scope, struct span object)
{
    struct jscan s = jscan_enter(object);
    struct member m;
    int rc = 0;
    while (rc == 0 && next_member(ld, &s, SPAN(""), &m)) {
        const struct conf_row *row = conf_row_find(scope->table, m.path);
        const struct conf_foreign *f =
            scope->table == &conf_ns_rows ? conf_foreign_ns_find(m.path) : NULL;
        if (row != NULL && !(scope == &ld->without_ns && row == scope->table->rows)) {
            rc = conf_set(ld, scope, row, &m.value, m.line);
        } else if (f != NULL && f->kind == FOREIGN_OLD) {
            rc = old_name(ld, conf_path(ld, scope, m.path), m.line, f->now);
        } else if (f != NULL) {
            conf_foreign_report(ld, f, m.line, conf_path(ld, scope, m.path),
                                conf_foreign_is_active(f, &m.value));
        } else {
            rc = unknown(ld, scope, &m);
        }
    }
    return rc;
}

/* The member `name` of an element, as text; absent when there is none. */
static struct span name_of(struct conf_loader *ld, struct span object)
{
    struct jscan s = jscan_enter(object);
    struct span name = {0};
    struct member m;
    while (next_member(ld, &s, SPAN(""), &m)) {
        if (span_eq_nocase(m.path, SPAN("name")) &&
            (m.value.kind == JSCAN_STRING || m.value.kind == JSCAN_NUMBER)) {
            name = m.value.text;
        }
    }
    return name;
}

int conf_list_read(struct conf_loader *ld, const struct conf_list *l, struct span array,
                   bool is_env)
{
    struct span *names = mem_alloc(CONF_MAX_LIST * sizeof(*names));
    struct span value;
    enum jscan_kind kind;
    size_t n = 0;
    int rc = 0;
    for (struct jscan s = jscan_enter(array); rc == 0 && jscan_element(&s, &value, &kind);) {
        uint32_t where = is_env ? FROM_ENV : conf_line_of(ld, value.p);
        if (n == CONF_MAX_LIST) {
            rc = conf_fail(ld, ERR_LIMIT, where, l->path, "more than %d elements", CONF_MAX_LIST);
        } else if (kind != JSCAN_OBJECT) {
            rc = conf_fail(ld, ERR_TYPE, where, l->path, "expected objects such as %s in this list",
                           l->example);
        } else if ((names[n] = name_of(ld, value)).n == 0) {
            rc = conf_fail(ld, ERR_MISSING, where, l->path, "%s number %zu has no name", l->what,
                           n + 1);
        }
        n++;
    }
    if (rc == 0) {
        conf_list_reset(ld, l, names, n, false);
    }
    struct jscan s = jscan_enter(array);
    for (size_t i = 0; rc == 0 && jscan_element(&s, &value, &kind); i++) {
        struct conf_scope *scope = &conf_list_scopes(ld, l)[i];
        scope->line = conf_line_of(ld, value.p);
        rc = read_element(ld, scope, value);
    }
    free(names);
    return rc;
}

static int read_object(struct conf_loader *ld, struct span object, struct span prefix);

static int read_member(struct conf_loader *ld, const struct member *m)
{
    const struct conf_row *row = conf_row_find(&conf_rows, m->path);
    const struct conf_foreign *f = conf_foreign_find(m->path);
    const char *path = arena_strdup(&ld->arena, m->path);
    if (row != NULL) {
        ld->conf->http_server.is_set |= span_starts(span_str(row->path), SPAN("http_server."));
        return conf_set(ld, &ld->main, row, &m->value, m->line);
    }
    bool is_ns = span_eq_nocase(m->path, SPAN("channel.without_namespace"));
    if (is_ns || conf_row_is_object(&conf_rows, m->path)) {
        if (m->value.kind == JSCAN_OBJECT) {
            return is_ns ? read_element(ld, &ld->without_ns, m->value.raw)
                         : read_object(ld, m->value.raw, m->path);
        }
        if (f != NULL && f->kind == FOREIGN_OLD) { /* "engine": "redis", "admin": true */
            return old_name(ld, path, m->line, f->now);
        }
        return m->value.kind == JSCAN_NULL
                   ? 0
                   : conf_fail(ld, ERR_TYPE, m->line, path, "expected an object { ... }, found %s",
                               kind_name(m->value.kind));
    }
    const struct conf_list *list = conf_list_find(m->path);
    if (list != NULL) {
        if (m->value.kind == JSCAN_ARRAY) {
            return conf_list_read(ld, list, m->value.raw, false);
        }
        return m->value.kind == JSCAN_NULL
                   ? 0
                   : conf_fail(ld, ERR_TYPE, m->line, path,
                               "expected a list of objects such as [%s], found %s", list->example,
                               kind_name(m->value.kind));
    }
    if (f != NULL && f->kind == FOREIGN_OLD) {
        return old_name(ld, path, m->line, f->now);
    }
    if (f != NULL) {
        conf_foreign_report(ld, f, m->line, path, conf_foreign_is_active(f, &m->value));
        return 0;
    }
    /* The options of channels without a namespace stood at the top. */
    row = conf_row_find(&conf_ns_rows, m->path);
    if (row != NULL && row != conf_ns_rows.rows) {
        return old_name(ld, path, m->line, conf_path(ld, &ld->without_ns, span_str(row->path)));
    }
    f = conf_foreign_ns_find(m->path);
    if (f != NULL && f->kind == FOREIGN_OLD) {
        return old_name(ld, path, m->line, conf_path(ld, &ld->without_ns, span_str(f->now)));
    }
    return unknown(ld, &ld->main, m);
}

static int read_object(struct conf_loader *ld, struct span object, struct span prefix)
{
    struct jscan s = jscan_enter(object);
    struct member m;
    int rc = 0;
    while (rc == 0 && next_member(ld, &s, prefix, &m)) {
        rc = read_member(ld, &m);
    }
    return rc;
}

int conf_load_json(struct conf_loader *ld)
{
    if (span_starts(ld->text, SPAN("\xef\xbb\xbf"))) {
        ld->text = span_from(ld->text, 3);
    }
    struct jscan s = jscan_of(ld->text);
    struct span value;
    enum jscan_kind kind;
    if (jscan_at_end(&s)) {
        return conf_fail(ld, ERR_SYNTAX, 0, "", "%s is empty; the smallest configuration is {}",
                         ld->file);
    }
    if (!jscan_is_valid(ld->text) || jscan_value(&s, &value, &kind) != 0) {
        struct conf_fault f = {.line = 1, .column = 1, .what = "this is not JSON"};
        conf_json_fault(ld->text, &f);
        return conf_fail(ld, ERR_SYNTAX, 0, "", "%s:%u:%u: %s", ld->file, f.line, f.column, f.what);
    }
    if (kind != JSCAN_OBJECT) {
        return conf_fail(ld, ERR_TYPE, 1, "", "expected an object { ... }, found %s",
                         kind_name(kind));
    }
    return read_object(ld, value, SPAN(""));
}

static bool ends_with(const char *s, const char *end)
{
    struct span a = span_str(s);
    struct span b = span_str(end);
    return a.n >= b.n && span_eq_nocase(span_from(a, a.n - b.n), b);
}

static int read_all(struct conf_loader *ld, int fd, struct buf *out)
{
    for (;;) {
        char *at = buf_reserve(out, 65536);
        ssize_t n = at != NULL ? read(fd, at, 65536) : 0;
        if (at == NULL) {
            return conf_fail(ld, ERR_LIMIT, 0, "", "%s is larger than %d bytes", ld->file,
                             CONF_MAX_FILE_BYTES);
        }
        if (n < 0) {
            return conf_fail(ld, ERR_IO, 0, "", "cannot read %s: %s", ld->file, strerror(errno));
        }
        if (n == 0) {
            return 0;
        }
        out->n += (size_t)n;
    }
}

/* Warns of the first secret of the file; false when there is none. */
static bool warn_secret(struct conf_loader *ld, const struct conf_scope *s)
{
    for (size_t i = 0; i < s->table->n; i++) {
        const struct conf_row *row = &s->table->rows[i];
        uint32_t from = s->from[i];
        bool is_empty = conf_value_is_zero(row, s->base);
        if ((row->flags & CONF_SECRET) != 0 && from != 0 && from != FROM_ENV && !is_empty) {
            conf_warn(ld, from, conf_path(ld, s, span_str(row->path)),
                      "everybody on this machine can read this secret; chmod o-r %s", ld->file);
            return true;
        }
    }
    return false;
}

/* Whether the file holds a secret that the whole machine may read. */
static void check_mode(struct conf_loader *ld, const struct stat *st)
{
    if ((st->st_mode & S_IROTH) == 0 || warn_secret(ld, &ld->main)) {
        return;
    }
    for (size_t i = 0; i < ld->conf->pushd.api_key_count; i++) {
        if (warn_secret(ld, &ld->lists[CONF_API_KEYS][i])) {
            return;
        }
    }
}

int conf_load_file(struct conf_loader *ld)
{
    if (ends_with(ld->file, ".yaml") || ends_with(ld->file, ".yml") ||
        ends_with(ld->file, ".toml")) {
        return conf_fail(ld, ERR_UNKNOWN, 0, "",
                         "%s: only JSON is read; convert the file (the options keep their names) "
                         "and give it the end .json",
                         ld->file);
    }
    int fd = open(ld->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        conf_warn(ld, 0, "", "%s does not exist; going on with environment and defaults", ld->file);
        return 0;
    }
    if (fd < 0) {
        return conf_fail(ld, ERR_IO, 0, "", "cannot open %s: %s", ld->file, strerror(errno));
    }
    ld->content.max = CONF_MAX_FILE_BYTES + 65536;
    struct stat st = {0};
    int rc = read_all(ld, fd, &ld->content);
    if (rc == 0) {
        ld->text = buf_span(&ld->content);
        rc = conf_load_json(ld);
    }
    if (rc == 0 && fstat(fd, &st) == 0) {
        check_mode(ld, &st);
    }
    close(fd);
    return rc;
}
