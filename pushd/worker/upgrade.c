/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP request that opens a WebSocket. */
#include "pushd/worker/upgrade.h"

#include <openssl/sha.h>

#include "common/base/arena.h"
#include "common/format/b64.h"
#include "common/format/deflate.h"
#include "common/policy/channel.h"

struct request {
    struct span method;
    struct span path;
    struct span query;
    struct span version;
    bool says_upgrade; /* in Connection; it and the next two may stand in several lines */
    bool says_websocket;
    bool says_version;
    struct span ws_protocol;
    struct span cors_headers; /* Access-Control-Request-Headers */
    bool is_malformed;
};

/* Whether a comma-separated header value has the token, without case. */
static bool has_token(struct span value, const char *token)
{
    struct span part;
    while (span_split(&value, ',', &part)) {
        if (span_eq_nocase(span_trim(part), span_str(token))) {
            return true;
        }
    }
    return false;
}

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!is_token_char(s.p[i])) {
            return false;
        }
    }
    return s.n != 0;
}

static void read_request_line(struct request *r, struct span line)
{
    size_t first = span_find(line, ' ', 0);
    size_t second = span_find(line, ' ', first + 1);
    r->method = span_of(line.p, first);
    if (second >= line.n || !is_token(r->method)) {
        r->is_malformed = true;
        return;
    }
    struct span target = span_of(line.p + first + 1, second - first - 1);
    r->version = span_from(line, second + 1);
    size_t mark = span_find(target, '?', 0);
    r->path = span_of(target.p, mark);
    r->query = span_from(target, mark + 1);
}

static void read_header(const struct conf *c, struct request *r, struct upgrade *out,
                        struct span name, struct span value)
{
    const struct {
        const char *name;
        const char *token;
        bool *to;
    } lists[] = {
        {"connection", "upgrade", &r->says_upgrade},
        {"upgrade", "websocket", &r->says_websocket},
        {"sec-websocket-version", "13", &r->says_version},
    };
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        *lists[i].to |=
            span_eq_nocase(name, span_str(lists[i].name)) && has_token(value, lists[i].token);
    }
    const struct {
        const char *name;
        struct span *to;
    } wanted[] = {
        {"sec-websocket-protocol", &r->ws_protocol},
        {"access-control-request-headers", &r->cors_headers},
        {"sec-websocket-key", &out->key},
        {"origin", &out->origin},
        {"x-forwarded-for", &out->forwarded_for},
        {"user-agent", &out->user_agent},
        {c->client.user_id_http_header, &out->user},
    };
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (name.n != 0 && span_eq_nocase(name, span_str(wanted[i].name))) {
            *wanted[i].to = value;
        }
    }
    if (c->websocket.compression && span_eq_nocase(name, SPAN("sec-websocket-extensions"))) {
        out->has_deflate |= deflate_is_offered(value); /* the header may stand several times */
    }
}

/* Splits the head into request line and headers. */
static void read_head(const struct conf *c, struct span head, struct request *r,
                      struct upgrade *out)
{
    struct span line;
    bool first = true;
    while (span_split(&head, '\n', &line)) {
        if (line.n != 0 && line.p[line.n - 1] == '\r') {
            line.n--;
        }
        if (first) {
            read_request_line(r, line);
            first = false;
            continue;
        }
        if (line.n == 0) {
            continue;
        }
        size_t colon = span_find(line, ':', 0);
        struct span name = span_of(line.p, colon);
        if (colon == line.n || !is_token(name) || memchr(line.p, '\0', line.n) != NULL ||
            memchr(line.p, '\r', line.n) != NULL) {
            r->is_malformed = true;
            continue;
        }
        read_header(c, r, out, name, span_trim(span_from(line, colon + 1)));
    }
}

/* Length of the head with its empty line, or 0 when it is incomplete. */
static size_t head_length(struct span in)
{
    for (size_t at = span_find(in, '\n', 0); at < in.n; at = span_find(in, '\n', at + 1)) {
        size_t next = at + 1;
        if (next < in.n && in.p[next] == '\r') {
            next++;
        }
        if (next < in.n && in.p[next] == '\n') {
            return next + 1;
        }
    }
    return 0;
}

static bool key_is_valid(struct span key)
{
    struct arena a = {0};
    struct span bytes;
    bool valid = key.n == 24 && b64_decode(key, &a, &bytes) == 0 && bytes.n == 16;
    arena_fini(&a);
    return valid;
}

static void choose_encoding(const struct request *r, struct upgrade *out)
{
    struct span list = r->ws_protocol;
    struct span part;
    while (list.n != 0 && span_split(&list, ',', &part)) {
        part = span_trim(part);
        if (span_eq_str(part, "centrifuge-json") || span_eq_str(part, "centrifuge-protobuf")) {
            out->subprotocol = part;
            if (part.n != strlen("centrifuge-json")) {
                out->encoding = ENC_PROTOBUF; /* else what the query said */
            }
            return;
        }
    }
}

static void read_query(struct span query, struct upgrade *out)
{
    struct span part;
    while (span_split(&query, '&', &part)) {
        if (span_eq_str(part, "format=protobuf") || span_eq_str(part, "cf_protocol=protobuf")) {
            out->encoding = ENC_PROTOBUF;
        } else if (span_eq_str(part, "cf_ws_frame_ping_pong=true")) {
            out->has_ping_frames = true;
        }
    }
}

static void refuse(struct upgrade *out, uint16_t status, const char *detail)
{
    out->status = status;
    out->detail = detail;
}

static bool is_init(const struct conf *c, const struct request *r)
{
    return c->init.enabled && span_eq_str(r->path, c->init.handler_prefix);
}

/* Every part of the system has a port of its own, so a path that came here by mistake is most
 * likely one of another part. */
static const char *misplaced(const struct conf *c, struct span path)
{
    static const struct {
        const char *beginning;
        const char *detail;
    } rows[] = {
        {"/api", "the server API and tokens are served by push-api, see pushd.api_listen"},
        {"/admin", "this is the port of clients; the page is at pushd.admin_listen"},
        {"/metrics", "this is the port of clients; metrics are at pushd.admin_listen"},
        {"/health", "this is the port of clients; the page is at pushd.admin_listen"},
        {"/ready", "this is the port of clients; the page is at pushd.admin_listen"},
        {"/connection/sse", "there is no SSE transport yet, only WebSocket"},
        {"/connection/http_stream", "there is no HTTP streaming yet, only WebSocket"},
        {"/connection/uni_", "there are no unidirectional transports yet, only WebSocket"},
        {"/connection/sockjs", "SockJS is not supported, only WebSocket"},
        {"/emulation", "there are no emulated transports yet, only WebSocket"},
    };
    if (c->websocket.disabled) {
        return "websocket.disabled is set";
    }
    if (!c->init.enabled && span_eq_str(path, c->init.handler_prefix)) {
        return "init.enabled is not set";
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (span_starts(path, span_str(rows[i].beginning))) {
            return rows[i].detail;
        }
    }
    return "unknown path; that of the WebSocket endpoint is websocket.handler_prefix";
}

static void judge(const struct conf *c, const struct request *r, struct upgrade *out)
{
    if (r->is_malformed ||
        !(span_eq_str(r->version, "HTTP/1.1") || span_eq_str(r->version, "HTTP/1.0"))) {
        refuse(out, 400, "this is no HTTP/1.1 request");
    } else if (is_init(c, r)) {
        out->status = span_eq_str(r->method, "GET") ? 200 : 405;
        out->may_cors = out->origin.n != 0 && origin_is_allowed(c, out->origin);
        out->cors_headers = r->cors_headers;
    } else if (c->websocket.disabled || !span_eq_str(r->path, c->websocket.handler_prefix)) {
        refuse(out, 404, misplaced(c, r->path));
    } else if (!span_eq_str(r->version, "HTTP/1.1")) {
        refuse(out, 400, "a WebSocket needs HTTP/1.1; in nginx: proxy_http_version 1.1");
    } else if (!r->says_upgrade) {
        refuse(out, 400,
               "header Connection lacks the token upgrade; does the proxy in front pass it on?");
    } else if (!r->says_websocket) {
        refuse(out, 400, "header Upgrade is not websocket; does the proxy in front pass it on?");
    } else if (!span_eq_str(r->method, "GET")) {
        refuse(out, 405, "a WebSocket is opened with GET");
    } else if (!r->says_version) {
        refuse(out, 400, "Sec-WebSocket-Version must be 13");
    } else if (!key_is_valid(out->key)) {
        refuse(out, 400, "Sec-WebSocket-Key must be 16 bytes in base64");
    } else if (!origin_is_allowed(c, out->origin)) {
        refuse(out, 403, "the Origin is not in client.allowed_origins");
    } else {
        out->status = 101;
        read_query(r->query, out);
        choose_encoding(r, out);
    }
}

/* What a web server sends that takes this port for another kind; told at once, since no line end
 * may ever come. NULL: it may be HTTP. */
static const char *other_protocol(struct span in)
{
    if (in.n < 2) {
        return NULL;
    }
    if (in.p[0] == 0x16 && in.p[1] == 0x03) { /* the record of a handshake */
        return "TLS on a port without it: the web server in front speaks http:// to us";
    }
    if (in.p[0] == 0x01 && in.p[1] == 0x01) { /* version and FCGI_BEGIN_REQUEST */
        return "FastCGI on a port of HTTP: push-api's socket is pushd.api_listen";
    }
    return NULL;
}

int upgrade_read(const struct conf *c, struct span in, struct upgrade *out)
{
    *out = (struct upgrade){0};
    const char *other = other_protocol(in);
    if (other != NULL) {
        refuse(out, 400, other);
        return 1;
    }
    out->head_bytes = head_length(in);
    if (out->head_bytes == 0 || out->head_bytes > UPGRADE_MAX_HEAD_BYTES) {
        if (in.n < UPGRADE_MAX_HEAD_BYTES) {
            return 0;
        }
        refuse(out, 431, "the head of the request is longer than 16384 bytes");
        return 1;
    }
    struct request r = {0};
    read_head(c, span_of(in.p, out->head_bytes), &r, out);
    out->path = r.path;
    judge(c, &r, out);
    return 1;
}

static const char *status_text(uint16_t status)
{
    static const struct {
        uint16_t status;
        const char *text;
    } rows[] = {
        {400, "Bad Request"},         {403, "Forbidden"},
        {404, "Not Found"},           {405, "Method Not Allowed"},
        {408, "Request Timeout"},     {431, "Request Header Fields Too Large"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].status == status) {
            return rows[i].text;
        }
    }
    return "Error";
}

void upgrade_refuse(uint16_t status, const char *detail, struct buf *out)
{
    /* The first line is the reference's whole body; the explanation stands in a header, where curl
     * -i and the browser's network tab show it. */
    const char *body = status == 404 ? "404 page not found" : status_text(status);
    buf_addf(out, "HTTP/1.1 %u %s\r\n", status, status_text(status));
    if (status == 405) {
        buf_add_str(out, "Allow: GET\r\n");
    }
    if (detail != NULL) {
        buf_addf(out, "X-Pushd-Reason: %s\r\n", detail);
    }
    buf_addf(out,
             "Content-Type: text/plain; charset=utf-8\r\n"
             "Sec-Websocket-Version: 13\r\n"
             "X-Content-Type-Options: nosniff\r\n"
             "Content-Length: %zu\r\n"
             "Connection: close\r\n\r\n%s\n",
             strlen(body) + 1, body);
}

/* Sec-WebSocket-Accept for a key (RFC 6455 4.2.2). */
static void add_accept(struct span key, struct buf *out)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char text[24 + sizeof(guid) - 1];
    unsigned char digest[SHA_DIGEST_LENGTH];
    memcpy(text, key.p, 24);
    memcpy(text + 24, guid, sizeof(guid) - 1);
    SHA1(text, sizeof(text), digest);
    b64_encode(out, span_of(digest, sizeof(digest)));
}

/* The answer at init.handler_prefix. */
static void add_init(const struct upgrade *u, struct buf *out)
{
    buf_add_str(out, "HTTP/1.1 200 OK\r\n");
    if (u->may_cors) {
        buf_add_str(out, "Access-Control-Allow-Origin: ");
        buf_add_span(out, u->origin);
        buf_add_str(out, "\r\nAccess-Control-Allow-Credentials: true\r\n");
    }
    if (u->may_cors && u->cors_headers.n != 0) {
        buf_add_str(out, "Access-Control-Allow-Headers: ");
        buf_add_span(out, u->cors_headers);
        buf_add_str(out, "\r\n");
    }
    buf_add_str(out, "Content-Type: application/json; charset=utf-8\r\n"
                     "Content-Length: 2\r\n"
                     "Connection: close\r\n\r\n{}");
}

void upgrade_answer(const struct upgrade *u, struct buf *out)
{
    if (u->status == 200) {
        add_init(u, out);
        return;
    }
    if (u->status != 101) {
        upgrade_refuse(u->status, u->detail, out);
        return;
    }
    buf_add_str(out,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: ");
    add_accept(u->key, out);
    if (u->subprotocol.n != 0) {
        buf_add_str(out, "\r\nSec-WebSocket-Protocol: ");
        buf_add_span(out, u->subprotocol);
    }
    if (u->has_deflate) {
        buf_add_str(out, "\r\nSec-WebSocket-Extensions: permessage-deflate; "
                         "server_no_context_takeover; client_no_context_takeover");
    }
    buf_add_str(out, "\r\n\r\n");
}
