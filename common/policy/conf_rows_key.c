/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a key in pushd.api_keys. */
#include "common/policy/conf_schema.h"

#define ROW(k, m)                                                        \
    .path = #m, .kind = (k), .offset = offsetof(struct conf_api_key, m), \
    .size = sizeof(((struct conf_api_key *)NULL)->m)

static const struct conf_word scopes[] = {
    {"publish", API_SCOPE_PUBLISH}, {"read", API_SCOPE_READ}, {"admin", API_SCOPE_ADMIN}, {0}};

static const struct conf_row rows[] = {
    {ROW(CONF_STRING, name),
     .help =
         "Name of the key: it stands in the log and in refusals, where the key itself must not."},
    {ROW(CONF_STRING, key), .flags = CONF_SECRET,
     .help = "What the application sends; 16 characters or more, and no other key's."},
    {ROW(CONF_STRINGS, scopes), .words = scopes,
     .help = "What it may do: publish and broadcast; ask for presence, history, channels and info; "
             "or everything."},
    {ROW(CONF_STRINGS, channels),
     .help = "What the names of its channels begin with; empty is every channel. "
             "A key with such a list cannot disconnect or refresh users, whose connections have "
             "other channels, too."},
};

const struct conf_table conf_key_rows = {.rows = rows, .n = ARRAY_LEN(rows)};
