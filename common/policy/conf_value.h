/* SPDX-License-Identifier: Apache-2.0 */
/* One option's value: from JSON or environment text into its place, and back into JSON. */
#pragma once

#include "common/format/jscan.h"
#include "common/policy/conf_schema.h"

struct conf_value {
    enum jscan_kind kind;
    struct span raw;  /* the JSON text */
    struct span text; /* strings: decoded */
    bool is_env;      /* text of a variable or a default: lists are separated by spaces */
};

/* A value of text that is no JSON. */
struct conf_value conf_value_of_text(struct span text);

/* Stores the value into the row's member of `base`, freeing what was there; null and "" give the
 * zero value. On failure e (not NULL) says what was expected and, unless it is secret, what was
 * found: "expected a number, found \"x\"". With code 0 and a text in e the value was taken and the
 * text is a warning. */
int conf_value_set(const struct conf_row *row, void *base, const struct conf_value *v,
                   struct arena *a, struct err *e);

/* Whether the member has the zero value, which stands for the default. */
bool conf_value_is_zero(const struct conf_row *row, const void *base);

/* The word that is nearest to a misspelled one, or NULL when none is near. */
const char *conf_near_word(const struct conf_word *words, struct span s);

/* The name of the value of a CONF_ENUM. */
const char *conf_value_word(const struct conf_row *row, const void *base);

/* Frees (and wipes) what the member owns. */
void conf_value_free(const struct conf_row *row, void *base);

/* Appends the member as JSON; secrets as "***" unless with_secrets. */
void conf_value_print(const struct conf_row *row, const void *base, bool with_secrets,
                      struct buf *out);

/* Go's duration syntax ("1h30m", "-1.5s", "300ms"), or a bare number of nanoseconds. ERR_SYNTAX or
 * ERR_RANGE. */
int conf_duration_parse(struct span s, int64_t *ns);
/* The same syntax, of milliseconds: "25s", "1m30s", "0s". */
void conf_duration_print(int64_t ms, struct buf *out);
