/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of channels. */
#include "fcgi/template.h"

struct expansion {
    const struct conf *conf;
    struct span user;
    struct arena *arena;
    struct vec *channels;
};

bool template_value_is_safe(const struct conf *c, struct span value)
{
    static const char structural[] = "{}:#&$,;*?[]\"'\\`<>%";
    if (value.n == 0 || value.n > TEMPLATE_MAX_VALUE) {
        return false;
    }
    for (size_t i = 0; i < value.n; i++) {
        char ch = value.p[i];
        if (ch <= ' ' || ch > '~' || strchr(structural, ch) != NULL) {
            return false;
        }
    }
    const struct conf_channel *k = &c->channel;
    return !span_contains(value, k->namespace_boundary) &&
           !span_contains(value, k->user_boundary) && !span_contains(value, k->user_separator) &&
           !span_contains(value, k->private_prefix);
}

static bool has_placeholder(struct span text, struct span name)
{
    for (size_t i = 0; i + name.n <= text.n; i++) {
        if (memcmp(text.p + i, name.p, name.n) == 0) {
            return true;
        }
    }
    return false;
}

/* Replaces {user} and {org}; NULL, or why not. */
static const char *fill_in(const struct expansion *x, struct span text, struct span org,
                           struct span *channel)
{
    struct buf b = {0};
    const char *wrong = NULL;
    for (size_t i = 0; i < text.n && wrong == NULL;) {
        if (text.p[i] != '{') {
            buf_add_char(&b, text.p[i++]);
            continue;
        }
        struct span rest = span_from(text, i);
        bool is_user = span_starts(rest, SPAN("{user}"));
        if (!is_user && !span_starts(rest, SPAN("{org}"))) {
            wrong = "a template has a placeholder other than {user} and {org}";
            break;
        }
        struct span value = is_user ? x->user : org;
        if (!template_value_is_safe(x->conf, value)) {
            wrong = is_user ? "the user id cannot stand in a channel name"
                            : "an organisation id cannot stand in a channel name";
        }
        buf_add_span(&b, value);
        i += is_user ? 6 : 5;
    }
    *channel = arena_dup(x->arena, buf_span(&b));
    buf_free(&b);
    return wrong;
}

static const char *add(const struct expansion *x, struct span text, struct span org)
{
    struct span channel;
    const char *wrong = fill_in(x, text, org, &channel);
    if (wrong != NULL) {
        return wrong;
    }
    struct span *items = x->channels->items;
    for (size_t i = 0; i < x->channels->n; i++) {
        if (span_eq(items[i], channel)) {
            return NULL;
        }
    }
    if (x->channels->n == TEMPLATE_MAX_CHANNELS) {
        return "the session leads to more channels than a token can carry";
    }
    items[x->channels->n++] = channel;
    return NULL;
}

const char *template_expand(const struct conf *c, struct span user, const struct vec *orgs,
                            struct arena *a, struct vec *channels)
{
    const struct conf_strings *templates = &c->pushd.token.channels;
    const struct span *org = orgs->items;
    struct expansion x = {.conf = c, .user = user, .arena = a, .channels = channels};
    *channels = (struct vec){0};
    if (templates->n == 0) {
        return NULL;
    }
    channels->items = arena_alloc(a, TEMPLATE_MAX_CHANNELS * sizeof(struct span));
    for (size_t i = 0; i < templates->n; i++) {
        struct span text = span_str(templates->items[i]);
        bool has_org = has_placeholder(text, SPAN("{org}"));
        for (size_t k = 0; k < (has_org ? orgs->n : 1); k++) {
            const char *wrong = add(&x, text, has_org ? org[k] : SPAN(""));
            if (wrong != NULL) {
                return wrong;
            }
        }
    }
    return NULL;
}
