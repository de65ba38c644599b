/* SPDX-License-Identifier: Apache-2.0 */
/* Fetches the keys that a token needs. */
#include "pushctl/token_fetch.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/policy/conf.h"
#include "pushctl/words.h"

/* One attempt; false when another may help. */
static bool ask(const char *url, enum jwks_outcome *outcome, struct jwks **out, struct err *e)
{
    const struct fetch_spec spec = {
        .url = url, .timeout_ms = JWKS_TIMEOUT_MS, .max_bytes = JWKS_MAX_BYTES};
    struct fetch *f = fetch_new(&spec);
    if (f == NULL) {
        *outcome = JWKS_UNREACHABLE;
        err_set(e, ERR_SYNTAX, "libcurl does not understand the URL");
        return true;
    }
    fetch_run(f);
    *outcome = jwks_read_answer(fetch_answer(f), out, e);
    bool is_final = !jwks_is_passing(*outcome, fetch_answer(f));
    fetch_free(f);
    return is_final;
}

static void tell(const char *url, const struct jwks *d, const struct err *e)
{
    struct buf b = {0};
    buf_add_str(&b, "keys: ");
    conf_url_redact(span_str(url), &b);
    if (d == NULL) {
        buf_addf(&b, ": %s", e->text);
    }
    for (size_t i = 0; d != NULL && i < d->n; i++) {
        buf_addf(&b, "%s \"%.*s\"%s%s", i == 0 ? " has" : ",", SPAN_FMT(d->keys[i].kid),
                 d->keys[i].key == NULL ? ", which cannot be used: " : "",
                 d->keys[i].key == NULL ? d->keys[i].flaw : "");
    }
    if (d != NULL && d->n == 0) {
        buf_add_str(&b, " has none with a kid");
    }
    words_print_clean(buf_span(&b));
    putchar('\n');
    buf_free(&b);
}

struct perr_result token_fetch_key(const struct token_verifier *v, struct jwks_cache *cache,
                                   struct span token, int64_t now_s)
{
    struct arena a = {0};
    struct token_wanted wanted;
    struct jwks *d = NULL;
    struct err e = {0};
    enum jwks_outcome outcome = JWKS_UNREACHABLE;
    struct perr_result r = {.code = PERR_OK};
    if (token_wanted_key(v, token, &a, &wanted)) {
        char *url = span_dup(wanted.url);
        for (int i = 0; i < JWKS_ATTEMPTS && !ask(url, &outcome, &d, &e); i++) {
        }
        tell(url, d, &e);
        if (d != NULL) {
            jwks_cache_put(cache, wanted.url, d, now_s);
        }
        r = d != NULL ? jwks_explain(d, wanted.kid) : jwks_refusal(outcome);
        free(url);
    }
    jwks_free(d);
    arena_fini(&a);
    return r;
}
