/* SPDX-License-Identifier: Apache-2.0 */
/* The web server's side of FastCGI, for tests: requests as bytes, answers as texts. */
#pragma once

#include "common/base/str.h"

/* A connection to the socket at `path`; ends the program when there is none. */
int fcgi_dial(const char *path);

/* Appends a whole request by POST with the API key "key". `announced` is its CONTENT_LENGTH. */
void fcgi_add_request(struct buf *b, const char *uri, const struct buf *body, size_t announced,
                      bool keep);

/* Sends until the connection is cut off. */
void fcgi_send_bytes(int fd, const char *p, size_t n);

/* Collects standard output up to the end of the request, NUL-terminated; false when the connection
 * ends before. */
bool fcgi_read_answer(int fd, struct buf *out);
