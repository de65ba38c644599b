/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the object "pushd": addresses, networks, channel templates. */
#include "common/policy/conf_loader.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* "host:port", "[address]:port" or "unix:/path". Returns what is wrong, or NULL. */
static const char *address_fault(const char *address)
{
    if (strncmp(address, "unix:", 5) == 0) {
        if (address[5] != '/') {
            return "a Unix socket is written unix:/path";
        }
        return strlen(address + 5) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)
                   ? "this path is too long for a socket"
                   : NULL;
    }
    const char *colon = strrchr(address, ':');
    uint64_t port;
    if (colon == NULL || span_to_u64(span_str(colon + 1), &port) != 0 || port > 65535) {
        return "write host:port, [address]:port or unix:/path";
    }
    bool is_bracketed = address[0] == '[' && colon > address && colon[-1] == ']';
    if (!is_bracketed && memchr(address, ':', (size_t)(colon - address)) != NULL) {
        return "write an IPv6 address in brackets: [::1]:8001";
    }
    return NULL;
}

static int check_address(struct conf_loader *ld, const char *row, const char *address)
{
    const char *fault = address_fault(address);
    return fault != NULL ? conf_fail_row(ld, &ld->main, row, "%.120s: %s", address, fault) : 0;
}

/* "10.0.0.0/8", "::1", or "unix:". */
static bool is_network(const char *text)
{
    char host[INET6_ADDRSTRLEN + 1];
    unsigned char bytes[16];
    size_t n = strcspn(text, "/");
    uint64_t bits = 0;
    if (strcmp(text, "unix:") == 0) {
        return true;
    }
    if (n >= sizeof(host)) {
        return false;
    }
    memcpy(host, text, n);
    host[n] = '\0';
    unsigned width = inet_pton(AF_INET, host, bytes) == 1    ? 32
                     : inet_pton(AF_INET6, host, bytes) == 1 ? 128
                                                             : 0;
    return width != 0 &&
           (text[n] == '\0' || (span_to_u64(span_str(text + n + 1), &bits) == 0 && bits <= width));
}

/* Whether every brace belongs to a {word} of the list. */
static bool has_only(const char *template, const char *const *words)
{
    for (const char *p = template; (p = strpbrk(p, "{}")) != NULL;) {
        const char *const *w = words;
        while (*w != NULL && strncmp(p, *w, strlen(*w)) != 0) {
            w++;
        }
        if (*w == NULL) {
            return false;
        }
        p += strlen(*w);
    }
    return true;
}

static int check_tokens(struct conf_loader *ld)
{
    static const char *const words[] = {"{user}", "{org}", NULL};
    static const char *const key_words[] = {"{cookie}", NULL};
    const struct conf_pushd *p = &ld->conf->pushd;
    for (size_t i = 0; i < p->token.channels.n; i++) {
        if (!has_only(p->token.channels.items[i], words)) {
            return conf_fail_row(ld, &ld->main, "pushd.token.channels",
                                 "%.120s: only {user} and {org} can be filled in",
                                 p->token.channels.items[i]);
        }
    }
    const char *key = p->token.session.redis_key;
    if (!has_only(key, key_words) || strstr(key, "{cookie}") == NULL) {
        return conf_fail_row(ld, &ld->main, "pushd.token.session.redis_key",
                             "has to contain {cookie}, and no other braces");
    }
    if (p->token.session.source == SESSION_JWT_COOKIE &&
        p->token.session.jwt_hmac_secret_key[0] == '\0') {
        return conf_fail_row(ld, &ld->main, "pushd.token.session.source",
                             "jwt_cookie needs pushd.token.session.jwt_hmac_secret_key");
    }
    if (strcmp(p->token.endpoint, p->token.subscription_endpoint) == 0) {
        return conf_fail_row(ld, &ld->main, "pushd.token.endpoint",
                             "is the same path as pushd.token.subscription_endpoint");
    }
    return 0;
}

const char *conf_info_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL ? dot + 1 : path;
}

static int check_sessions(struct conf_loader *ld)
{
    const struct conf_pushd *p = &ld->conf->pushd;
    const struct conf_strings *fields = &p->token.info_fields;
    static const char row[] = "pushd.token.info_fields";
    for (size_t i = 0; i < fields->n; i++) {
        for (size_t k = 0; k < i; k++) {
            const char *name = conf_info_name(fields->items[i]);
            if (strcmp(conf_info_name(fields->items[k]), name) == 0) {
                return conf_fail_row(ld, &ld->main, row, "two of them become the member \"%.100s\"",
                                     name);
            }
        }
    }
    if (fields->n != 0 && p->token.session.source == SESSION_VARIABLE) {
        conf_warn_row(ld, &ld->main, row,
                      "has no effect: pushd.token.session.source is variable, and variables have "
                      "no fields");
    }
    if (p->token.session.source == SESSION_REDIS_COOKIE && ld->conf->engine.redis.address.n > 1) {
        conf_warn_row(ld, &ld->main, "pushd.token.session.redis_key",
                      "sessions are read from the first of engine.redis.address only; the "
                      "application has to keep them there");
    }
    return 0;
}

int conf_check_pushd(struct conf_loader *ld)
{
    const struct conf_pushd *p = &ld->conf->pushd;
    int rc = 0;
    for (size_t i = 0; i < p->websocket_listen.n && rc == 0; i++) {
        rc = check_address(ld, "pushd.websocket_listen", p->websocket_listen.items[i]);
    }
    if (rc == 0) {
        rc = check_address(ld, "pushd.admin_listen", p->admin_listen);
    }
    if (rc == 0) {
        rc = check_address(ld, "pushd.api_listen", p->api_listen);
    }
    for (size_t i = 0; i < p->trusted_proxies.n && rc == 0; i++) {
        if (!is_network(p->trusted_proxies.items[i])) {
            rc = conf_fail_row(ld, &ld->main, "pushd.trusted_proxies",
                               "%.100s: write a network such as 10.0.0.0/8, an address, or unix:",
                               p->trusted_proxies.items[i]);
        }
    }
    rc = rc != 0 ? rc : check_tokens(ld);
    return rc != 0 ? rc : check_sessions(ld);
}
