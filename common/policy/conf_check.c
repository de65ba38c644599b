/* SPDX-License-Identifier: Apache-2.0 */
/* What has to hold between options before a configuration is used. */
#include "common/policy/channel.h"
#include "common/policy/claims.h"
#include "common/policy/conf_loader.h"
#include "common/policy/jwks_url.h"
#include "common/policy/rx.h"

#include <stdlib.h>
#include <string.h>

/* Durations for messages; in the arena. */
static const char *duration(struct conf_loader *ld, int64_t ms)
{
    struct buf b = {0};
    conf_duration_print(ms, &b);
    const char *text = arena_strdup(&ld->arena, buf_span(&b));
    buf_free(&b);
    return text;
}

static int check_history(struct conf_loader *ld, const struct conf_scope *s,
                         const struct chan_opts *o)
{
    if (o->history_size > 0 && o->history_ttl_ms == 0) {
        return conf_fail_row(ld, s, "history_size", "history_ttl has to be set, too");
    }
    if (o->history_ttl_ms > 0 && o->history_size == 0) {
        return conf_fail_row(ld, s, "history_ttl", "history_size has to be set, too");
    }
    if (o->history_ttl_ms > o->history_meta_ttl_ms) {
        return conf_fail_row(
            ld, s, "history_ttl",
            "%s is longer than the history_meta_ttl of %s; make that at least as long",
            duration(ld, o->history_ttl_ms), duration(ld, o->history_meta_ttl_ms));
    }
    if (o->force_recovery && o->history_size == 0) {
        return conf_fail_row(ld, s, "force_recovery",
                             "there is nothing to recover from; set history_size and history_ttl");
    }
    if (o->auto_cache_recover && !(o->force_recovery && o->force_recovery_mode == RECOVERY_CACHE)) {
        return conf_fail_row(ld, s, "auto_cache_recover",
                             "needs force_recovery and \"force_recovery_mode\": \"cache\"");
    }
    return 0;
}

static int check_regex(struct conf_loader *ld, const struct conf_scope *s, struct chan_opts *o)
{
    struct err e;
    if (o->channel_regex[0] == '\0') {
        return 0;
    }
    o->channel_regex_compiled = rx_new(span_str(o->channel_regex), &e);
    if (o->channel_regex_compiled == NULL) {
        return conf_fail_row(ld, s, "channel_regex", "%s", e.text);
    }
    return 0;
}

static bool is_ns_name(const char *name)
{
    size_t n = strspn(name, "-_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return n >= 2 && name[n] == '\0';
}

static const char *name_of(const struct conf_scope *s)
{
    char *name;
    memcpy(&name, (const char *)s->base + s->table->rows[0].offset, sizeof(name));
    return name;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(name_of(*(const struct conf_scope *const *)a),
                  name_of(*(const struct conf_scope *const *)b));
}

int conf_check_duplicates(struct conf_loader *ld, const struct conf_list *l)
{
    size_t n;
    conf_list_items(l, ld->conf, &n);
    const struct conf_scope **sorted = arena_alloc(&ld->arena, (n + 1) * sizeof(*sorted));
    for (size_t i = 0; i < n; i++) {
        sorted[i] = &conf_list_scopes(ld, l)[i];
    }
    qsort(sorted, n, sizeof(*sorted), compare_names);
    for (size_t i = 1; i < n; i++) {
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0) {
            return conf_fail_row(ld, sorted[i], "name", "there are two %ss of this name", l->what);
        }
    }
    return 0;
}

static int check_channels(struct conf_loader *ld)
{
    struct conf_channel *ch = &ld->conf->channel;
    int rc = check_history(ld, &ld->without_ns, &ch->without_namespace);
    if (rc == 0) {
        rc = check_regex(ld, &ld->without_ns, &ch->without_namespace);
    }
    for (size_t i = 0; i < ch->namespace_count && rc == 0; i++) {
        struct chan_opts *o = &ch->namespaces[i];
        if (!is_ns_name(o->name)) {
            return conf_fail_row(ld, &ld->lists[CONF_NAMESPACES][i], "name",
                                 "a namespace has a name of at least two letters, digits, dots, "
                                 "dashes and underscores");
        }
        rc = check_history(ld, &ld->lists[CONF_NAMESPACES][i], o);
        if (rc == 0) {
            rc = check_regex(ld, &ld->lists[CONF_NAMESPACES][i], o);
        }
    }
    return rc != 0 ? rc : conf_check_duplicates(ld, &conf_lists[CONF_NAMESPACES]);
}

static int check_personal(struct conf_loader *ld)
{
    static const char ns_row[] =
        "client.subscribe_to_user_personal_channel.personal_channel_namespace";
    const struct conf *c = ld->conf;
    const char *name = c->client.subscribe_to_user_personal_channel.personal_channel_namespace;
    const struct chan_opts *o = &c->channel.without_namespace;
    if (!c->client.subscribe_to_user_personal_channel.enabled) {
        return 0;
    }
    if (name[0] != '\0') {
        size_t i = 0;
        while (i < c->channel.namespace_count && strcmp(c->channel.namespaces[i].name, name) != 0) {
            i++;
        }
        if (i == c->channel.namespace_count) {
            return conf_fail_row(ld, &ld->main, ns_row,
                                 "there is no namespace %s in channel.namespaces", name);
        }
        o = &c->channel.namespaces[i];
    }
    if (c->client.subscribe_to_user_personal_channel.single_connection && !o->presence) {
        return conf_fail_row(ld, &ld->main,
                             "client.subscribe_to_user_personal_channel.single_connection",
                             "needs presence in the namespace of the personal channel");
    }
    return 0;
}

static int check_origins(struct conf_loader *ld)
{
    static const char row[] = "client.allowed_origins";
    const struct conf_strings *list = &ld->conf->client.allowed_origins;
    for (size_t i = 0; i < list->n; i++) {
        struct span s = span_str(list->items[i]);
        if (!glob_is_valid(s)) {
            return conf_fail_row(ld, &ld->main, row, "%.100s is no valid pattern", s.p);
        }
        if (s.p[s.n - 1] == '/') {
            conf_warn_row(ld, &ld->main, row,
                          "%.100s matches nothing: an origin has no slash at its end", s.p);
        } else if (strpbrk(s.p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL) {
            conf_warn_row(ld, &ld->main, row,
                          "%.100s matches nothing: origins are compared in lower case", s.p);
        } else if (strstr(s.p, "://") == NULL && s.p[0] != '*' && strpbrk(s.p, "{[?") == NULL &&
                   strcmp(s.p, "null") != 0) {
            conf_warn_row(ld, &ld->main, row,
                          "%.100s matches nothing: write the scheme, too, as in https://%.100s",
                          s.p, s.p);
        }
    }
    return 0;
}

static const char *token_row(struct conf_loader *ld, const char *prefix, const char *name)
{
    struct buf b = {0};
    buf_addf(&b, "%s.%s", prefix, name);
    const char *row = arena_strdup(&ld->arena, buf_span(&b));
    buf_free(&b);
    return row;
}

static int check_pattern(struct conf_loader *ld, const char *row, const char *pattern)
{
    struct err e;
    struct rx *r = rx_new(span_str(pattern), &e);
    if (r == NULL) {
        return conf_fail_row(ld, &ld->main, row, "%s", e.text);
    }
    rx_free(r);
    return 0;
}

static int check_jwks(struct conf_loader *ld, const char *prefix, const struct conf_token *t)
{
    const char *row = token_row(ld, prefix, "jwks_public_endpoint");
    struct err e;
    if (t->jwks_public_endpoint[0] == '\0') {
        return 0;
    }
    struct claims_rules *rules = claims_rules_new(t, &e);
    struct jwks_url *u = rules != NULL ? jwks_url_new(t, rules, &e) : NULL;
    int rc = u != NULL ? 0 : conf_fail_row(ld, &ld->main, row, "%s", e.text);
    jwks_url_free(u);
    claims_rules_free(rules);
    if (rc == 0 && (t->hmac_secret_key[0] != '\0' || t->rsa_public_key[0] != '\0' ||
                    t->ecdsa_public_key[0] != '\0')) {
        conf_warn_row(ld, &ld->main, row,
                      "the keys beside it are not used; tokens that they fit are refused");
    }
    return rc;
}

static int check_paths(struct conf_loader *ld)
{
    const struct conf *c = ld->conf;
    if (c->init.enabled && !c->websocket.disabled &&
        strcmp(c->init.handler_prefix, c->websocket.handler_prefix) == 0) {
        return conf_fail_row(ld, &ld->main, "init.handler_prefix",
                             "is the same path as websocket.handler_prefix");
    }
    return 0;
}

static int check_token(struct conf_loader *ld, const char *prefix, const struct conf_token *t)
{
    const char *audience = token_row(ld, prefix, "audience_regex");
    const char *issuer = token_row(ld, prefix, "issuer_regex");
    if (t->audience[0] != '\0' && t->audience_regex[0] != '\0') {
        return conf_fail_row(ld, &ld->main, audience, "audience is set, too; keep one of them");
    }
    if (t->issuer[0] != '\0' && t->issuer_regex[0] != '\0') {
        return conf_fail_row(ld, &ld->main, issuer, "issuer is set, too; keep one of them");
    }
    if (t->user_id_claim[strspn(t->user_id_claim,
                                "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0') {
        return conf_fail_row(ld, &ld->main, token_row(ld, prefix, "user_id_claim"),
                             "the name of a claim has letters and underscores only");
    }
    int rc = check_pattern(ld, audience, t->audience_regex);
    if (rc == 0) {
        rc = check_pattern(ld, issuer, t->issuer_regex);
    }
    return rc != 0 ? rc : check_jwks(ld, prefix, t);
}

static int check_client(struct conf_loader *ld)
{
    const struct conf_client *cl = &ld->conf->client;
    if (cl->pong_timeout_ms >= cl->ping_interval_ms) {
        const char *row = conf_from(&ld->main, "client.pong_timeout") != 0 ? "client.pong_timeout"
                                                                           : "client.ping_interval";
        return conf_fail_row(
            ld, &ld->main, row,
            "the pong timeout (%s) has to be shorter than the ping interval (%s)%s",
            duration(ld, cl->pong_timeout_ms), duration(ld, cl->ping_interval_ms),
            cl->ping_interval_ms < 0
                ? "; no pings at all is \"ping_interval\": \"-1s\", \"pong_timeout\": \"-2s\""
                : "");
    }
    if (cl->concurrency > 1) {
        conf_warn_row(ld, &ld->main, "client.concurrency",
                      "means nothing here: commands of one client are worked on in their order");
    }
    int rc = check_token(ld, "client.token", &cl->token);
    if (rc == 0) {
        rc = check_token(ld, "client.subscription_token", &cl->subscription_token);
    }
    if (rc == 0) {
        rc = check_origins(ld);
    }
    return rc != 0 ? rc : check_personal(ld);
}

/* Switches that open a door are meant for development; whoever left one on by mistake reads it at
 * every start. */
static void warn_open_doors(struct conf_loader *ld)
{
    static const struct {
        const char *row;
        const char *what;
    } doors[] = {
        {"client.insecure", "everybody may connect, subscribe and publish"},
        {"client.insecure_skip_token_signature_verify", "everybody can make tokens of their own"},
        {"client.token.insecure_skip_jwks_endpoint_safety_check",
         "tokens may choose what is asked for their keys"},
        {"client.subscription_token.insecure_skip_jwks_endpoint_safety_check",
         "tokens may choose what is asked for their keys"},
        {"http_api.insecure", "everybody who reaches the server API may use it"},
        {"admin.insecure", "everybody who reaches the admin page may use it"},
    };
    for (size_t i = 0; i < ARRAY_LEN(doors); i++) {
        if (!conf_value_is_zero(conf_row_find(&conf_rows, span_str(doors[i].row)), ld->conf)) {
            conf_warn_row(ld, &ld->main, doors[i].row, "%s; for development only", doors[i].what);
        }
    }
}

static bool is_wrapped(struct span s)
{
    static const char blanks[] = " \t\r\n";
    char first = s.p[0];
    char last = s.p[s.n - 1];
    return strchr(blanks, first) != NULL || strchr(blanks, last) != NULL ||
           (s.n >= 2 && first == last && (first == '"' || first == '\''));
}

/* Some ways of setting a variable keep the quotes around it, and a file of one line ends with a
 * line break; then nothing signed elsewhere fits, and the two secrets look the same. */
static void warn_wrapped_secrets(struct conf_loader *ld, const struct conf_scope *s)
{
    for (size_t i = 0; i < s->table->n; i++) {
        const struct conf_row *row = &s->table->rows[i];
        if ((row->flags & CONF_SECRET) == 0 || conf_value_is_zero(row, s->base)) {
            continue;
        }
        const char *value = *(char *const *)(const void *)((const char *)s->base + row->offset);
        if (is_wrapped(span_str(value))) {
            conf_warn_row(ld, s, row->path,
                          "a space, line break or quote at its beginning or end is part of it");
        }
    }
}

int conf_check(struct conf_loader *ld)
{
    if (strcmp(ld->conf->engine.type, "memory") == 0) {
        conf_warn_row(ld, &ld->main, "engine.type",
                      "pushd keeps its state in Redis always; engine.redis is used");
    }
    int rc = check_channels(ld);
    if (rc == 0) {
        rc = check_client(ld);
    }
    if (rc == 0) {
        rc = check_paths(ld);
    }
    if (rc == 0) {
        rc = conf_check_pushd(ld);
    }
    if (rc == 0) {
        rc = conf_check_keys(ld);
    }
    if (rc == 0) {
        warn_open_doors(ld);
        warn_wrapped_secrets(ld, &ld->main);
    }
    for (size_t i = 0; rc == 0 && i < ld->conf->pushd.api_key_count; i++) {
        warn_wrapped_secrets(ld, &ld->lists[CONF_API_KEYS][i]);
    }
    return rc;
}
