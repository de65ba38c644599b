/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up options by path and by environment variable; the lists. */
#include "common/policy/conf_schema.h"

const struct conf_list conf_lists[CONF_LIST_COUNT] = {
    [CONF_NAMESPACES] = {.path = "channel.namespaces",
                         .what = "namespace",
                         .example = "{\"name\": \"chat\"}",
                         .table = &conf_ns_rows,
                         .size = sizeof(struct chan_opts),
                         .items = offsetof(struct conf, channel.namespaces),
                         .count = offsetof(struct conf, channel.namespace_count)},
    [CONF_API_KEYS] = {.path = "pushd.api_keys",
                       .what = "key",
                       .example =
                           "{\"name\": \"app\", \"key\": \"...\", \"scopes\": [\"publish\"]}",
                       .table = &conf_key_rows,
                       .size = sizeof(struct conf_api_key),
                       .items = offsetof(struct conf, pushd.api_keys),
                       .count = offsetof(struct conf, pushd.api_key_count)},
};

const struct conf_list *conf_list_find(struct span path)
{
    for (size_t i = 0; i < CONF_LIST_COUNT; i++) {
        if (span_eq_nocase(path, span_str(conf_lists[i].path))) {
            return &conf_lists[i];
        }
    }
    return NULL;
}

void *conf_list_items(const struct conf_list *l, const struct conf *c, size_t *n)
{
    void *items;
    memcpy(&items, (const char *)c + l->items, sizeof(items));
    memcpy(n, (const char *)c + l->count, sizeof(*n));
    return items;
}

const char *conf_list_name(const struct conf_list *l, const struct conf *c, size_t i)
{
    size_t n;
    char *name;
    const char *items = conf_list_items(l, c, &n);
    memcpy(&name, items + i * l->size + l->table->rows[0].offset, sizeof(name));
    return name;
}

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
