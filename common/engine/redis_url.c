/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of Redis. */
#include "common/engine/redis_url.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/policy/conf_value.h"

#define DEFAULT_ADDRESS       "127.0.0.1:6379"
#define DEFAULT_PORT          6379
#define MAX_ADDRESS_BYTES     4096
#define MAX_SOCKET_PATH_BYTES 107 /* of struct sockaddr_un */
#define MAX_TIMEOUT_MS        (INT64_C(1000) * 86400)
#define NS_PER_MS             INT64_C(1000000)

enum scheme_kind {
    SCHEME_TCP,
    SCHEME_UNIX,
    SCHEME_REFUSED
};

static const struct {
    const char *name;
    enum scheme_kind kind;
    const char *advice;
} schemes[] = {
    {"tcp", SCHEME_TCP, NULL},
    {"redis", SCHEME_TCP, NULL},
    {"unix", SCHEME_UNIX, NULL},
    {"rediss", SCHEME_REFUSED,
     "TLS to Redis is not supported: put stunnel in between, or use a Unix socket"},
    {"redis+sentinel", SCHEME_REFUSED,
     "Redis Sentinel is not supported: give the address of the master"},
    {"rediss+sentinel", SCHEME_REFUSED,
     "Redis Sentinel is not supported: give the address of the master"},
    {"redis+cluster", SCHEME_REFUSED,
     "Redis Cluster is not supported: give the address of one Redis outside of a cluster"},
    {"rediss+cluster", SCHEME_REFUSED,
     "Redis Cluster is not supported: give the address of one Redis outside of a cluster"},
};

/* The parts of an address, borrowed from its text; p == NULL: not there. */
struct parts {
    enum scheme_kind kind;
    struct span credentials;
    struct span place; /* host and port, or a path */
    struct span db;
    struct span options;
};

static int parse_scheme(struct span text, struct parts *p, struct span *rest, struct err *e)
{
    size_t at = span_find(text, ':', 0);
    if (!span_starts(span_from(text, at), SPAN("://"))) {
        p->kind = text.n > 0 && text.p[0] == '/' ? SCHEME_UNIX : SCHEME_TCP;
        *rest = text;
        return 0;
    }
    struct span name = span_of(text.p, at);
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        if (!span_eq_nocase(name, span_str(schemes[i].name))) {
            continue;
        }
        if (schemes[i].kind == SCHEME_REFUSED) {
            return err_set(e, ERR_UNKNOWN, "the Redis address begins with %s://. %s",
                           schemes[i].name, schemes[i].advice);
        }
        p->kind = schemes[i].kind;
        *rest = span_from(text, at + 3);
        return 0;
    }
    return err_set(e, ERR_UNKNOWN,
                   "the Redis address has the unknown scheme %.*s; use HOST:PORT, "
                   "redis://HOST:PORT or unix:///PATH",
                   (int)(name.n < 32 ? name.n : 32), name.p);
}

static int split_parts(struct span rest, struct parts *p, struct err *e)
{
    size_t at = span_find(rest, '?', 0);
    if (span_find(rest, '@', 0) > at && span_find(rest, '@', at) < rest.n) {
        return err_set(e, ERR_SYNTAX,
                       "the Redis address has a ? before its @: in a password it is written %%3F");
    }
    if (at < rest.n) {
        p->options = span_from(rest, at + 1);
        rest.n = at;
    }
    /* The last @, as a password may hold one that nobody escaped. */
    for (size_t i = rest.n; i > 0; i--) {
        if (rest.p[i - 1] == '@') {
            p->credentials = span_of(rest.p, i - 1);
            rest = span_from(rest, i);
            break;
        }
    }
    at = p->kind == SCHEME_TCP ? span_find(rest, '/', 0) : rest.n;
    if (at < rest.n) {
        p->db = span_from(rest, at + 1);
        rest.n = at;
    }
    p->place = rest;
    return 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Resolves %XX; a percent sign that is no escape stays. */
static char *decode(struct span s)
{
    char *out = mem_alloc(s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '%' && i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(s.p[i + 2]) : -1;
        if (low >= 0) {
            out[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[n++] = s.p[i];
        }
    }
    out[n] = '\0';
    return out;
}

static void set_credentials(struct span text, struct redis_url *out)
{
    size_t at = span_find(text, ':', 0);
    free(out->user);
    out->user = decode(span_of(text.p, at));
    if (at < text.n) {
        mem_wipe(out->password, strlen(out->password));
        free(out->password);
        out->password = decode(span_from(text, at + 1));
    }
}

static bool is_plain(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c >= 0x7f) {
            return false;
        }
    }
    return true;
}

static int set_host(struct span place, struct redis_url *out, struct err *e)
{
    struct span host = place;
    struct span port = {0};
    if (place.n > 0 && place.p[0] == '[') {
        size_t end = span_find(place, ']', 0);
        if (end == place.n || (end + 1 < place.n && place.p[end + 1] != ':')) {
            return err_set(e, ERR_SYNTAX,
                           "the Redis address has no closing bracket before its port");
        }
        host = span_of(place.p + 1, end - 1);
        port = end + 1 < place.n ? span_from(place, end + 2) : port;
    } else {
        size_t at = span_find(place, ':', 0);
        host = span_of(place.p, at);
        port = at < place.n ? span_from(place, at + 1) : port;
    }
    uint64_t number = DEFAULT_PORT;
    if (port.p != NULL && (span_to_u64(port, &number) != 0 || number == 0 || number > UINT16_MAX)) {
        /* Not shown: without a host before it, it may be the password. */
        return err_set(e, ERR_SYNTAX,
                       "the port of the Redis address is no number from 1 to 65535; use HOST:PORT");
    }
    if (host.n == 0 || host.n > 255 || !is_plain(host)) {
        return err_set(e, ERR_SYNTAX,
                       "the Redis address has no valid host; use HOST:PORT or unix:///PATH");
    }
    out->host = span_dup(host);
    out->port = (uint16_t)number;
    struct buf text = {0};
    buf_addf(&text, span_find(host, ':', 0) < host.n ? "[%s]:%u" : "%s:%u", out->host, out->port);
    out->display = mem_strdup(buf_cstr(&text));
    buf_free(&text);
    return 0;
}

static int set_path(struct span place, struct redis_url *out, struct err *e)
{
    if (place.n == 0 || place.p[0] != '/' || place.n > MAX_SOCKET_PATH_BYTES || !is_plain(place)) {
        return err_set(e, ERR_SYNTAX,
                       "the Redis address names no absolute path of at most %d bytes: use "
                       "unix:///run/redis.sock",
                       MAX_SOCKET_PATH_BYTES);
    }
    out->path = span_dup(place);
    out->display = span_dup(place);
    return 0;
}

/* A duration as the configuration writes it: "1s", "250ms". */
static int parse_timeout(struct span s, int64_t *ms)
{
    int64_t ns;
    if (conf_duration_parse(s, &ns) != 0 || ns < NS_PER_MS || ns > MAX_TIMEOUT_MS * NS_PER_MS) {
        return ERR_RANGE;
    }
    *ms = ns / NS_PER_MS;
    return 0;
}

static int set_db(struct span text, struct redis_url *out, struct err *e)
{
    uint64_t n = 0;
    if (text.n != 0 && (span_to_u64(text, &n) != 0 || n > INT32_MAX)) {
        return err_set(e, ERR_SYNTAX, "the database of the Redis address is no number");
    }
    if (text.n != 0) {
        out->db = (int64_t)n;
    }
    return 0;
}

static int set_option(struct span name, struct span value, struct redis_url *out, struct err *e)
{
    if (span_eq_str(name, "connect_timeout") || span_eq_str(name, "io_timeout")) {
        int64_t *at = name.p[0] == 'c' ? &out->connect_timeout_ms : &out->io_timeout_ms;
        if (parse_timeout(value, at) != 0) {
            return err_set(
                e, ERR_SYNTAX,
                "the option %.*s of the Redis address is no duration such as 1s or 250ms",
                SPAN_FMT(name));
        }
        return 0;
    }
    if (span_eq_str(name, "db")) {
        return set_db(value, out, e);
    }
    /* We speak RESP2 and open no replica client; saying so is no error. */
    if (span_eq_str(name, "force_resp2") || span_eq_str(name, "replica_client_enabled") ||
        (span_eq_str(name, "tls_enabled") && span_eq_str(value, "false"))) {
        return 0;
    }
    return err_set(e, ERR_UNKNOWN,
                   "the option %.*s of the Redis address is not supported; known are "
                   "connect_timeout, io_timeout and db",
                   (int)(name.n < 32 ? name.n : 32), name.p);
}

static int set_options(struct span options, struct redis_url *out, struct err *e)
{
    struct span rest = options;
    struct span option;
    while (rest.p != NULL && span_split(&rest, '&', &option)) {
        size_t at = span_find(option, '=', 0);
        if (option.n == 0) {
            continue;
        }
        int rc = set_option(span_of(option.p, at), span_from(option, at + 1), out, e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

int redis_url_parse(const char *address, const struct conf_redis *r, struct redis_url *out,
                    struct err *e)
{
    struct parts p = {0};
    struct span rest = {0};
    *out = (struct redis_url){.db = r->db,
                              .connect_timeout_ms = r->connect_timeout_ms,
                              .io_timeout_ms = r->io_timeout_ms};
    out->user = mem_strdup(r->user != NULL ? r->user : "");
    out->password = mem_strdup(r->password != NULL ? r->password : "");
    int rc = strlen(address) > MAX_ADDRESS_BYTES
                 ? err_set(e, ERR_LIMIT, "the Redis address is too long")
                 : 0;
    if (rc == 0) {
        rc = parse_scheme(span_trim(span_str(address)), &p, &rest, e);
    }
    if (rc == 0) {
        rc = split_parts(rest, &p, e);
    }
    if (rc == 0) {
        if (p.credentials.p != NULL) {
            set_credentials(p.credentials, out);
        }
        rc = p.kind == SCHEME_UNIX ? set_path(p.place, out, e) : set_host(p.place, out, e);
    }
    if (rc == 0) {
        rc = set_db(p.db, out, e);
    }
    if (rc == 0) {
        rc = set_options(p.options, out, e);
    }
    if (rc != 0) {
        redis_url_fini(out);
    }
    return rc;
}

void redis_url_fini(struct redis_url *u)
{
    if (u->password != NULL) {
        mem_wipe(u->password, strlen(u->password));
    }
    free(u->host);
    free(u->path);
    free(u->user);
    free(u->password);
    free(u->display);
    *u = (struct redis_url){0};
}

/* ---- several ---- */

static bool is_displayed(const struct redis_urls *u, uint32_t except, const char *display)
{
    for (uint32_t i = 0; i < u->n; i++) {
        if (i != except && strcmp(u->items[i].display, display) == 0) {
            return true;
        }
    }
    return false;
}

/* Databases of one server, or one address given twice. */
static void tell_apart(struct redis_urls *u)
{
    for (uint32_t i = u->n; i-- > 0;) {
        struct redis_url *one = &u->items[i];
        struct buf text = {0};
        if (!is_displayed(u, i, one->display)) {
            continue;
        }
        buf_addf(&text, "%s/%lld", one->display, (long long)one->db);
        if (is_displayed(u, i, buf_cstr(&text))) {
            buf_addf(&text, "#%u", i + 1);
        }
        free(one->display);
        one->display = mem_strdup(buf_cstr(&text));
        buf_free(&text);
    }
}

int redis_urls_parse(const struct conf_redis *r, struct redis_urls *out, struct err *e)
{
    size_t n = r->address.n > 0 ? r->address.n : 1;
    *out = (struct redis_urls){.items = mem_zalloc(n * sizeof(*out->items))};
    for (size_t i = 0; i < n; i++) {
        const char *address = r->address.n > 0 ? r->address.items[i] : DEFAULT_ADDRESS;
        int rc = redis_url_parse(address, r, &out->items[i], e);
        if (rc != 0) {
            if (n > 1) {
                err_prefix(e, "number %zu", i + 1);
            }
            err_prefix(e, "engine.redis.address");
            redis_urls_fini(out);
            return rc;
        }
        out->n++;
    }
    tell_apart(out);
    return 0;
}

void redis_urls_fini(struct redis_urls *u)
{
    for (uint32_t i = 0; i < u->n; i++) {
        redis_url_fini(&u->items[i]);
    }
    free(u->items);
    *u = (struct redis_urls){0};
}
