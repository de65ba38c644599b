/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up options by path and by environment variable. */
#include "common/policy/conf_schema.h"

const struct conf_row *conf_row_find(const struct conf_table *t, struct span path)
{
    for (size_t i = 0; i < t->n; i++) {
        if (span_eq_nocase(span_str(t->rows[i].path), path)) {
            return &t->rows[i];
        }
    }
    return NULL;
}

bool conf_row_is_object(const struct conf_table *t, struct span path)
{
    for (size_t i = 0; i < t->n; i++) {
        struct span row = span_str(t->rows[i].path);
        if (row.n > path.n && row.p[path.n] == '.' &&
            span_eq_nocase(span_of(row.p, path.n), path)) {
            return true;
        }
    }
    return false;
}

static char env_char(char c)
{
    if (c == '.' || c == '-') {
        return '_';
    }
    return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

bool conf_env_is(struct span name, const char *path)
{
    size_t i = 0;
    for (; i < name.n && path[i] != '\0' && name.p[i] == env_char(path[i]); i++) {
    }
    return i == name.n && path[i] == '\0';
}
