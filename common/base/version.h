/* SPDX-License-Identifier: Apache-2.0 */
/* What --version prints. */
#pragma once

/* A library that the program runs with. Each program passes rows from where the library's header is
 * at home; the text is asked of the library at run time, not of the header at build time. */
struct version_row {
    const char *name; /* NULL ends the list */
    const char *(*text)(void);
};

/* Prints "PROGRAM 0.1.0", one line a library, and how the tree was configured, to standard output.
 * libs may be NULL. */
void version_print(const char *program, const struct version_row *libs);

/* "0.1.0" */
const char *version_text(void);
