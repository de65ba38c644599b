/* SPDX-License-Identifier: Apache-2.0 */
/* The environment: CENTRIFUGO_ and the path of an option in upper case. */
#include "common/base/mem.h"
#include "common/policy/conf_foreign.h"

#include <stdlib.h>
#include <string.h>

/* A variable without the prefix CENTRIFUGO_. */
struct variable {
    struct span name;
    struct span value;
};

/* False for one that is not ours, or empty: that counts as not set. */
static bool split(const char *entry, struct variable *v)
{
    static const struct span prefix = {.p = "CENTRIFUGO_", .n = sizeof("CENTRIFUGO_") - 1};
    struct span s = span_str(entry);
    size_t eq = span_find(s, '=', 0);
    if (!span_starts(s, prefix) || eq + 1 >= s.n) {
        return false;
    }
    v->name = span_of(s.p + prefix.n, eq - prefix.n);
    v->value = span_from(s, eq + 1);
    return v->name.n > 0;
}

static bool find(const struct conf_loader *ld, const char *path, struct variable *v)
{
    for (char *const *p = ld->opts->environ; *p != NULL; p++) {
        if (split(*p, v) && conf_env_is(v->name, path)) {
            return true;
        }
    }
    return false;
}

static int read_name_list(struct conf_loader *ld, const struct conf_list *l, struct span list)
{
    struct span *names = mem_alloc((list.n + 1) * sizeof(*names));
    struct span part;
    size_t n = 0;
    while (span_split(&list, ' ', &part)) {
        if (part.n > 0) {
            names[n++] = part;
        }
    }
    int rc = n > CONF_MAX_LIST ? conf_fail(ld, ERR_LIMIT, FROM_ENV, l->path,
                                           "more than %d elements", CONF_MAX_LIST)
                               : 0;
    if (rc == 0) {
        conf_list_reset(ld, l, names, n, true);
    }
    free(names);
    return rc;
}

/* A JSON array, or names whose options have variables of their own. */
static int read_list(struct conf_loader *ld, const struct conf_list *l)
{
    struct variable v;
    bool is_old = l == &conf_lists[CONF_NAMESPACES] && find(ld, "namespaces", &v);
    if (!find(ld, l->path, &v) && !is_old) {
        return 0;
    }
    struct span value = span_trim(v.value);
    if (value.n > 0 && value.p[0] != '[') {
        return read_name_list(ld, l, value);
    }
    if (!jscan_is_valid(value)) {
        struct conf_fault f = {.line = 1, .column = 1, .what = "this is not JSON"};
        conf_json_fault(value, &f);
        return conf_fail(ld, ERR_SYNTAX, FROM_ENV, l->path, "column %u: %s", f.column, f.what);
    }
    return conf_list_read(ld, l, value, true);
}

static int set_row(struct conf_loader *ld, struct conf_scope *scope, const struct conf_row *row,
                   const struct variable *v)
{
    struct conf_value value = conf_value_of_text(v->value);
    return conf_set(ld, scope, row, &value, FROM_ENV);
}

static const struct conf_row *find_row(const struct conf_table *t, struct span name)
{
    for (size_t i = 0; i < t->n; i++) {
        if (conf_env_is(name, t->rows[i].path)) {
            return &t->rows[i];
        }
    }
    return NULL;
}

/* "CHAT_PRESENCE" for a namespace called chat, with the prefix as conf_env_is has it. */
static bool skip_name(struct span name, const char *ns, struct span *rest)
{
    size_t n = strlen(ns);
    if (name.n <= n + 1 || name.p[n] != '_' || !conf_env_is(span_of(name.p, n), ns)) {
        return false;
    }
    *rest = span_from(name, n + 1);
    return true;
}

static const char *variable_name(struct conf_loader *ld, struct span name)
{
    struct buf b = {0};
    buf_addf(&b, "CENTRIFUGO_%.*s", SPAN_FMT(name));
    const char *text = arena_strdup(&ld->arena, buf_span(&b));
    buf_free(&b);
    return text;
}

/* A name of older versions that is not taken any more; `now` is what replaces it. */
static int old_variable(struct conf_loader *ld, const struct variable *v, const char *now)
{
    static const char text[] =
        "%s: this is its name in older versions and has no effect; now the option is %s";
    const char *name = variable_name(ld, v->name);
    if (ld->opts->strict) {
        return conf_fail(ld, ERR_UNKNOWN, 0, "", text, name, now);
    }
    conf_warn(ld, 0, "", text, name, now);
    return 0;
}

static bool is_true(struct span value)
{
    return !span_eq(value, SPAN("0")) && !span_eq_nocase(value, SPAN("false")) &&
           !span_eq_nocase(value, SPAN("f")) && !span_eq(value, SPAN("memory"));
}

enum outcome {
    NOT_THIS,
    TAKEN
};

/* An option of a namespace that is not ours. */
static int try_foreign(struct conf_loader *ld, struct span name, const struct variable *v,
                       enum outcome *outcome)
{
    const struct conf_foreign *f = conf_foreign_ns_env(name);
    if (f == NULL || (f->kind == FOREIGN_OLD && !conf_env_is(name, f->path))) {
        return 0;
    }
    *outcome = TAKEN;
    if (f->kind == FOREIGN_OLD) {
        return old_variable(ld, v, f->now);
    }
    conf_foreign_report(ld, f, 0, variable_name(ld, v->name), is_true(v->value));
    return 0;
}

static int try_list(struct conf_loader *ld, const struct conf_list *l, const struct variable *v,
                    enum outcome *outcome)
{
    struct span tail;
    struct span rest;
    size_t n;
    int rc = 0;
    conf_list_items(l, ld->conf, &n);
    if (!skip_name(v->name, l->path, &tail)) {
        return 0;
    }
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (!skip_name(tail, conf_list_name(l, ld->conf, i), &rest)) {
            continue;
        }
        const struct conf_row *row = find_row(l->table, rest);
        if (row != NULL && row != l->table->rows) {
            *outcome = TAKEN;
            return set_row(ld, &conf_list_scopes(ld, l)[i], row, v);
        }
        if (l->table == &conf_ns_rows && *outcome == NOT_THIS) {
            rc = try_foreign(ld, rest, v, outcome);
        }
    }
    return rc;
}

/* channel.without_namespace and the lists. */
static int try_elements(struct conf_loader *ld, const struct variable *v, enum outcome *outcome)
{
    struct span tail;
    int rc = 0;
    if (skip_name(v->name, "channel.without_namespace", &tail)) {
        const struct conf_row *row = find_row(&conf_ns_rows, tail);
        if (row == NULL || row == conf_ns_rows.rows) {
            return try_foreign(ld, tail, v, outcome);
        }
        *outcome = TAKEN;
        return set_row(ld, &ld->without_ns, row, v);
    }
    for (size_t i = 0; i < CONF_LIST_COUNT && rc == 0 && *outcome == NOT_THIS; i++) {
        rc = try_list(ld, &conf_lists[i], v, outcome);
    }
    return rc;
}

static bool is_list(struct span name)
{
    for (size_t i = 0; i < CONF_LIST_COUNT; i++) {
        if (conf_env_is(name, conf_lists[i].path)) {
            return true;
        }
    }
    return false;
}

/* Variables that stand for no option and still are in order: ours for other purposes, values for
 * others to expand, and what Kubernetes injects for a service called centrifugo. */
static bool is_no_option(struct span name)
{
    return span_eq(name, SPAN("URL")) || span_starts(name, SPAN("VAR_")) ||
           span_starts(name, SPAN("PORT_")) || span_contains(name, "SERVICE_") ||
           span_contains(name, "_PORT_") ||
           (name.n >= 4 && memcmp(name.p + name.n - 4, "PORT", 4) == 0);
}

/* The variable that a misspelled one may mean, without the prefix. */
static const char *nearest_variable(struct conf_loader *ld, struct span name)
{
    struct conf_row *rows = arena_zalloc(&ld->arena, conf_rows.n * sizeof(*rows));
    for (size_t i = 0; i < conf_rows.n; i++) {
        char *flat = arena_strdup(&ld->arena, span_str(conf_rows.rows[i].path));
        for (char *p = flat; *p != '\0'; p++) {
            *p = (char)(*p == '.' ? '_' : *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
        }
        rows[i].path = flat;
    }
    const struct conf_table table = {.rows = rows, .n = conf_rows.n};
    return conf_nearest(ld, &table, name);
}

static int unknown(struct conf_loader *ld, const struct variable *v)
{
    const char *name = variable_name(ld, v->name);
    const char *near = nearest_variable(ld, v->name);
    const struct conf_row *row = find_row(&conf_ns_rows, v->name);
    struct buf b = {0};
    buf_addf(&b, "%s: no option has this variable", name);
    if (row != NULL && row != conf_ns_rows.rows) {
        buf_addf(&b,
                 "; the one for channels without a namespace is "
                 "CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_%.*s",
                 SPAN_FMT(v->name));
    } else if (span_starts(v->name, SPAN("CHANNEL_NAMESPACES_"))) {
        buf_add_str(
            &b,
            "; behind CHANNEL_NAMESPACES_ stand a name of channel.namespaces and an option of it");
    } else if (near != NULL) {
        buf_addf(&b, "; did you mean CENTRIFUGO_%s?", near);
    }
    int rc = 0;
    if (ld->opts->strict) {
        rc = conf_fail(ld, ERR_UNKNOWN, 0, "", "%s", buf_cstr(&b));
    } else {
        conf_warn(ld, 0, "", "%s", buf_cstr(&b));
    }
    buf_free(&b);
    return rc;
}

static int read_foreign(struct conf_loader *ld, const struct variable *v)
{
    const struct conf_foreign *f = conf_foreign_env(v->name);
    const char *name = variable_name(ld, v->name);
    if (f == NULL) {
        return is_no_option(v->name) ? 0 : unknown(ld, v);
    }
    if (f->kind == FOREIGN_OLD) {
        /* Kubernetes sets CENTRIFUGO_PORT to tcp://ADDRESS:PORT for a service of this name. */
        bool is_meant = !f->in_env && !span_starts(v->value, SPAN("tcp://"));
        return is_meant ? old_variable(ld, v, f->now) : 0;
    }
    bool is_switch = span_contains(v->name, "_ENABLED");
    conf_foreign_report(ld, f, 0, name, is_true(v->value) && (is_switch || !f->has_switch));
    return 0;
}

/* Of both generations of a name, one is forgotten when the value changes. */
static void warn_contradiction(struct conf_loader *ld, const struct conf_row *row,
                               const struct variable *old)
{
    struct variable now;
    if (find(ld, row->path, &now) && !span_eq(now.value, old->value)) {
        conf_warn(ld, 0, "", "%s and %s have different values; the second counts",
                  variable_name(ld, old->name), variable_name(ld, now.name));
    }
}

/* Old names first, so that the present ones win. */
static int read_old(struct conf_loader *ld)
{
    int rc = 0;
    for (char *const *p = ld->opts->environ; *p != NULL && rc == 0; p++) {
        struct variable v;
        if (!split(*p, &v) || find_row(&conf_rows, v.name) != NULL) {
            continue;
        }
        const struct conf_foreign *f = conf_foreign_env(v.name);
        const struct conf_row *row = f != NULL && f->kind == FOREIGN_OLD && f->in_env
                                         ? conf_row_find(&conf_rows, span_str(f->now))
                                         : NULL;
        if (row != NULL) {
            warn_contradiction(ld, row, &v);
            rc = set_row(ld, &ld->main, row, &v);
        }
    }
    return rc;
}

static int read_present(struct conf_loader *ld)
{
    int rc = 0;
    for (char *const *p = ld->opts->environ; *p != NULL && rc == 0; p++) {
        struct variable v;
        if (!split(*p, &v) || is_list(v.name)) {
            continue;
        }
        const struct conf_row *row = find_row(&conf_rows, v.name);
        enum outcome outcome = NOT_THIS;
        if (row != NULL) {
            ld->conf->http_server.is_set |= span_starts(span_str(row->path), SPAN("http_server."));
            rc = set_row(ld, &ld->main, row, &v);
            continue;
        }
        rc = try_elements(ld, &v, &outcome);
        if (rc == 0 && outcome == NOT_THIS) {
            rc = read_foreign(ld, &v);
        }
    }
    return rc;
}

int conf_load_env(struct conf_loader *ld)
{
    if (ld->opts->environ == NULL) {
        return 0;
    }
    int rc = 0;
    for (size_t i = 0; i < CONF_LIST_COUNT && rc == 0; i++) {
        rc = read_list(ld, &conf_lists[i]);
    }
    if (rc == 0) {
        rc = read_old(ld);
    }
    if (rc == 0) {
        rc = read_present(ld);
    }
    /* A password in the environment is what older deployments have; it would be pointless without
     * the page it opens. */
    if (rc == 0 && conf_from(&ld->main, "admin.password") == FROM_ENV &&
        conf_from(&ld->main, "admin.enabled") == 0) {
        ld->conf->admin.enabled = true;
    }
    return rc;
}
