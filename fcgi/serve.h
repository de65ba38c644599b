/* SPDX-License-Identifier: Apache-2.0 */
/* One FastCGI request: reads it, has the API answer it, writes the answer. */
#pragma once

#include "fcgi/server.h"

/* The three callbacks of struct server_opts; arg is a const struct api. */
void *serve_state_new(void *arg);
void serve_state_free(void *state);
void serve_request(void *state, struct server_worker *w, struct FCGX_Request *r);
