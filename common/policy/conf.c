/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a configuration: load, complete, check, free. */
#include "common/policy/conf.h"

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/policy/conf_loader.h"
#include "common/policy/rx.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void scope_init(struct conf_scope *s, const struct conf_table *t, void *base, char *path)
{
    *s = (struct conf_scope){.table = t, .base = base, .path = path};
    s->from = mem_zalloc(t->n * sizeof(*s->from));
}

void conf_scope_fini(struct conf_scope *s)
{
    free(s->from);
    free(s->path);
}

static void free_members(const struct conf_table *t, void *base)
{
    for (size_t i = 0; i < t->n; i++) {
        conf_value_free(&t->rows[i], base);
    }
}

static void free_element(const struct conf_list *l, void *element)
{
    free_members(l->table, element);
    if (l == &conf_lists[CONF_NAMESPACES]) {
        rx_free(((struct chan_opts *)element)->channel_regex_compiled);
    }
}

static void free_list(const struct conf_list *l, struct conf *c)
{
    size_t n;
    char *items = conf_list_items(l, c, &n);
    for (size_t i = 0; i < n; i++) {
        free_element(l, items + i * l->size);
    }
    free(items);
}

static char *element_path(const struct conf_list *l, struct span name)
{
    struct buf b = {0};
    buf_addf(&b, "%s[%.*s]", l->path, SPAN_FMT(name));
    char *path = mem_strndup(b.p, b.n);
    buf_free(&b);
    return path;
}

/* The index of the element of this name, or how many there are. */
static size_t find_element(const struct conf_list *l, const struct conf *c, struct span name)
{
    size_t n;
    size_t i = 0;
    conf_list_items(l, c, &n);
    for (; i < n; i++) {
        const char *other = conf_list_name(l, c, i);
        if (other != NULL && span_eq_str(name, other)) { /* NULL: taken already */
            break;
        }
    }
    return i;
}

/* Makes the element at `at` from the one of the same name that was there before, or new. */
static void make_element(struct conf_loader *ld, const struct conf_list *l, struct span name,
                         bool keep, char *at, struct conf_scope *scope)
{
    size_t n;
    char *items = conf_list_items(l, ld->conf, &n);
    size_t old = keep ? find_element(l, ld->conf, name) : n;
    scope_init(scope, l->table, at, element_path(l, name));
    if (old < n) {
        const struct conf_scope *from = &conf_list_scopes(ld, l)[old];
        memcpy(at, items + old * l->size, l->size);
        memset(items + old * l->size, 0, l->size);
        memcpy(scope->from, from->from, l->table->n * sizeof(*scope->from));
        scope->line = from->line;
    } else {
        char *copy = span_dup(name);
        memcpy(at + l->table->rows[0].offset, &copy, sizeof(copy));
        scope->line = FROM_ENV;
    }
}

void conf_list_reset(struct conf_loader *ld, const struct conf_list *l, const struct span *names,
                     size_t n, bool keep)
{
    char *list = mem_zalloc((n + 1) * l->size);
    struct conf_scope *scopes = mem_zalloc((n + 1) * sizeof(*scopes));
    size_t before;
    for (size_t i = 0; i < n; i++) {
        make_element(ld, l, names[i], keep, list + i * l->size, &scopes[i]);
    }
    conf_list_items(l, ld->conf, &before);
    for (size_t i = 0; i < before; i++) {
        conf_scope_fini(&conf_list_scopes(ld, l)[i]);
    }
    free(ld->lists[l - conf_lists]);
    free_list(l, ld->conf);
    memcpy((char *)ld->conf + l->items, &list, sizeof(list));
    memcpy((char *)ld->conf + l->count, &n, sizeof(n));
    ld->lists[l - conf_lists] = scopes;
}

static int apply_table(struct conf_loader *ld, struct conf_scope *s)
{
    for (size_t i = 0; i < s->table->n; i++) {
        const struct conf_row *row = &s->table->rows[i];
        /* false and the first word of a list are values, too; elsewhere zero means default. */
        bool has_zero = row->kind == CONF_BOOL || row->kind == CONF_ENUM;
        bool is_set = has_zero ? s->from[i] != 0 : !conf_value_is_zero(row, s->base);
        struct err e;
        if (row->def != NULL && !is_set) {
            struct conf_value v = conf_value_of_text(span_str(row->def));
            if (conf_value_set(row, s->base, &v, &ld->arena, &e) != 0) {
                return conf_fail(ld, ERR_INTERNAL, 0, row->path, "bad built-in default: %s",
                                 e.text);
            }
        }
        char **text = (char **)(void *)((char *)s->base + row->offset);
        if (row->kind == CONF_STRING && *text == NULL) {
            *text = mem_strdup("");
        }
    }
    return 0;
}

static void inherit(const struct conf_channel *ch, struct chan_opts *o)
{
    if (o->history_meta_ttl_ms == 0) {
        o->history_meta_ttl_ms = ch->history_meta_ttl_ms;
    }
    if (o->publication_data_format == DATA_FORMAT_ANY) {
        o->publication_data_format = ch->publication_data_format;
    }
}

static void name_node(struct conf *c)
{
    char host[HOST_NAME_MAX + 1] = "";
    if (c->node.name[0] != '\0') {
        return;
    }
    gethostname(host, sizeof(host) - 1);
    struct buf b = {0};
    buf_addf(&b, "%s_%lld", host[0] != '\0' ? host : "localhost", (long long)c->http_server.port);
    free(c->node.name);
    c->node.name = mem_strndup(b.p, b.n);
    buf_free(&b);
}

int conf_apply_defaults(struct conf_loader *ld)
{
    struct conf_channel *ch = &ld->conf->channel;
    int rc = apply_table(ld, &ld->main);
    if (rc == 0) {
        rc = apply_table(ld, &ld->without_ns);
    }
    for (size_t k = 0; k < CONF_LIST_COUNT; k++) {
        size_t n;
        conf_list_items(&conf_lists[k], ld->conf, &n);
        for (size_t i = 0; i < n && rc == 0; i++) {
            rc = apply_table(ld, &ld->lists[k][i]);
        }
    }
    if (rc != 0) {
        return rc;
    }
    inherit(ch, &ch->without_namespace);
    for (size_t i = 0; i < ch->namespace_count; i++) {
        inherit(ch, &ch->namespaces[i]);
    }
    name_node(ld->conf);
    return 0;
}

static void index_namespaces(struct conf_channel *ch)
{
    ch->namespace_nodes = mem_zalloc((ch->namespace_count + 1) * sizeof(*ch->namespace_nodes));
    for (size_t i = 0; i < ch->namespace_count; i++) {
        struct conf_ns_node *node = &ch->namespace_nodes[i];
        struct span name = span_str(ch->namespaces[i].name);
        node->opts = &ch->namespaces[i];
        htab_add(&ch->namespace_index, &node->node, name, hash_span(name));
    }
}

static int load(struct conf_loader *ld)
{
    const struct conf_load_opts *opts = ld->opts;
    int rc = 0;
    if (opts->text != NULL) {
        ld->text = span_of(opts->text, opts->text_len);
        rc = conf_load_json(ld);
    } else if (opts->path != NULL) {
        rc = conf_load_file(ld);
    }
    ld->text = (struct span){0}; /* from here on no address is a line */
    if (rc == 0) {
        rc = conf_load_env(ld);
    }
    if (rc == 0 && ld->pro.n > 0) {
        conf_warn(ld, 0, "", "options of Centrifugo PRO are ignored: %s", buf_cstr(&ld->pro));
    }
    if (rc == 0) {
        rc = conf_apply_defaults(ld);
    }
    if (rc == 0) {
        rc = conf_check(ld);
    }
    return rc;
}

static void free_scopes(struct conf_loader *ld)
{
    for (size_t k = 0; k < CONF_LIST_COUNT; k++) {
        size_t n;
        conf_list_items(&conf_lists[k], ld->conf, &n);
        for (size_t i = 0; i < n; i++) {
            conf_scope_fini(&ld->lists[k][i]);
        }
        free(ld->lists[k]);
    }
    conf_scope_fini(&ld->main);
    conf_scope_fini(&ld->without_ns);
}

struct conf *conf_load(const struct conf_load_opts *opts, struct err *e)
{
    struct conf_loader ld = {.opts = opts, .file = opts->path != NULL ? opts->path : "config"};
    ld.conf = mem_zalloc(sizeof(*ld.conf));
    scope_init(&ld.main, &conf_rows, ld.conf, mem_strdup(""));
    scope_init(&ld.without_ns, &conf_ns_rows, &ld.conf->channel.without_namespace,
               mem_strdup("channel.without_namespace"));
    struct conf *c = ld.conf;
    int rc = load(&ld);
    free_scopes(&ld);
    arena_fini(&ld.arena);
    buf_free(&ld.pro);
    mem_wipe(ld.content.p, ld.content.n);
    buf_free(&ld.content);
    if (rc != 0) {
        err_set(e, rc, "%s", ld.e.text);
        conf_free(c);
        return NULL;
    }
    index_namespaces(&c->channel);
    return c;
}

void conf_free(struct conf *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t k = 0; k < CONF_LIST_COUNT; k++) {
        free_list(&conf_lists[k], c);
    }
    free(c->channel.namespace_nodes);
    htab_fini(&c->channel.namespace_index);
    free_element(&conf_lists[CONF_NAMESPACES], &c->channel.without_namespace);
    free_members(&conf_rows, c);
    free(c);
}
