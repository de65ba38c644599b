/* SPDX-License-Identifier: Apache-2.0 */
/* Where the keys of a token are. */
#include "common/policy/jwks_url.h"

#include <stdlib.h>

#include "common/base/mem.h"

#define MAX_PARTS 32

/* A piece of the address as it stands in the configuration, then a group. */
struct part {
    struct span text;
    bool has_group; /* all but the last part */
    struct claims_group group;
};

struct jwks_url {
    const struct claims_rules *rules;
    struct part parts[MAX_PARTS];
    size_t n;
};

/* Nothing else may stand in an address (RFC 3986); all the rest is percent-encoded there. */
static bool is_url_text(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || strchr("\"<>\\^`{|}", s.p[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static bool has_scheme(struct span url)
{
    static const struct span schemes[] = {SPAN("http://"), SPAN("https://")};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t n = schemes[i].n;
        if (url.n > n && span_eq_nocase(span_of(url.p, n), schemes[i]) && url.p[n] != '/') {
            return true;
        }
    }
    return false;
}

static int add_group(struct jwks_url *u, struct part *p, struct span name, bool skips_check,
                     struct err *e)
{
    int rc = claims_rules_find_group(u->rules, name, &p->group);
    if (rc == ERR_CONFLICT) {
        return err_set(e, rc, "{{%.*s}} is a group of both audience_regex and issuer_regex",
                       SPAN_FMT(name));
    }
    if (rc != 0) {
        return err_set(e, rc,
                       "{{%.*s}} needs a group (?P<%.*s>...) in issuer_regex or audience_regex",
                       SPAN_FMT(name), SPAN_FMT(name));
    }
    if (!p->group.is_literal && !skips_check) {
        return err_set(e, ERR_DENIED,
                       "the group %.*s has to be a list of texts, as in (?P<%.*s>one|two), or "
                       "tokens could choose what is asked for keys; "
                       "insecure_skip_jwks_endpoint_safety_check allows it",
                       SPAN_FMT(name), SPAN_FMT(name));
    }
    p->has_group = true;
    return 0;
}

static size_t find_pair(struct span s, char c)
{
    size_t at = span_find(s, c, 0);
    while (at < s.n && !(at + 1 < s.n && s.p[at + 1] == c)) {
        at = span_find(s, c, at + 1);
    }
    return at;
}

static int split(struct jwks_url *u, struct span rest, bool skips_check, struct err *e)
{
    for (;;) {
        if (u->n == MAX_PARTS) {
            return err_set(e, ERR_LIMIT, "more than %d {{...}}", MAX_PARTS - 1);
        }
        struct part *p = &u->parts[u->n++];
        size_t open = find_pair(rest, '{');
        p->text = span_of(rest.p, open);
        if (!is_url_text(p->text)) {
            return err_set(e, ERR_SYNTAX, "it has a character that no URL may have");
        }
        if (open == rest.n) {
            return 0;
        }
        rest = span_from(rest, open + 2);
        size_t close = find_pair(rest, '}');
        if (close == rest.n) {
            return err_set(e, ERR_SYNTAX, "a {{ without a }}");
        }
        int rc = add_group(u, p, span_of(rest.p, close), skips_check, e);
        if (rc != 0) {
            return rc;
        }
        rest = span_from(rest, close + 2);
    }
}

struct jwks_url *jwks_url_new(const struct conf_token *t, const struct claims_rules *rules,
                              struct err *e)
{
    struct span text = span_str(t->jwks_public_endpoint);
    struct jwks_url *u = mem_zalloc(sizeof(*u));
    u->rules = rules;
    int rc = text.n > JWKS_URL_MAX_BYTES
                 ? err_set(e, ERR_LIMIT, "longer than %d bytes", JWKS_URL_MAX_BYTES)
                 : split(u, text, t->insecure_skip_jwks_endpoint_safety_check, e);
    bool begins_with_group = u->n > 1 && u->parts[0].text.n <= strlen("https://");
    if (rc == 0 && !begins_with_group && !has_scheme(u->parts[0].text)) {
        rc = err_set(e, ERR_SYNTAX,
                     "it has to be a URL, as in https://id.example.com/.well-known/jwks.json");
    }
    if (rc != 0) {
        jwks_url_free(u);
        return NULL;
    }
    return u;
}

void jwks_url_free(struct jwks_url *u)
{
    free(u);
}

bool jwks_url_is_fixed(const struct jwks_url *u)
{
    return u->n == 1;
}

const char *jwks_url_fill(const struct jwks_url *u, const struct claims *c, struct arena *a,
                          struct span *out)
{
    if (jwks_url_is_fixed(u)) {
        *out = u->parts[0].text;
        return NULL;
    }
    char *url = arena_alloc(a, JWKS_URL_MAX_BYTES);
    struct buf b = {.p = url, .cap = JWKS_URL_MAX_BYTES, .max = JWKS_URL_MAX_BYTES};
    for (size_t i = 0; i < u->n; i++) {
        const struct part *p = &u->parts[i];
        buf_add_span(&b, p->text);
        if (!p->has_group) {
            continue;
        }
        struct span value = claims_rules_group(u->rules, &p->group, c, a);
        if (value.p == NULL) {
            return "a group of jwks_public_endpoint took no part in the match of iss or aud";
        }
        buf_add_span(&b, value);
    }
    *out = span_of(url, b.n);
    if (b.failed || !is_url_text(*out) || !has_scheme(*out)) {
        return "iss or aud of the token gives no URL of keys";
    }
    return NULL;
}
