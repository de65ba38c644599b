/* SPDX-License-Identifier: Apache-2.0 */
/* pushctl checkconfig: says what is wrong with a configuration, or what it means. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/engine/redis_url.h"
#include "common/policy/api_key.h"
#include "common/policy/token.h"
#include "pushctl/pushctl.h"

extern char **environ;

struct check {
    const char *path;
    bool is_quiet;
    unsigned warnings;
};

static void warn(const char *text, void *arg)
{
    struct check *k = arg;
    k->warnings++;
    if (!k->is_quiet) {
        printf("warning: %s\n", text);
    }
}

/* The addresses of Redis belong to the engine, which reads them when it connects; a wrong one is to
 * be told here. */
static int check_redis(const struct check *k, const struct conf *c, bool tells)
{
    struct redis_urls u;
    struct err e;
    if (redis_urls_parse(&c->engine.redis, &u, &e) != 0) {
        fprintf(stderr, "error: %s: %s\n", k->path, e.text);
        return EXIT_FAILED;
    }
    for (uint32_t i = 0; tells && i < u.n; i++) {
        printf("  %-10s %s, prefix %s\n", "redis", u.items[i].display, c->engine.redis.prefix);
    }
    redis_urls_fini(&u);
    return EXIT_OK;
}

static void fact(const char *what, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void fact(const char *what, const char *fmt, ...)
{
    va_list ap;
    printf("  %-10s ", what);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

static void tell_list(const char *what, const struct conf_strings *list, const char *empty)
{
    printf("  %-10s ", what);
    for (size_t i = 0; i < list->n; i++) {
        printf("%s%s", i > 0 ? ", " : "", list->items[i]);
    }
    puts(list->n > 0 ? "" : empty);
}

static const char *token_keys(const struct conf_token *t)
{
    if (t->jwks_public_endpoint[0] != '\0') {
        return "public keys from jwks_public_endpoint";
    }
    bool has_hmac = t->hmac_secret_key[0] != '\0';
    bool has_public = t->rsa_public_key[0] != '\0' || t->ecdsa_public_key[0] != '\0';
    if (has_hmac) {
        return has_public ? "HMAC and public keys" : "HMAC key";
    }
    return has_public ? "public keys"
                      : "no key, so every token is refused; set client.token.hmac_secret_key";
}

static void tell_namespaces(const struct conf_channel *ch)
{
    printf("  %-10s ", "namespaces");
    for (size_t i = 0; i < ch->namespace_count; i++) {
        printf("%s%s", i > 0 ? ", " : "", ch->namespaces[i].name);
    }
    puts(ch->namespace_count > 0
             ? ""
             : "none; a channel such as news:today has no options and is refused (error 102)");
}

static void tell_key(const struct conf_api_key *k)
{
    printf("  %-10s key %s may", "", k->name);
    for (size_t i = 0; i < k->scopes.n; i++) {
        printf(" %s", k->scopes.items[i]);
    }
    for (size_t i = 0; i < k->channels.n; i++) {
        printf("%s%s", i > 0 ? " or " : " in channels that begin with ", k->channels.items[i]);
    }
    puts("");
}

static void tell(const struct conf *c)
{
    tell_list("websocket", &c->pushd.websocket_listen, "nowhere");
    fact("", "%s%s", c->websocket.handler_prefix, c->websocket.disabled ? " (disabled)" : "");
    tell_list("origins", &c->client.allowed_origins,
              "none; browsers are refused until client.allowed_origins is set");
    fact("tokens", "%s", token_keys(&c->client.token));
    if (c->client.subscription_token.enabled) {
        fact("", "%s for subscriptions", token_keys(&c->client.subscription_token));
    }
    bool has_api_key = api_key_exists(c) || c->http_api.insecure;
    fact("api", "%s, path %s%s", c->pushd.api_listen,
         c->http_api.handler_prefix[0] != '\0' ? c->http_api.handler_prefix : "/",
         c->http_api.disabled ? " (disabled)"
         : has_api_key        ? ""
                              : "; no http_api.key, so every call is refused");
    for (size_t i = 0; i < c->pushd.api_key_count; i++) {
        tell_key(&c->pushd.api_keys[i]);
    }
    fact("admin", "%s: admin %s, metrics %s", c->pushd.admin_listen,
         c->admin.enabled ? "on" : "off", c->prometheus.enabled ? "on" : "off");
    if (c->admin.enabled && !c->admin.insecure &&
        (c->admin.password[0] == '\0' || c->admin.secret[0] == '\0')) {
        fact("", "nobody can log in: admin.password and admin.secret both have to be set");
    }
    tell_namespaces(&c->channel);
    if (c->http_server.is_set) {
        fact("note", "http_server belongs to the web server in front; pushd does not listen there");
    }
}

/* Keys that pushd does not start with. */
static int check_keys(const struct check *k, const struct conf *c)
{
    const struct {
        const char *what;
        const struct conf_token *token;
    } all[] = {{"client.token", &c->client.token},
               {"client.subscription_token", &c->client.subscription_token}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct err e = {0};
        if (i != 0 && !c->client.subscription_token.enabled) {
            break; /* not looked at */
        }
        struct token_verifier *v = token_verifier_new(all[i].token, false, &e);
        if (v == NULL) {
            fprintf(stderr, "error: %s: %s: %s\n", k->path, all[i].what, e.text);
            return EXIT_FAILED;
        }
        token_verifier_free(v);
    }
    return EXIT_OK;
}

int cmd_checkconfig(int argc, char **argv)
{
    struct pushctl_common o = {.config = pushctl_default_config, .allows_strict = true};
    int status = pushctl_common_options(argc, argv, &o);
    if (status != 0) {
        return status;
    }
    if (access(o.config, R_OK) != 0) {
        return pushctl_fail("cannot read %s: %s", o.config, strerror(errno));
    }
    struct check k = {.path = o.config, .is_quiet = o.is_quiet};
    struct err e = {0};
    struct conf *c = conf_load(&(struct conf_load_opts){.path = o.config,
                                                        .environ = environ,
                                                        .strict = o.is_strict,
                                                        .warn = warn,
                                                        .warn_arg = &k},
                               &e);
    if (c == NULL) {
        fprintf(stderr, "error: %s\n", e.text);
        return EXIT_FAILED;
    }
    status = check_keys(&k, c);
    if (status == EXIT_OK) {
        status = check_redis(&k, c, false);
    }
    if (status == EXIT_OK && !k.is_quiet) {
        printf("%s: configuration ok%s\n", o.config, k.warnings > 0 ? ", with warnings" : "");
        tell(c);
        status = check_redis(&k, c, true);
    }
    conf_free(c);
    return status;
}
