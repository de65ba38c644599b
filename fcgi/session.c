/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of the application. */
#include "fcgi/session.h"

#include "common/base/clk.h"
#include "common/base/err.h"
#include "common/engine/rcmd.h"
#include "common/format/jscan.h"
#include "fcgi/api.h"
#include "fcgi/query.h"

bool session_cookie_is_safe(struct span value)
{
    for (size_t i = 0; i < value.n; i++) {
        char ch = value.p[i];
        bool is_plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                        (ch >= '0' && ch <= '9') || ch == '-' || ch == '_' || ch == '.' ||
                        ch == '~';
        if (!is_plain) {
            return false;
        }
    }
    return value.n != 0 && value.n <= SESSION_MAX_COOKIE;
}

static void add_org(struct session *s, struct span id, struct arena *a)
{
    if (id.n == 0) {
        return;
    }
    if (s->orgs.n == SESSION_MAX_ORGS) {
        s->has_too_many_orgs = true;
        return;
    }
    if (s->orgs.items == NULL) {
        s->orgs.items = arena_alloc(a, SESSION_MAX_ORGS * sizeof(struct span));
    }
    ((struct span *)s->orgs.items)[s->orgs.n++] = id;
}

void session_add_org_text(struct session *s, struct span text, struct arena *a)
{
    size_t from = 0;
    for (size_t i = 0; i <= text.n; i++) {
        if (i == text.n || text.p[i] == ',' || text.p[i] == ' ' || text.p[i] == '\t') {
            add_org(s, span_of(text.p + from, i - from), a);
            from = i + 1;
        }
    }
}

/* The last member of that name; false when there is none. */
static bool find_member(struct span object, struct span name, struct arena *a, struct span *value,
                        enum jscan_kind *kind)
{
    struct jscan s = jscan_enter(object);
    struct span key;
    struct span v;
    enum jscan_kind k;
    bool is_found = false;
    while (jscan_member(&s, &key, &v, &k)) {
        if (span_eq(jscan_string(key, a), name)) {
            *value = v;
            *kind = k;
            is_found = true;
        }
    }
    return is_found;
}

static bool find_path(struct span object, const char *path, struct arena *a, struct span *value,
                      enum jscan_kind *kind)
{
    struct span rest = span_str(path);
    struct span name;
    *value = object;
    *kind = JSCAN_OBJECT;
    while (span_split(&rest, '.', &name)) {
        if (*kind != JSCAN_OBJECT || !find_member(*value, name, a, value, kind)) {
            return false;
        }
    }
    return true;
}

bool session_field(const struct session *s, const char *path, struct arena *a, struct span *value)
{
    enum jscan_kind kind;
    return s->fields.p != NULL && find_path(s->fields, path, a, value, &kind);
}

/* A string, or an integer as it is written; else empty. */
static struct span id_text(struct span value, enum jscan_kind kind, struct arena *a)
{
    int64_t ignored;
    if (kind == JSCAN_STRING) {
        return jscan_string(jscan_unquote(value), a);
    }
    return kind == JSCAN_NUMBER && span_to_i64(value, &ignored) == 0 ? value : SPAN("");
}

static void read_orgs(struct span value, enum jscan_kind kind, struct arena *a, struct session *out)
{
    if (kind != JSCAN_ARRAY) {
        session_add_org_text(out, id_text(value, kind, a), a);
        return;
    }
    struct jscan s = jscan_enter(value);
    struct span item;
    while (jscan_element(&s, &item, &kind)) {
        if (kind == JSCAN_OBJECT && !find_member(item, SPAN("id"), a, &item, &kind)) {
            continue;
        }
        add_org(out, id_text(item, kind, a), a);
    }
}

bool session_from_json(struct span json, const char *user_path, const char *org_path,
                       struct arena *a, struct session *out)
{
    struct jscan s = jscan_of(json);
    struct span object;
    struct span value;
    enum jscan_kind kind;
    if (jscan_value(&s, &object, &kind) != 0 || kind != JSCAN_OBJECT || !jscan_at_end(&s)) {
        out->detail = "the session is no JSON object";
        return false;
    }
    out->fields = object;
    if (find_path(object, user_path, a, &value, &kind)) {
        out->user = id_text(value, kind, a);
    }
    if (out->user.n == 0) {
        out->detail = "the session has no user id where the configuration says";
        return false;
    }
    if (*org_path != '\0' && find_path(object, org_path, a, &value, &kind)) {
        read_orgs(value, kind, a, out);
    }
    return true;
}

static enum session_result refuse(struct session *out, const char *reason, const char *detail)
{
    out->reason = reason;
    out->detail = detail != NULL ? detail : out->detail;
    return SESSION_NONE;
}

static enum session_result from_variables(struct api_ctx *c, const struct request *r,
                                          struct session *out)
{
    const struct conf *k = c->api->conf;
    out->user = request_variable(r, k->pushd.token.session.variable);
    if (out->user.n == 0) {
        return refuse(out, "session.no_variable",
                      "the web server names no user (pushd.token.session.variable)");
    }
    session_add_org_text(out, request_variable(r, k->pushd.token.session.org_variable), &c->arena);
    return SESSION_OK;
}

static enum session_result from_jwt(struct api_ctx *c, struct span cookie, struct session *out)
{
    const struct conf *k = c->api->conf;
    struct span key = span_str(k->pushd.token.session.jwt_hmac_secret_key);
    struct span payload;
    if (key.n == 0) {
        return refuse(out, "session.no_key",
                      "pushd.token.session.jwt_hmac_secret_key is not configured");
    }
    struct perr_result rc = token_read_foreign(key, cookie, clk_wall_s(), &c->arena, &payload);
    if (rc.code != PERR_OK) {
        return refuse(out, rc.reason, rc.detail);
    }
    if (!session_from_json(payload, k->pushd.token.session.user_claim,
                           k->pushd.token.session.org_claim, &c->arena, out)) {
        return refuse(out, "session.claims", NULL);
    }
    return SESSION_OK;
}

struct lookup {
    struct api_ctx *c;
    struct span value;
    bool is_error;
};

static void on_reply(const struct redisReply *reply, size_t index, void *arg)
{
    struct lookup *l = arg;
    (void)index;
    struct span error = rsync_reply_error(reply);
    struct span text = rsync_reply_text(reply);
    if (error.p != NULL) {
        api__log_redis(l->c, arena_strdup(&l->c->arena, error));
        l->is_error = true;
    } else if (text.p != NULL) {
        l->value = arena_dup(&l->c->arena, text);
    }
}

/* The key with the cookie in place of {cookie}. */
static void add_key(struct buf *b, const char *key, struct span cookie)
{
    struct buf name = {0};
    struct span rest = span_str(key);
    while (rest.n != 0) {
        if (span_starts(rest, SPAN("{cookie}"))) {
            buf_add_span(&name, cookie);
            rest = span_from(rest, 8);
        } else {
            buf_add_char(&name, rest.p[0]);
            rest = span_from(rest, 1);
        }
    }
    rcmd_arg(b, buf_span(&name));
    buf_free(&name);
}

static enum session_result from_redis(struct api_ctx *c, struct span cookie, struct session *out)
{
    const struct conf *k = c->api->conf;
    if (!session_cookie_is_safe(cookie)) {
        return refuse(out, "session.cookie_characters",
                      "the cookie has characters that no session id has");
    }
    buf_clear(&c->command);
    rcmd_begin(&c->command, 2);
    rcmd_arg_str(&c->command, "GET");
    add_key(&c->command, k->pushd.token.session.redis_key, cookie);
    struct lookup l = {.c = c};
    /* The application knows nothing of shards: its sessions are in the first Redis. */
    if (rsync_run(c->redis->conns[0], buf_span(&c->command), 1, on_reply, &l, NULL) != 0 ||
        l.is_error) {
        return SESSION_UNAVAILABLE;
    }
    if (l.value.p == NULL) {
        return refuse(out, "session.unknown", "no session of that cookie is in Redis");
    }
    if (!session_from_json(l.value, k->pushd.token.session.user_field,
                           k->pushd.token.session.org_field, &c->arena, out)) {
        return refuse(out, "session.content", NULL);
    }
    return SESSION_OK;
}

enum session_result session_read(struct api_ctx *c, const struct request *r, struct session *out)
{
    const struct conf *k = c->api->conf;
    *out = (struct session){0};
    if (k->pushd.token.session.source == SESSION_VARIABLE) {
        return from_variables(c, r, out);
    }
    struct span cookie = cookie_get(r->cookie, span_str(k->pushd.token.session.cookie));
    if (cookie.n == 0) {
        return refuse(out, "session.no_cookie", "the request has no session cookie");
    }
    return k->pushd.token.session.source == SESSION_JWT_COOKIE ? from_jwt(c, cookie, out)
                                                               : from_redis(c, cookie, out);
}
