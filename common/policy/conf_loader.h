/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of loading a configuration share. Only conf*.c include this. */
#pragma once

#include "common/policy/conf_value.h"

#define CONF_MAX_FILE_BYTES (4 << 20)
#define CONF_MAX_LIST       10000

/* Where a value came from: 0 nowhere (default), a line of the file, or the environment. */
#define FROM_ENV UINT32_MAX

/* The struct that a table describes, and what is known about its members. */
struct conf_scope {
    const struct conf_table *table;
    void *base;
    uint32_t *from; /* one for each row */
    uint32_t line;  /* of the element of a list */
    char *path;     /* "", "channel.without_namespace", "channel.namespaces[chat]" */
};

struct conf_loader {
    const struct conf_load_opts *opts;
    struct conf *conf;
    const char *file;   /* its name in messages */
    struct buf content; /* of the file */
    struct span text;
    struct arena arena;
    struct err e;
    struct conf_scope main;
    struct conf_scope without_ns;
    struct conf_scope *lists[CONF_LIST_COUNT]; /* as many as the list has elements */
    struct buf pro;                            /* names of PRO options, for one warning */
};

/* Each of these returns 0, or a negative code with the message in ld->e. */
int conf_load_file(struct conf_loader *ld);
int conf_load_json(struct conf_loader *ld);
int conf_load_env(struct conf_loader *ld);
int conf_apply_defaults(struct conf_loader *ld);
int conf_check(struct conf_loader *ld);
int conf_check_pushd(struct conf_loader *ld);
int conf_check_keys(struct conf_loader *ld);

/* Replaces the elements of a list by n new ones, with their names. An old one of the same name
 * keeps its options. */
void conf_list_reset(struct conf_loader *ld, const struct conf_list *l, const struct span *names,
                     size_t n, bool keep);
/* Reads a JSON array of such objects; line_of tells lines in the file, else they come from the
 * environment. */
int conf_list_read(struct conf_loader *ld, const struct conf_list *l, struct span array,
                   bool is_env);
/* Where the elements of a list are in the loader. */
static inline struct conf_scope *conf_list_scopes(const struct conf_loader *ld,
                                                  const struct conf_list *l)
{
    return ld->lists[l - conf_lists];
}
/* ERR_INVALID when two elements share a name. */
int conf_check_duplicates(struct conf_loader *ld, const struct conf_list *l);
void conf_scope_fini(struct conf_scope *s);

/* Sets one option and reports its warning or error with its place. `where` is the file's line, or
 * FROM_ENV. */
int conf_set(struct conf_loader *ld, struct conf_scope *scope, const struct conf_row *row,
             const struct conf_value *v, uint32_t where);

uint32_t conf_line_of(const struct conf_loader *ld, const char *at);

/* Messages: "FILE:LINE: PATH: text". conf_fail stores the error and returns the code; conf_warn
 * hands a warning to the caller of conf_load. The path is "" for none. */
void conf_warn(struct conf_loader *ld, uint32_t where, const char *path, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
int conf_fail(struct conf_loader *ld, int code, uint32_t where, const char *path, const char *fmt,
              ...) PRINTF_LIKE(5, 6);
/* The same about an option that has been set (or not). */
void conf_warn_row(struct conf_loader *ld, const struct conf_scope *s, const char *row,
                   const char *fmt, ...) PRINTF_LIKE(4, 5);
int conf_fail_row(struct conf_loader *ld, const struct conf_scope *s, const char *row,
                  const char *fmt, ...) PRINTF_LIKE(4, 5);
uint32_t conf_from(const struct conf_scope *s, const char *row);
/* The full path of an option; in the arena. */
const char *conf_path(struct conf_loader *ld, const struct conf_scope *s, struct span row);

/* The name that is nearest to a misspelled one, or NULL when none is near. In the arena or
 * constant. */
const char *conf_nearest(struct conf_loader *ld, const struct conf_table *t, struct span name);

/* Where a text stops being JSON. */
struct conf_fault {
    uint32_t line;
    uint32_t column; /* in characters, from 1 */
    const char *what;
};
bool conf_json_fault(struct span text, struct conf_fault *f);
