/* SPDX-License-Identifier: Apache-2.0 */
/* Errors and warnings of loading, with the place they are about. */
#include "common/policy/conf_loader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint32_t conf_line_of(const struct conf_loader *ld, const char *at)
{
    if (ld->text.p == NULL || at < ld->text.p || at > ld->text.p + ld->text.n) {
        return FROM_ENV;
    }
    uint32_t line = 1;
    for (const char *p = ld->text.p; (p = memchr(p, '\n', (size_t)(at - p))) != NULL; p++) {
        line++;
    }
    return line;
}

const char *conf_path(struct conf_loader *ld, const struct conf_scope *s, struct span row)
{
    struct buf b = {0};
    buf_addf(&b, "%s%s%.*s", s->path, s->path[0] != '\0' && row.n > 0 ? "." : "", SPAN_FMT(row));
    const char *path = arena_strdup(&ld->arena, buf_span(&b));
    buf_free(&b);
    return path;
}

uint32_t conf_from(const struct conf_scope *s, const char *row)
{
    for (size_t i = 0; i < s->table->n; i++) {
        if (strcmp(s->table->rows[i].path, row) == 0) {
            return s->from[i];
        }
    }
    return 0;
}

/* The variable of a path: an index in brackets is the name of a namespace. */
static void add_variable(const char *path, struct buf *out)
{
    buf_add_str(out, "CENTRIFUGO_");
    for (; *path != '\0'; path++) {
        char c = *path;
        if (c == ']') {
            continue;
        }
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        buf_add_char(out, !is_letter ? '_' : (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c));
    }
}

static void compose(struct conf_loader *ld, uint32_t where, const char *path, struct buf *out)
{
    if (where == FROM_ENV && path[0] != '\0') {
        add_variable(path, out);
        buf_add_str(out, ": ");
        return;
    }
    if (where != 0 && where != FROM_ENV) {
        buf_addf(out, "%s:%u: ", ld->file, where);
    }
    if (path[0] != '\0') {
        buf_addf(out, "%s: ", path);
    }
}

/* The text goes into logs and onto terminals, and parts of it come from a file: one line, without
 * control characters. */
static void tidy(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            *p = ' ';
        }
    }
}

static void format(struct conf_loader *ld, uint32_t where, const char *path, const char *fmt,
                   va_list ap, struct err *e) __attribute__((format(printf, 4, 0)));

static void format(struct conf_loader *ld, uint32_t where, const char *path, const char *fmt,
                   va_list ap, struct err *e)
{
    char text[sizeof(e->text)];
    struct buf b = {0};
    compose(ld, where, path, &b);
    vsnprintf(text, sizeof(text), fmt, ap);
    err_set(e, 0, "%s%s", buf_cstr(&b), text);
    tidy(e->text);
    buf_free(&b);
}

static void warn(struct conf_loader *ld, const struct err *e)
{
    if (ld->opts->warn != NULL) {
        ld->opts->warn(e->text, ld->opts->warn_arg);
    }
}

void conf_warn(struct conf_loader *ld, uint32_t where, const char *path, const char *fmt, ...)
{
    struct err e;
    va_list ap;
    va_start(ap, fmt);
    format(ld, where, path, fmt, ap, &e);
    va_end(ap);
    warn(ld, &e);
}

int conf_fail(struct conf_loader *ld, int code, uint32_t where, const char *path, const char *fmt,
              ...)
{
    va_list ap;
    va_start(ap, fmt);
    format(ld, where, path, fmt, ap, &ld->e);
    va_end(ap);
    ld->e.code = code;
    return code;
}

void conf_warn_row(struct conf_loader *ld, const struct conf_scope *s, const char *row,
                   const char *fmt, ...)
{
    struct err e;
    va_list ap;
    va_start(ap, fmt);
    format(ld, conf_from(s, row), conf_path(ld, s, span_str(row)), fmt, ap, &e);
    va_end(ap);
    warn(ld, &e);
}

int conf_fail_row(struct conf_loader *ld, const struct conf_scope *s, const char *row,
                  const char *fmt, ...)
{
    uint32_t where = conf_from(s, row);
    va_list ap;
    va_start(ap, fmt);
    format(ld, where != 0 ? where : s->line, conf_path(ld, s, span_str(row)), fmt, ap, &ld->e);
    va_end(ap);
    ld->e.code = ERR_INVALID;
    return ERR_INVALID;
}

int conf_set(struct conf_loader *ld, struct conf_scope *scope, const struct conf_row *row,
             const struct conf_value *v, uint32_t where)
{
    struct err e;
    uint32_t *from = &scope->from[row - scope->table->rows];
    const char *path = conf_path(ld, scope, span_str(row->path));
    if (where != FROM_ENV && *from != 0 && *from != FROM_ENV) {
        conf_warn(ld, where, path, "given twice, in line %u already; this one counts", *from);
    }
    int rc = conf_value_set(row, scope->base, v, &ld->arena, &e);
    if (rc != 0) {
        return conf_fail(ld, rc, where, path, "%s", e.text);
    }
    *from = v->kind == JSCAN_NULL ? 0 : where;
    if (e.text[0] != '\0') {
        conf_warn(ld, where, path, "%s", e.text);
    }
    if ((row->flags & CONF_NOT_YET) != 0 && !conf_value_is_zero(row, scope->base)) {
        conf_warn(ld, where, path, "not supported yet");
    }
    return 0;
}
