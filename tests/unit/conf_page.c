/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of the manual page pushd.json(5). */
#include "tests/unit/conf_page.h"

static const char *kind_text(const struct conf_row *row)
{
    switch (row->kind) {
    case CONF_BOOL:
        return "bool";
    case CONF_INT:
        return "number";
    case CONF_STRING:
        return "string";
    case CONF_STRINGS:
        return "list of strings";
    case CONF_DURATION:
        return "duration";
    case CONF_ENUM:
        return "word";
    }
    return "";
}

void conf_page_entry(const struct conf_row *row, struct buf *out)
{
    buf_addf(out, ".It Cm %s\n", row->path);
    buf_addf(out, ".Pq %s", kind_text(row));
    const char *def = row->def;
    if (row->kind == CONF_ENUM && def == NULL && row->words[0].name[0] != '\0') {
        def = row->words[0].name;
    }
    if (def != NULL) {
        /* A punctuation mark alone would be taken for the end of a sentence. */
        buf_addf(out, ", default\n.Ql %s%s",
                 def[0] != '\0' && strchr(":,", def[0]) != NULL ? "\\&" : "", def);
    }
    buf_add_char(out, '\n');
    /* One sentence a line, as manual pages are written. */
    for (const char *p = row->help; *p != '\0'; p++) {
        bool ends = (p[0] == '.' && p[1] == ' ' && p > row->help && p[-1] != '.');
        buf_add_char(out, *p);
        if (ends) {
            buf_add_char(out, '\n');
            p++;
        }
    }
    buf_add_char(out, '\n');
    if (row->words != NULL) {
        const char *comma = "One of";
        for (const struct conf_word *w = row->words; w->name != NULL; w++) {
            if (w->name[0] != '\0') {
                buf_addf(out, "%s %s", comma, w->name);
                comma = ",";
            }
        }
        buf_add_str(out, ".\n");
    }
    if ((row->flags & CONF_SECRET) != 0) {
        buf_add_str(out, "A secret: it is never printed.\n");
    }
    if ((row->flags & CONF_NOT_YET) != 0) {
        buf_add_str(out, "Not supported yet.\n");
    }
}
