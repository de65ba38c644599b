/* SPDX-License-Identifier: Apache-2.0 */
/* What a token says, in words. */
#include "pushctl/token_show.h"

#include <stdio.h>

#include "common/format/b64.h"
#include "common/format/jscan.h"
#include "pushctl/words.h"

/* Above this a number of seconds is a number of milliseconds by mistake. */
#define LATEST_PLAUSIBLE_S INT64_C(100000000000)

struct span token_strip(struct span text)
{
    text = span_trim(text);
    if (text.n >= 7 && span_eq_nocase(span_of(text.p, 7), SPAN("Bearer "))) {
        text = span_trim(span_from(text, 7));
    }
    while (text.n >= 2 && (text.p[0] == '"' || text.p[0] == '\'') &&
           text.p[text.n - 1] == text.p[0]) {
        text = span_trim(span_of(text.p + 1, text.n - 2));
    }
    return text;
}

struct span token_part(struct span token, int part, struct arena *a)
{
    struct span text;
    for (int i = 0; i <= part; i++) {
        if (!span_split(&token, '.', &text)) {
            return (struct span){0};
        }
    }
    struct span bytes;
    while (text.n != 0 && text.p[text.n - 1] == '=') {
        text.n--; /* wrong, but still legible */
    }
    if (b64url_decode(text, a, &bytes) != 0 || !jscan_is_valid(bytes)) {
        return (struct span){0};
    }
    bytes = span_trim(bytes);
    return bytes.p[0] == '{' ? bytes : (struct span){0};
}

struct span token_member(struct span object, const char *name, struct arena *a)
{
    struct span key;
    struct span value;
    struct span found = {0};
    enum jscan_kind kind;
    if (object.p == NULL) {
        return found;
    }
    struct jscan s = jscan_enter(object);
    while (jscan_member(&s, &key, &value, &kind)) {
        if (span_eq_str(jscan_string(key, a), name)) {
            found = value;
        }
    }
    return found;
}

static const struct {
    const char *name;
    const char *before; /* a moment that is to come */
    const char *after;
    const char *zero;
} times[] = {
    {"exp", "expires", "expired", NULL},
    {"nbf", "valid", "valid since", NULL},
    {"iat", "made", "made", NULL},
    {"expire_at", "the session ends", "the session ended", "the session never ends"},
};

static void add_time_note(struct buf *b, struct span name, struct span value, int64_t now_s)
{
    int64_t at = 0;
    size_t i = 0;
    while (i < ARRAY_LEN(times) && !span_eq_str(name, times[i].name)) {
        i++;
    }
    size_t whole = span_find(value, '.', 0);
    if (i == ARRAY_LEN(times) || span_to_i64(span_of(value.p, whole), &at) != 0) {
        return;
    }
    buf_add_str(b, "   ");
    if (at <= 0 && times[i].zero != NULL) {
        buf_add_str(b, times[i].zero);
        return;
    }
    if (at > LATEST_PLAUSIBLE_S) {
        buf_add_str(b, "looks like milliseconds; it has to be seconds");
        return;
    }
    buf_addf(b, "%s ", at > now_s ? times[i].before : times[i].after);
    words_add_moment(b, at, now_s);
    if (at > now_s + 1 && span_eq_str(name, "iat")) {
        buf_add_str(b, ": the clock of whoever made it is ahead");
    }
}

static void show_members(struct span object, const char *prefix, int64_t now_s, struct arena *a)
{
    struct jscan s = jscan_enter(object);
    struct span key;
    struct span value;
    enum jscan_kind kind;
    while (jscan_member(&s, &key, &value, &kind)) {
        struct span name = jscan_string(key, a);
        struct buf b = {0};
        buf_addf(&b, "  %s%.*s", prefix, SPAN_FMT(name));
        while (b.n < 14) {
            buf_add_char(&b, ' ');
        }
        buf_add_char(&b, ' ');
        buf_add_span(&b, value);
        if (kind == JSCAN_NUMBER) {
            add_time_note(&b, name, value, now_s);
        }
        words_print_clean(buf_span(&b));
        putchar('\n');
        buf_free(&b);
    }
}

void token_show(struct span token, int64_t now_s)
{
    struct arena a = {0};
    struct span header = token_part(token, 0, &a);
    struct span payload = token_part(token, 1, &a);
    if (header.p != NULL) {
        show_members(header, "header ", now_s, &a);
    }
    if (payload.p != NULL) {
        show_members(payload, "", now_s, &a);
        if (span_find(payload, ':', 0) == payload.n) {
            puts("  (no claims)");
        }
    }
    arena_fini(&a);
}
