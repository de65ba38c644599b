/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to its answer: order of checks and envelope as in the reference (server-api,
 * section 2). */
#include "fcgi/api.h"

#include "common/base/clk.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/format/jscan.h"
#include "common/format/jwrite.h"
#include "common/protocol/control.h"
#include "fcgi/auth.h"
#include "fcgi/query.h"
#include "fcgi/router.h"

#include <stdio.h>

#define REQUEST_MAX_BYTES 256

_Static_assert(sizeof(struct api_subscribe) <= REQUEST_MAX_BYTES &&
                   sizeof(struct api_broadcast) <= REQUEST_MAX_BYTES,
               "the largest requests must fit");

static const struct field no_fields[1];
static const struct schema nothing_schema = {"Nothing", 0, no_fields, 0};

#define CHANNEL_OF(type) API_REACH_CHANNEL, offsetof(struct type, channel)

#define PUBLISH 0 /* its row */

const struct api_method api_methods[] = {
    [PUBLISH] = {"publish", 0, false, true, API_SCOPE_PUBLISH, CHANNEL_OF(api_publish),
                 &api_publish_schema, api__publish},
    {"broadcast", 1, false, true, API_SCOPE_PUBLISH, API_REACH_CHANNELS, 0, &api_broadcast_schema,
     api__broadcast},
    {"subscribe", 11, false, true, API_SCOPE_ADMIN, CHANNEL_OF(api_subscribe),
     &api_subscribe_schema, api__subscribe},
    {"unsubscribe", 2, false, true, API_SCOPE_ADMIN, CHANNEL_OF(api_unsubscribe),
     &api_unsubscribe_schema, api__unsubscribe},
    {"disconnect", 3, false, true, API_SCOPE_ADMIN, API_REACH_USER, 0, &api_disconnect_schema,
     api__disconnect},
    {"history", 6, true, true, API_SCOPE_READ, CHANNEL_OF(api_history), &api_history_schema,
     api__history},
    {"history_remove", 7, false, true, API_SCOPE_ADMIN, CHANNEL_OF(api_channel),
     &api_channel_schema, api__history_remove},
    {"presence", 4, true, true, API_SCOPE_READ, CHANNEL_OF(api_channel), &api_channel_schema,
     api__presence},
    {"presence_stats", 5, true, true, API_SCOPE_READ, CHANNEL_OF(api_channel), &api_channel_schema,
     api__presence_stats},
    {"info", 9, true, true, API_SCOPE_READ, API_REACH_NONE, 0, &nothing_schema, api__info},
    {"rpc", 10, false, true, API_SCOPE_ADMIN, API_REACH_NONE, 0, &api_rpc_schema, api__rpc},
    {"refresh", 12, false, true, API_SCOPE_ADMIN, API_REACH_USER, 0, &api_refresh_schema,
     api__refresh},
    {"channels", 8, true, true, API_SCOPE_READ, API_REACH_CHANNELS, 0, &api_channels_schema,
     api__channels},
    {"stats", -1, true, false, API_SCOPE_READ, API_REACH_NONE, 0, &nothing_schema, api__stats},
};
const size_t api_method_count = ARRAY_LEN(api_methods);

const struct api_method *api_method_find(struct span name)
{
    for (size_t i = 0; i < api_method_count; i++) {
        if (span_eq_str(name, api_methods[i].name)) {
            return &api_methods[i];
        }
    }
    return NULL;
}

void api_ctx_init(struct api_ctx *c, const struct api *api)
{
    *c = (struct api_ctx){
        .api = api,
        .refusal_limit = {.period_ms = 1000, .burst = 10},
        .redis_limit = {.period_ms = 1000, .burst = 2},
    };
}

void api_ctx_fini(struct api_ctx *c)
{
    arena_fini(&c->arena);
    buf_free(&c->command);
    buf_free(&c->control);
}

void api_begin(struct api_ctx *c)
{
    arena_reset(&c->arena);
    c->is_unencodable = false;
    c->key = NULL;
    c->address = (struct span){0};
}

struct perr_result api__error(uint32_t code, const char *reason, const char *detail)
{
    return (struct perr_result){.code = code, .reason = reason, .detail = detail};
}

static void explain(const struct perr_result *e, struct buf *out)
{
    if (e->code == PERR_METHOD_NOT_FOUND) { /* the API's word differs from the client protocol's */
        buf_add_str(out, "not found");
    } else {
        perr_explain(e, 512, out);
    }
}

void api__log_error(struct api_ctx *c, const char *method, struct span channel,
                    const struct perr_result *e)
{
    uint32_t suppressed = 0;
    /* What a key may not do has its line already. */
    if (e->code == PERR_PERMISSION_DENIED || !log_is_on(LOG_LEVEL_INFO) ||
        !log_limit_pass(&c->refusal_limit, clk_mono_ms(), &suppressed)) {
        return;
    }
    struct buf text = {0};
    explain(e, &text);
    log_info(LOG_API, "command refused", LOG_STR("method", method), LOG_TEXT("channel", channel),
             LOG_NUM("code", e->code), LOG_STR("reason", e->reason),
             LOG_TEXT("text", buf_span(&text)), LOG_STR("key", auth_key_name(c->key)),
             LOG_TEXT("address", c->address), LOG_NUM("suppressed", suppressed));
    buf_free(&text);
}

void api__write_error(const struct perr_result *e, struct buf *out)
{
    struct buf text = {0};
    explain(e, &text);
    buf_add_str(out, "{\"code\":");
    buf_add_u64(out, e->code);
    buf_add_str(out, ",\"message\":");
    jwrite_string(out, buf_span(&text));
    buf_add_char(out, '}');
    buf_free(&text);
}

static int transport_status(uint32_t code)
{
    switch (code) {
    case PERR_UNKNOWN_CHANNEL:
    case PERR_METHOD_NOT_FOUND:
        return 404;
    case PERR_BAD_REQUEST:
    case PERR_NOT_AVAILABLE:
        return 400;
    case PERR_PERMISSION_DENIED:
        return 403;
    case PERR_UNRECOVERABLE_POSITION:
        return 416;
    default:
        return 500;
    }
}

static void log_refusal(struct api_ctx *c, const struct request *r, const char *reason,
                        struct span detail)
{
    uint32_t suppressed = 0;
    if (log_is_on(LOG_LEVEL_INFO) &&
        log_limit_pass(&c->refusal_limit, clk_mono_ms(), &suppressed)) {
        log_info(LOG_API, "request refused", LOG_STR("reason", reason), LOG_TEXT("path", r->path),
                 LOG_TEXT("detail", detail), LOG_TEXT("address", r->remote_addr),
                 LOG_NUM("suppressed", suppressed));
    }
}

/* What else is to be said about a body that is no JSON. */
static const char *body_hint(const struct request *r)
{
    struct span type = request_variable(r, "CONTENT_TYPE");
    if (span_eq_str(r->method, "GET")) {
        return "";
    }
    if (r->body.n == 0) {
        return "; the body is empty";
    }
    bool is_form = span_starts(type, SPAN("application/x-www-form-urlencoded")) ||
                   span_starts(type, SPAN("multipart/form-data"));
    return is_form && r->body.p[0] != '{' ? "; the body is a form, send a JSON object" : "";
}

void api__malformed(struct api_ctx *c, const struct request *r, const struct schema_error *e,
                    struct response *out)
{
    char detail[160];
    int n =
        snprintf(detail, sizeof(detail), "%s%s%.*s%s", e->what != NULL ? e->what : "malformed JSON",
                 e->field.n != 0 ? ": " : "", SPAN_FMT(e->field), body_hint(r));
    log_refusal(c, r, "body.malformed", span_of(detail, n > 0 ? strlen(detail) : 0));
    response_text(out, 400, "Bad Request\n");
    out->reason = "body.malformed";
}

/* Reads the request out of the body or the query. */
static int decode(struct api_ctx *c, const struct api_method *m, const struct request *r,
                  void *request, struct schema_error *e)
{
    if (span_eq_str(r->method, "GET")) {
        return query_decode(m->request, r->query, &c->arena, request, e);
    }
    size_t consumed = 0;
    int rc = schema_json_decode(m->request, r->body, &c->arena, request, &consumed, e);
    struct jscan rest = jscan_of(span_from(r->body, consumed));
    if (rc == 0 && !jscan_at_end(&rest)) {
        *e = (struct schema_error){.what = "text behind the JSON object"};
        rc = ERR_SYNTAX;
    }
    return rc;
}

static void fail(struct response *out, const char *reason)
{
    response_text(out, 500, "Internal Server Error\n");
    out->reason = reason;
}

/* An answer that grew over its limit has lost what came behind. */
static void check_length(const struct request *r, struct response *out)
{
    if (UNLIKELY(out->body.failed)) {
        log_error(LOG_API, "an answer would be too long: ask for less at a time",
                  LOG_TEXT("path", r->path), LOG_NUM("limit", out->body.max));
        fail(out, "result.too_large");
    }
}

struct span api__channel_of(const struct api_method *m, const void *request)
{
    return m->reach == API_REACH_CHANNEL
               ? *(const struct span *)(const void *)((const char *)request + m->channel)
               : (struct span){0};
}

/* Closes the envelope that begin_answer opened, or replaces it by the error. */
static void end_answer(struct api_ctx *c, const struct api_method *m, const void *asked,
                       const struct request *r, const struct perr_result *result,
                       struct response *out)
{
    if (c->is_unencodable) {
        fail(out, "result.not_json");
        return;
    }
    if (LIKELY(result->code == PERR_OK)) {
        buf_add_char(&out->body, '}');
        return;
    }
    api__log_error(c, m->name, api__channel_of(m, asked), result);
    buf_clear(&out->body);
    out->reason = result->reason;
    if (c->api->conf->http_api.is_error_mode_transport || span_eq_str(r->error_mode, "transport")) {
        out->status = transport_status(result->code);
        api__write_error(result, &out->body);
        return;
    }
    if (result->code == PERR_PERMISSION_DENIED) { /* the reference's keys may do everything */
        out->status = 403;
    }
    buf_add_str(&out->body, "{\"error\":");
    api__write_error(result, &out->body);
    buf_add_char(&out->body, '}');
}

static void begin_answer(struct response *out)
{
    response_json(out, 200);
    buf_add_str(&out->body, "{\"result\":");
}

static void handle_method(struct api_ctx *c, const struct api_method *m, const struct request *r,
                          struct response *out)
{
    _Alignas(max_align_t) char request[REQUEST_MAX_BYTES];
    struct schema_error e = {0};
    if (decode(c, m, r, request, &e) != 0) {
        api__malformed(c, r, &e, out);
        return;
    }
    begin_answer(out);
    struct perr_result result = api__run(c, m, request, &out->body);
    end_answer(c, m, request, r, &result, out);
}

enum api_step api_publish_begin(struct api_ctx *c, const struct request *r,
                                const struct route *route, struct response *out)
{
    struct schema_error e = {0};
    if (route->kind != ROUTE_METHOD || route->method->run != api__publish) {
        return API_OTHER;
    }
    if (decode(c, route->method, r, &c->publish, &e) != 0) {
        api__malformed(c, r, &e, out);
        return API_ANSWERED;
    }
    begin_answer(out);
    struct perr_result result = api__permit(c, route->method, &c->publish);
    if (result.code == 0) {
        result = api__publish_prepare(c, &c->publish, false, &c->publication);
    }
    if (result.code != 0) {
        end_answer(c, route->method, &c->publish, r, &result, out);
        return API_ANSWERED;
    }
    return API_PREPARED;
}

void api_publish_end(struct api_ctx *c, const struct request *r, struct response *out)
{
    if (c->publication.error.code == 0) {
        api__publish_write(&c->publication, &out->body);
    }
    end_answer(c, &api_methods[PUBLISH], &c->publish, r, &c->publication.error, out);
    check_length(r, out);
}

typedef int (*many_fn)(struct api_ctx *c, struct span body, struct buf *out,
                       struct schema_error *e);

static void handle_many(struct api_ctx *c, many_fn run, const struct request *r,
                        struct response *out)
{
    struct schema_error e = {0};
    response_json(out, 200);
    if (run(c, r->body, &out->body, &e) != 0) {
        api__malformed(c, r, &e, out);
    } else if (c->is_unencodable) {
        fail(out, "result.not_json");
    }
}

static void handle_ping(const struct request *r, struct response *out)
{
    response_json(out, 200);
    buf_add_str(&out->body, "{\"result\":{}}");
    if (span_eq_str(r->method, "HEAD")) {
        buf_clear(&out->body);
    }
}

/* Whether the method of the request fits the route; else it is answered. */
static bool check_method(struct api_ctx *c, const struct route *route, const struct request *r,
                         struct response *out)
{
    bool is_token = route->kind == ROUTE_TOKEN || route->kind == ROUTE_SUBSCRIPTION_TOKEN;
    bool allows_get =
        route->kind == ROUTE_PING || is_token || (route->method != NULL && route->method->is_read);
    if (span_eq_str(r->method, "POST") || (allows_get && span_eq_str(r->method, "GET")) ||
        (route->kind == ROUTE_PING && span_eq_str(r->method, "HEAD"))) {
        return true;
    }
    response_empty(out, 405);
    out->allow = allows_get ? "GET, POST" : "POST";
    out->reason = "http.method";
    log_refusal(c, r, out->reason, span_str(allows_get ? "send GET or POST" : "send POST"));
    return false;
}

static void refuse_path(struct api_ctx *c, const struct request *r, struct response *out)
{
    bool is_below = span_starts(r->path, span_str(c->api->conf->http_api.handler_prefix));
    response_text(out, 404, "404 page not found\n");
    out->reason = "path.unknown";
    log_refusal(c, r, out->reason,
                is_below ? SPAN("no method of the server API has this name")
                         : SPAN("neither below http_api.handler_prefix nor a token endpoint"));
}

static void log_missing(struct api_ctx *c)
{
    uint32_t suppressed = 0;
    if (log_limit_pass(&c->refusal_limit, clk_mono_ms(), &suppressed)) {
        log_error(
            LOG_API,
            "the web server sends no REQUEST_METHOD or REQUEST_URI: \"include fastcgi_params\" (or "
            "pushd-fastcgi.conf) is missing in the location that passes requests to us",
            LOG_NUM("suppressed", suppressed));
    }
}

bool api_admit(struct api_ctx *c, const struct request *r, struct route *route,
               struct response *out)
{
    *route = (struct route){0};
    if (r->method.n == 0 || r->path.p == NULL) {
        log_missing(c);
        response_text(out, 500, "Internal Server Error\n");
        out->reason = "fastcgi.no_variables";
        return false;
    }
    *route = route_find(c->api->conf, r->path);
    if (route->kind == ROUTE_NONE) {
        refuse_path(c, r, out);
        return false;
    }
    if (!check_method(c, route, r, out)) {
        return false;
    }
    if (route->kind == ROUTE_PING || route->kind == ROUTE_TOKEN ||
        route->kind == ROUTE_SUBSCRIPTION_TOKEN) {
        return true;
    }
    c->address = r->remote_addr;
    enum auth_result auth = auth_check(c->api->conf, r, &c->arena, &c->key);
    if (LIKELY(auth == AUTH_OK)) {
        return true;
    }
    log_refusal(c, r, auth_reason(auth), span_str(auth_advice(auth)));
    response_empty(out, 401);
    out->reason = auth_reason(auth);
    return false;
}

void api_execute(struct api_ctx *c, const struct request *r, const struct route *route,
                 struct response *out)
{
    switch (route->kind) {
    case ROUTE_METHOD:
        handle_method(c, route->method, r, out);
        break;
    case ROUTE_BATCH:
        handle_many(c, api__batch, r, out);
        break;
    case ROUTE_LEGACY:
        handle_many(c, api__legacy, r, out);
        break;
    case ROUTE_PING:
        handle_ping(r, out);
        break;
    case ROUTE_TOKEN:
        api__token(c, r, out);
        break;
    case ROUTE_SUBSCRIPTION_TOKEN:
        api__subscription_token(c, r, out);
        break;
    case ROUTE_NONE:
        response_text(out, 404, "404 page not found\n");
        break;
    }
    check_length(r, out);
}
