/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP request as the web server hands it over in FastCGI variables. */
#pragma once

#include "common/base/arena.h"

/* Spans are absent (p == NULL) where the web server sent no such variable. Borrowed from the
 * variables or the arena. */
struct request {
    struct span method;
    struct span path;  /* decoded, without query; absent when the web server told no path */
    struct span query; /* as sent, without '?' */
    struct span content_length;
    struct span authorization;
    struct span api_key;    /* header X-API-Key */
    struct span error_mode; /* header X-Centrifugo-Error-Mode */
    struct span cookie;
    struct span remote_addr;
    struct span body;
    char *const *variables; /* "NAME=value", ends with NULL */
};

/* Reads the variables (kept, not copied); the body stays empty. */
void request_init(struct request *r, char *const *variables, struct arena *a);

/* Any variable by its name; absent when there is none. A name in lower case or with '-' is not
 * changed. */
struct span request_variable(const struct request *r, const char *name);
