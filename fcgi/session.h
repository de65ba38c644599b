/* SPDX-License-Identifier: Apache-2.0 */
/* Who the application says is asking for a token: from variables of the web server, a JWT cookie,
 * or a session in Redis. */
#pragma once

#include "common/format/schema.h"
#include "common/policy/conf.h"
#include "fcgi/request.h"

struct api_ctx;

#define SESSION_MAX_COOKIE 256
#define SESSION_MAX_ORGS   1024

struct session {
    struct span user;
    struct vec orgs;        /* of struct span */
    bool has_too_many_orgs; /* more than SESSION_MAX_ORGS, which are all that `orgs` has */
    struct span fields;     /* the JSON object that it was read from; absent: there is none */
    const char *reason;     /* of a refusal: a stable identifier */
    const char *detail;     /* the same in words, or NULL */
};

enum session_result {
    SESSION_OK,
    SESSION_NONE,        /* nobody is logged in, or the credential is not valid */
    SESSION_UNAVAILABLE, /* Redis, which holds the sessions, did not answer */
};

/* Texts live in the request's memory or c's arena. */
enum session_result session_read(struct api_ctx *c, const struct request *r, struct session *out);

/* The value in s->fields at a path as below; false when there is none. Borrowed. */
bool session_field(const struct session *s, const char *path, struct arena *a, struct span *value);

/* ---- pieces ---- */

/* Whether a cookie's value may become part of a Redis key: letters, digits, and - _ . ~ only, 1 to
 * SESSION_MAX_COOKIE of them. */
bool session_cookie_is_safe(struct span value);

/* Adds ids from a text such as "a, b c". */
void session_add_org_text(struct session *s, struct span text, struct arena *a);

/* Reads user and organisations out of a JSON object. A path such as "user.id" goes through objects;
 * a user may be a string or an integer; organisations are a list of strings, integers or objects
 * with a member `id`, or one text as above. False when the text is no JSON object or names no user.
 */
bool session_from_json(struct span json, const char *user_path, const char *org_path,
                       struct arena *a, struct session *out);
