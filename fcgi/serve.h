/* SPDX-License-Identifier: Apache-2.0 */
/* FastCGI requests: read, answered by the API, written. */
#pragma once

#include "fcgi/server.h"

/* The callbacks of struct server_opts; arg is a const struct api. */
void *serve_thread_new(void *arg);
void serve_thread_free(void *thread);
void *serve_job_new(void *arg);
void serve_job_free(void *job);
enum server_step serve_begin(void *job, struct server_job *j, struct FCGX_Request *r);
void serve_group(void *thread, void *const *jobs, size_t n);
void serve_alone(void *thread, void *job);
void serve_answer(void *job, struct FCGX_Request *r);
