/* SPDX-License-Identifier: Apache-2.0 */
/* Who may see the admin data: the password by Basic authentication or a form, and the tokens that a
 * login gives. */
#pragma once

#include "common/policy/conf.h"

enum admin_access {
    ADMIN_ACCESS_GRANTED,
    ADMIN_ACCESS_NO_PASSWORD, /* none is configured, so nobody can be let in */
    ADMIN_ACCESS_MISSING,     /* no credentials came */
    ADMIN_ACCESS_WRONG,       /* password or token */
    ADMIN_ACCESS_THROTTLED,   /* too many wrong passwords; they are not even looked at */
};

/* So many wrong passwords in a row are looked at; then one more every period. For the whole
 * process: behind a web server all clients have one address. Tokens are not counted, nobody guesses
 * 256 bits. */
#define ADMIN_AUTH_BURST     10
#define ADMIN_AUTH_PERIOD_MS 3000

#define ADMIN_AUTH_SECRET_BYTES 32
#define ADMIN_TOKEN_LIFETIME_S  (30 * 24 * 3600)

struct admin_auth {
    const char *password; /* borrowed from the configuration */
    struct span secret;
    bool is_insecure;
    unsigned failures;   /* not forgiven yet */
    int64_t forgiven_ms; /* when the last one was */
    struct log_limit limit;
    char
        own_secret[ADMIN_AUTH_SECRET_BYTES]; /* without admin.secret: tokens end with the process */
};

/* The configuration is borrowed. */
void admin_auth_init(struct admin_auth *a, const struct conf *conf);
void admin_auth_fini(struct admin_auth *a);

/* By an Authorization header (absent span: none): "Basic" with any user name, or "token T". */
enum admin_access admin_auth_check(struct admin_auth *a, struct span authorization);

/* By the password alone. */
enum admin_access admin_auth_login(struct admin_auth *a, struct span password);

/* Whether the header uses the scheme of the page's script, which no browser answers with a dialog.
 */
bool admin_auth_is_token(struct span authorization);

/* Appends a token (HTTP surface, section 11), valid on every server with the same admin.secret for
 * ADMIN_TOKEN_LIFETIME_S. */
void admin_auth_token(const struct admin_auth *a, struct buf *out);
bool admin_auth_token_is_valid(const struct admin_auth *a, struct span token);

/* Seconds until the next password is looked at, at least 1. */
unsigned admin_auth_retry_s(const struct admin_auth *a);
