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

bool claims_rules_accept_audience(const struct claims_rules *r, const struct claims *c,
                                  struct arena *a)
{
    if (!is_demanded(&r->audience)) {
        return true;
    }
    if (c->aud.p == NULL) {
        return false;
    }
    if (c->aud.p[0] == '"') {
        return fits(&r->audience, jscan_string(jscan_unquote(c->aud), a));
    }
    struct jscan s = jscan_enter(c->aud);
    struct span item;
    enum jscan_kind kind;
    while (jscan_element(&s, &item, &kind)) {
        if (fits(&r->audience, jscan_string(jscan_unquote(item), a))) {
            return true;
        }
    }
    return false;
}

bool claims_rules_accept_issuer(const struct claims_rules *r, const struct claims *c)
{
    return !is_demanded(&r->issuer) || (c->iss.p != NULL && fits(&r->issuer, c->iss));
}
