/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: sessions in JSON, and the channels that templates make of them. */
#include "tests/fuzz/fuzz_util.h"

#include "fcgi/session.h"
#include "fcgi/template.h"

static char t1[] = "org:{org}:messages";
static char t2[] = "personal:{user}#{user}";
static char t3[] = "news";
static char t4[] = "{org}{user}{x}";
static char *templates[] = {t1, t2, t3, t4};
static char colon[] = ":";
static char hash[] = "#";
static char comma[] = ",";
static char dollar[] = "$";

static size_t count(struct span s, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        n += s.p[i] == c;
    }
    return n;
}

/* Whatever a session says, a channel keeps the shape of its template. */
static void check_channels(const struct vec *channels)
{
    const struct span *c = channels->items;
    for (size_t i = 0; i < channels->n; i++) {
        bool is_org =
            span_starts(c[i], SPAN("org:")) && count(c[i], ':') == 2 && count(c[i], '#') == 0;
        bool is_personal =
            span_starts(c[i], SPAN("personal:")) && count(c[i], ':') == 1 && count(c[i], '#') == 1;
        fuzz_require(is_org || is_personal || span_eq_str(c[i], t3),
                     "a channel has the shape of a template");
        fuzz_require(count(c[i], '{') == 0 && count(c[i], ',') == 0 && count(c[i], ' ') == 0,
                     "no value brings structure");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf c = {.channel = {.namespace_boundary = colon,
                                 .user_boundary = hash,
                                 .user_separator = comma,
                                 .private_prefix = dollar}};
    struct arena a = {0};
    struct session s = {0};
    struct vec channels;
    if (size == 0) {
        return 0;
    }
    c.pushd.token.channels =
        (struct conf_strings){.items = templates, .n = (data[0] & 1) != 0 ? 3 : 4};
    struct span text = span_of(data + 1, size - 1);
    if (session_from_json(text, "user.id", "orgs", &a, &s)) {
        fuzz_require(s.user.n != 0 && s.orgs.n <= SESSION_MAX_ORGS,
                     "a session has a user and not too many organisations");
    } else {
        fuzz_require(s.detail != NULL, "a refusal says why");
        s = (struct session){.user = text};
        session_add_org_text(&s, text, &a);
    }
    if (template_expand(&c, s.user, &s.orgs, &a, &channels) == NULL) {
        check_channels(&channels);
    }
    arena_fini(&a);
    return 0;
}
