/* SPDX-License-Identifier: Apache-2.0 */
/* Loads configurations for a test and keeps what was said about them. */
#pragma once

#include "common/policy/conf.h"

/* What the last load said: its warnings, one a line, and its error. */
extern struct buf conf_warnings;
extern struct err conf_error;

/* `variables` is the whole environment, ends with NULL, and may be NULL. NULL when the text is
 * refused. */
struct conf *conf_fixture_load(const char *text, const char *const *variables, bool strict);
/* Notes a warning, for a test that calls conf_load itself. */
void conf_note(const char *text, void *arg);
/* Whether a warning of the last load has this in it. */
bool conf_warned(const char *part);
/* Frees the warnings. */
void conf_fixture_fini(void);
