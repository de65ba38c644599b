/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP request of ours, as libcurl wants it: whoever has a loop runs the handle in it, whoever
 * can wait calls fetch_run. */
#pragma once

#include "common/base/str.h"

struct fetch_spec {
    const char *url;    /* http or https */
    int64_t timeout_ms; /* from the look-up of the host to the end of the body */
    size_t max_bytes;   /* of the body */
};

enum fetch_failure {
    FETCH_OK,          /* an answer with any status */
    FETCH_UNREACHABLE, /* no such host, nobody listens, TLS failed, no HTTP */
    FETCH_UNTRUSTED,   /* the certificate does not lead to a known CA, or is for another host */
    FETCH_TIMEOUT,
    FETCH_TOO_LARGE,
};

/* What came of it. Borrowed from the fetch. */
struct fetch_answer {
    enum fetch_failure failure;
    int status;
    struct span body;
    const char *error; /* of libcurl, for the log; "" without one */
};

struct fetch;

/* GET. Redirects are not followed: a server that we were told to ask does not choose whom else we
 * ask. Nothing is decompressed, cookies and credentials of other requests do not exist.
 * Certificates are verified with the CAs of the system; SSL_CERT_FILE and SSL_CERT_DIR in the
 * environment name others. NULL when libcurl refuses the URL. */
struct fetch *fetch_new(const struct fetch_spec *spec);
void fetch_free(struct fetch *f);

/* The CURL handle; its private pointer is free for the caller. */
void *fetch_handle(const struct fetch *f);
/* The transfer ended with this CURLcode. */
void fetch_ended(struct fetch *f, int code);
/* Performs it, waiting. */
void fetch_run(struct fetch *f);

/* After the end. */
const struct fetch_answer *fetch_answer(const struct fetch *f);

/* Of the libcurl that this process runs with. */
const char *fetch_library_version(void);
