/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration demands of the claims aud and iss: a text or a pattern. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/format/jscan.h"
#include "common/policy/claims.h"
#include "common/policy/rx.h"

/* Nothing is demanded where neither is set. */
struct demand {
    struct span exact;
    struct rx *pattern;
};

struct claims_rules {
    struct demand audience;
    struct demand issuer;
};

static int demand_init(struct demand *d, const char *exact, const char *pattern, const char *option,
                       struct err *e)
{
    d->exact = span_str(exact);
    if (pattern == NULL || *pattern == '\0') {
        return 0;
    }
    d->pattern = rx_new(span_str(pattern), e);
    return d->pattern != NULL ? 0 : err_prefix(e, "%s \"%s\"", option, pattern);
}

struct claims_rules *claims_rules_new(const struct conf_token *t, struct err *e)
{
    struct claims_rules *r = mem_zalloc(sizeof(*r));
    if (demand_init(&r->audience, t->audience, t->audience_regex, "audience_regex", e) != 0 ||
        demand_init(&r->issuer, t->issuer, t->issuer_regex, "issuer_regex", e) != 0) {
        claims_rules_free(r);
        return NULL;
    }
    return r;
}

void claims_rules_free(struct claims_rules *r)
{
    if (r != NULL) {
        rx_free(r->audience.pattern);
        rx_free(r->issuer.pattern);
        free(r);
    }
}

static bool is_demanded(const struct demand *d)
{
    return d->exact.n != 0 || d->pattern != NULL;
}

static bool fits(const struct demand *d, struct span text)
{
    return (d->exact.n == 0 || span_eq(d->exact, text)) &&
           (d->pattern == NULL || rx_finds(d->pattern, text));
}

/* The audience of the token that is the one demanded; p == NULL without one. */
static struct span find_audience(const struct claims_rules *r, const struct claims *c,
                                 struct arena *a)
{
    if (c->aud.p == NULL) {
        return (struct span){0};
    }
    if (c->aud.p[0] == '"') {
        struct span text = jscan_string(jscan_unquote(c->aud), a);
        return fits(&r->audience, text) ? text : (struct span){0};
    }
    struct jscan s = jscan_enter(c->aud);
    struct span item;
    enum jscan_kind kind;
    while (jscan_element(&s, &item, &kind)) {
        struct span text = jscan_string(jscan_unquote(item), a);
        if (fits(&r->audience, text)) {
            return text;
        }
    }
    return (struct span){0};
}

bool claims_rules_accept_audience(const struct claims_rules *r, const struct claims *c,
                                  struct arena *a)
{
    return !is_demanded(&r->audience) || find_audience(r, c, a).p != NULL;
}

bool claims_rules_accept_issuer(const struct claims_rules *r, const struct claims *c)
{
    return !is_demanded(&r->issuer) || (c->iss.p != NULL && fits(&r->issuer, c->iss));
}

static bool find_group(const struct rx *pattern, struct span name, struct claims_group *out)
{
    out->index = pattern != NULL ? rx_group(pattern, name) : -1;
    out->is_literal = out->index >= 0 && rx_group_is_literal(pattern, out->index);
    return out->index >= 0;
}

int claims_rules_find_group(const struct claims_rules *r, struct span name,
                            struct claims_group *out)
{
    struct claims_group of_issuer = {.is_issuer = true};
    *out = (struct claims_group){0};
    bool in_audience = find_group(r->audience.pattern, name, out);
    bool in_issuer = find_group(r->issuer.pattern, name, &of_issuer);
    if (in_issuer) {
        *out = of_issuer;
    }
    return in_audience && in_issuer ? ERR_CONFLICT : in_audience || in_issuer ? 0 : ERR_UNKNOWN;
}

struct span claims_rules_group(const struct claims_rules *r, const struct claims_group *g,
                               const struct claims *c, struct arena *a)
{
    const struct rx *pattern = g->is_issuer ? r->issuer.pattern : r->audience.pattern;
    struct span text = g->is_issuer ? c->iss : find_audience(r, c, a);
    struct span found = {0};
    if (text.p == NULL || !rx_capture(pattern, g->index, text, &found)) {
        return (struct span){0};
    }
    return found;
}
