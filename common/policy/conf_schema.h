/* SPDX-License-Identifier: Apache-2.0 */
/* The option tables: one row an option. The loader, the environment, the printer and the check of
 * the manual page walk them. */
#pragma once

#include "common/policy/conf.h"

enum conf_kind {
    CONF_BOOL,     /* bool */
    CONF_INT,      /* int64_t */
    CONF_STRING,   /* char * */
    CONF_STRINGS,  /* struct conf_strings */
    CONF_DURATION, /* int64_t milliseconds */
    CONF_ENUM,     /* an enum or a bool, named by words */
};

enum {
    CONF_SECRET = 1 << 0,        /* never shown */
    CONF_WHOLE_SECONDS = 1 << 1, /* a duration finer than seconds is an error */
    CONF_PATH = 1 << 2,   /* a path of a URL: slash in front, none at the end, "/" is the root */
    CONF_PREFIX = 1 << 3, /* as CONF_PATH, but the root is "" */
    CONF_SOFT = 1 << 4,   /* an unknown word is a warning and means the default */
    CONF_NOT_YET =
        1
        << 5, /* known and stored; switching it on gets the warning that it is not supported yet */
    CONF_URL =
        1 << 6, /* may hold a password, as in scheme://user:password@host, which is never shown */
    CONF_COMMAS = 1 << 7, /* a list given as one text may be separated by commas */
};

/* A name of a value of CONF_ENUM; for CONF_STRING and CONF_STRINGS the list of allowed texts. */
struct conf_word {
    const char *name; /* NULL ends the list */
    int value;
};

struct conf_row {
    const char *path; /* lower case, dotted; relative in the namespace table */
    enum conf_kind kind;
    uint16_t offset;
    uint16_t size;
    unsigned flags;
    const char *def; /* the default as text, NULL for the zero value */
    int64_t min;     /* of integers and (in milliseconds) durations; 0 and 0: not negative */
    int64_t max;
    const struct conf_word *words;
    const char *help; /* one sentence for the manual */
};

struct conf_table {
    const struct conf_row *rows;
    size_t n;
};

/* Rows over struct conf, and over struct chan_opts (channel.without_namespace and each of
 * channel.namespaces). Rows that share a prefix stand together. */
extern const struct conf_table conf_rows;
extern const struct conf_table conf_ns_rows;
/* Over struct conf_api_key (each of pushd.api_keys). */
extern const struct conf_table conf_key_rows;

/* A list of objects that have names. */
struct conf_list {
    const char *path;               /* "channel.namespaces" */
    const char *what;               /* an element, in messages: "namespace" */
    const char *example;            /* an element */
    const struct conf_table *table; /* of an element; the first row is its name */
    size_t size;                    /* of an element */
    size_t items;                   /* offset in struct conf of the pointer to the elements */
    size_t count;                   /* and of their number, a size_t */
};

enum {
    CONF_NAMESPACES,
    CONF_API_KEYS,
    CONF_LIST_COUNT
};
extern const struct conf_list conf_lists[CONF_LIST_COUNT];

/* The list of a path, or NULL. Case does not matter. */
const struct conf_list *conf_list_find(struct span path);
/* Its elements. */
void *conf_list_items(const struct conf_list *l, const struct conf *c, size_t *n);
/* The name of element i. */
const char *conf_list_name(const struct conf_list *l, const struct conf *c, size_t i);

/* The row of a path, or NULL. Case does not matter. */
const struct conf_row *conf_row_find(const struct conf_table *t, struct span path);
/* Whether a row lies below the object `path` ("" is the root). */
bool conf_row_is_object(const struct conf_table *t, struct span path);

/* What else a file or the environment may hold. */
enum conf_foreign_kind {
    FOREIGN_NONE,
    FOREIGN_NOT_YET,    /* Centrifugo has it, we do not yet */
    FOREIGN_PRO,        /* an option of Centrifugo PRO */
    FOREIGN_WEB_SERVER, /* the business of the web server in front */
    FOREIGN_QUIET,      /* has no meaning here */
    FOREIGN_OLD,        /* a name of versions 3 to 5; `now` is the present path */
};

struct conf_foreign {
    const char *path; /* it and everything below it */
    enum conf_foreign_kind kind;
    bool has_switch; /* an object that does nothing unless its member `enabled` is true */
    bool in_env;     /* FOREIGN_OLD: the old variable still sets the present option */
    const char *now; /* FOREIGN_OLD: the present path, else NULL */
    const char *so;  /* FOREIGN_NOT_YET: what happens instead, or NULL */
};

/* Options of other origin: of the whole file, and of a namespace. NULL when the path is none. */
const struct conf_foreign *conf_foreign_find(struct span path);
const struct conf_foreign *conf_foreign_ns_find(struct span path);
/* By environment variable, without the prefix CENTRIFUGO_. */
const struct conf_foreign *conf_foreign_env(struct span name);
const struct conf_foreign *conf_foreign_ns_env(struct span name);

/* Whether the variable `name` (without CENTRIFUGO_) stands for `path`: upper case, '_' for '.' and
 * '-'. */
bool conf_env_is(struct span name, const char *path);
