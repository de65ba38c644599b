/* SPDX-License-Identifier: Apache-2.0 */
/* Loads configurations for a test. */
#include "tests/unit/conf_fixture.h"

#include "common/base/mem.h"

#include <stdlib.h>

#define VARIABLES_MAX 20

struct buf conf_warnings;
struct err conf_error;

void conf_note(const char *text, void *arg)
{
    (void)arg;
    buf_addf(&conf_warnings, "%s\n", text);
}

struct conf *conf_fixture_load(const char *text, const char *const *variables, bool strict)
{
    char *environ[VARIABLES_MAX + 1] = {NULL};
    buf_clear(&conf_warnings);
    conf_error = (struct err){0};
    for (size_t i = 0; variables != NULL && variables[i] != NULL && i < VARIABLES_MAX; i++) {
        environ[i] = mem_strdup(variables[i]); /* exact, for the sanitizer */
    }
    struct conf_load_opts opts = {.text = text,
                                  .text_len = strlen(text),
                                  .environ = environ,
                                  .strict = strict,
                                  .warn = conf_note};
    struct conf *c = conf_load(&opts, &conf_error);
    for (size_t i = 0; environ[i] != NULL; i++) {
        free(environ[i]);
    }
    return c;
}

bool conf_warned(const char *part)
{
    return strstr(buf_cstr(&conf_warnings), part) != NULL;
}

void conf_fixture_fini(void)
{
    buf_free(&conf_warnings);
}
