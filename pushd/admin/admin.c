/* SPDX-License-Identifier: Apache-2.0 */
/* The operators' port: handlers of its routes. */
#include "pushd/admin/admin.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/format/jwrite.h"
#include "pushd/admin/auth.h"
#include "pushd/admin/form.h"
#include "pushd/admin/http.h"
#include "pushd/admin/page.h"
#include "pushd/admin/routes.h"
#include "pushd/admin/status.h"

#include <stdlib.h>

#define JSON       "application/json"
#define PLAIN      "text/plain; charset=utf-8"
#define HTML       "text/html; charset=utf-8"
#define PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"

struct admin {
    struct admin_opts opts;
    struct admin_routes routes;
    struct admin_auth auth;
    struct admin_http *http;
    struct buf page_security;
    struct buf location; /* of the last redirect */
};

typedef void (*route_fn)(struct admin *a, const struct admin_request *rq,
                         struct admin_response *rs);

/* ---- refusals ---- */

static void answer_text(struct admin_response *rs, unsigned status, const char *text)
{
    rs->status = status;
    rs->content_type = PLAIN;
    buf_add_str(&rs->body, text);
}

/* {"error":{"code":101,"message":"unauthorized: what to do"}} as the server API writes errors. */
static void answer_error(struct admin_response *rs, unsigned status, enum perr code,
                         const char *what_to_do)
{
    rs->status = status;
    rs->content_type = JSON;
    buf_addf(&rs->body, "{\"error\":{\"code\":%u,\"message\":", (unsigned)code);
    struct buf message = {0};
    buf_addf(&message, "%s: %s", perr_row(code)->text, what_to_do);
    jwrite_string(&rs->body, buf_span(&message));
    buf_free(&message);
    buf_add_str(&rs->body, "}}\n");
}

static void refuse(struct admin *a, const struct admin_request *rq, enum admin_access access,
                   struct admin_response *rs)
{
    switch (access) {
    case ADMIN_ACCESS_GRANTED:
        break;
    case ADMIN_ACCESS_NO_PASSWORD:
        answer_error(
            rs, 403, PERR_PERMISSION_DENIED,
            "no admin password is configured; set admin.password in the configuration file or "
            "CENTRIFUGO_ADMIN_PASSWORD in the environment, and restart pushd");
        break;
    case ADMIN_ACCESS_MISSING:
    case ADMIN_ACCESS_WRONG:
        rs->challenge = admin_auth_is_token(rq->authorization)
                            ? "token realm=\"pushd\""
                            : "Basic realm=\"pushd admin\", charset=\"UTF-8\"";
        answer_error(
            rs, 401, PERR_UNAUTHORIZED,
            access == ADMIN_ACCESS_MISSING
                ? "this needs the admin password (admin.password): curl -u admin:PASSWORD URL"
                : "wrong admin password or expired token: curl -u admin:PASSWORD URL, where "
                  "PASSWORD is "
                  "admin.password of the configuration or CENTRIFUGO_ADMIN_PASSWORD");
        break;
    case ADMIN_ACCESS_THROTTLED:
        rs->retry_after_s = admin_auth_retry_s(&a->auth);
        answer_error(rs, 429, PERR_TOO_MANY_REQUESTS,
                     "too many wrong admin passwords; wait as long as Retry-After says");
        break;
    }
}

/* ---- handlers ---- */

static void handle_ping(struct admin *a, const struct admin_request *rq, struct admin_response *rs)
{
    (void)a;
    (void)rq;
    buf_add_str(&rs->body, "{\"result\":{}}");
}

static void handle_health(struct admin *a, const struct admin_request *rq,
                          struct admin_response *rs)
{
    (void)a;
    (void)rq;
    buf_add_str(&rs->body, "{}");
}

static void handle_ready(struct admin *a, const struct admin_request *rq, struct admin_response *rs)
{
    (void)rq;
    rs->status = admin_status_ready(&a->opts, &rs->body) ? 200 : 503;
}

static void handle_metrics(struct admin *a, const struct admin_request *rq,
                           struct admin_response *rs)
{
    (void)rq;
    if (!a->opts.conf->prometheus.enabled) {
        answer_text(rs, 404,
                    "404 page not found: metrics are served with prometheus.enabled set to true\n");
        return;
    }
    rs->content_type = PROMETHEUS;
    admin_status_metrics(&a->opts, &rs->body);
}

/* Whether an Accept header names text/html, as browsers do and curl does not. */
static bool wants_html(struct span accept)
{
    struct span range;
    while (span_split(&accept, ',', &range)) {
        if (span_eq_nocase(span_trim(span_of(range.p, span_find(range, ';', 0))),
                           SPAN("text/html"))) {
            return true;
        }
    }
    return false;
}

static void handle_status(struct admin *a, const struct admin_request *rq,
                          struct admin_response *rs)
{
    rs->vary = "Accept";
    if (wants_html(rq->accept)) {
        rs->content_type = HTML;
        rs->page = admin_page();
        rs->security = buf_cstr(&a->page_security);
        return;
    }
    enum admin_access access = admin_auth_check(&a->auth, rq->authorization);
    if (access != ADMIN_ACCESS_GRANTED) {
        refuse(a, rq, access, rs);
        return;
    }
    admin_status_json(&a->opts, &rs->body);
}

static void handle_init(struct admin *a, const struct admin_request *rq, struct admin_response *rs)
{
    bool is_in = admin_auth_check(&a->auth, rq->authorization) == ADMIN_ACCESS_GRANTED;
    buf_addf(&rs->body, "{\"authenticated\":%s,\"edition\":\"oss\",\"insecure\":%s}\n",
             is_in ? "true" : "false", a->auth.is_insecure ? "true" : "false");
}

static void handle_auth(struct admin *a, const struct admin_request *rq, struct admin_response *rs)
{
    struct buf password = {0};
    int found = admin_form_field(rq->content_type, rq->body, "password", &password);
    enum admin_access access = ADMIN_ACCESS_MISSING;
    if (found == 0 || a->auth.is_insecure) {
        access = admin_auth_login(&a->auth, buf_span(&password));
    }
    mem_wipe(password.p, password.n);
    buf_free(&password);
    if (access == ADMIN_ACCESS_THROTTLED) {
        refuse(a, rq, access, rs);
    } else if (access != ADMIN_ACCESS_GRANTED) {
        answer_text(rs, 400, "Bad Request\n");
    } else {
        buf_add_str(&rs->body, "{\"token\":\"");
        admin_auth_token(&a->auth, &rs->body);
        buf_add_str(&rs->body, "\"}\n");
    }
}

static void handle_api(struct admin *a, const struct admin_request *rq, struct admin_response *rs)
{
    if (admin_auth_check(&a->auth, rq->authorization) != ADMIN_ACCESS_GRANTED) {
        rs->status = 401;
        rs->content_type = NULL;
        rs->challenge = "token realm=\"pushd\"";
        return;
    }
    answer_error(rs, 404, PERR_METHOD_NOT_FOUND,
                 "pushd serves status only: send commands to push-api with the API key, POST "
                 "/api/METHOD, or use pushctl");
}

/* Relative, so that it also fits behind a web server that strips or adds a prefix. */
static void handle_root(struct admin *a, const struct admin_request *rq, struct admin_response *rs)
{
    (void)a;
    (void)rq;
    rs->location = "admin";
    answer_text(rs, 302, "The admin page is at admin.\n");
}

static void handle_base(struct admin *a, const struct admin_request *rq, struct admin_response *rs)
{
    (void)rq;
    const char *slash = strrchr(a->routes.paths[ADMIN_ROUTE_BASE], '/');
    buf_clear(&a->location);
    buf_addf(&a->location, "%s/admin", slash + 1);
    rs->location = buf_cstr(&a->location);
    answer_text(rs, 302, "The admin page is at admin.\n");
}

static void handle_slash(struct admin *a, const struct admin_request *rq, struct admin_response *rs)
{
    (void)a;
    (void)rq;
    rs->location = "../admin";
    answer_text(rs, 302, "The admin page is at ../admin.\n");
}

static const route_fn handlers[ADMIN_ROUTE_COUNT] = {
    [ADMIN_ROUTE_PING] = handle_ping,     [ADMIN_ROUTE_HEALTH] = handle_health,
    [ADMIN_ROUTE_READY] = handle_ready,   [ADMIN_ROUTE_METRICS] = handle_metrics,
    [ADMIN_ROUTE_STATUS] = handle_status, [ADMIN_ROUTE_INIT] = handle_init,
    [ADMIN_ROUTE_AUTH] = handle_auth,     [ADMIN_ROUTE_API] = handle_api,
    [ADMIN_ROUTE_ROOT] = handle_root,     [ADMIN_ROUTE_BASE] = handle_base,
    [ADMIN_ROUTE_SLASH] = handle_slash,
};

/* Centrifugo has one port for everything, so requests for the other parts of us come here. */
static const char *not_here(const struct conf *c, struct span path)
{
    struct span api = span_str(c->http_api.handler_prefix);
    if (api.n != 0 && span_starts(path, api)) {
        return "404 page not found: the server API is push-api's, by FastCGI, see "
               "pushd.api_listen\n";
    }
    if (span_starts(path, SPAN("/connection/"))) {
        return "404 page not found: clients connect at pushd.websocket_listen\n";
    }
    return "404 page not found\n";
}

static void handle(const struct admin_request *rq, struct admin_response *rs, void *arg)
{
    struct admin *a = arg;
    enum admin_route route = admin_routes_find(&a->routes, rq, &rs->allow);
    if (route == ADMIN_ROUTE_NO_PATH) {
        answer_text(rs, 404, not_here(a->opts.conf, rq->path));
    } else if (route == ADMIN_ROUTE_NO_METHOD) {
        answer_text(rs, 405, "Method Not Allowed\n");
    } else {
        rs->allow = NULL;
        rs->content_type = JSON;
        handlers[route](a, rq, rs);
    }
}

static void log_start(const struct admin *a)
{
    const struct admin_opts *opts = &a->opts;
    const char *access = a->auth.is_insecure         ? "open to everybody"
                         : *a->auth.password == '\0' ? "no password, so closed"
                                                     : "by password";
    log_info(LOG_ADMIN, "serving operators", LOG_STR("ready", a->routes.paths[ADMIN_ROUTE_READY]),
             LOG_STR("health", a->routes.paths[ADMIN_ROUTE_HEALTH]),
             LOG_STR("metrics", opts->conf->prometheus.enabled
                                    ? a->routes.paths[ADMIN_ROUTE_METRICS]
                                    : "off (prometheus.enabled)"),
             LOG_STR("admin", a->routes.paths[ADMIN_ROUTE_STATUS]), LOG_STR("access", access));
    if (a->auth.is_insecure) {
        log_warn(LOG_ADMIN, "admin.insecure is set: the admin data need no password");
    }
}

struct admin *admin_new(const struct admin_opts *opts, struct err *e)
{
    struct admin *a = mem_zalloc(sizeof(*a));
    a->opts = *opts;
    admin_routes_init(&a->routes, opts->conf);
    admin_auth_init(&a->auth, opts->conf);
    admin_page_security(&a->page_security);
    struct admin_http_opts http = {
        .loop = opts->loop,
        .listen_fd = opts->listen_fd,
        .request_timeout_ms =
            opts->request_timeout_ms > 0 ? opts->request_timeout_ms : ADMIN_REQUEST_TIMEOUT_MS,
        .handle = handle,
        .arg = a,
    };
    a->http = admin_http_new(&http, e);
    if (a->http == NULL) {
        admin_free(a);
        return NULL;
    }
    log_start(a);
    return a;
}

void admin_free(struct admin *a)
{
    if (a == NULL) {
        return;
    }
    admin_http_free(a->http);
    admin_routes_fini(&a->routes);
    admin_auth_fini(&a->auth);
    buf_free(&a->page_security);
    buf_free(&a->location);
    free(a);
}
