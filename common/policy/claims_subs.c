/* SPDX-License-Identifier: Apache-2.0 */
/* The claims subs, channels, override and their b64 forms: what a token says about subscriptions.
 */
#include "common/format/b64.h"
#include "common/format/jscan.h"
#include "common/policy/claims.h"
#include "common/policy/claims_rows.h"

/* One entry of `subs`. */
struct sub_options {
    struct span info;
    struct span b64info;
    struct span data;
    struct span b64data;
    struct span override;
};

static const struct claim_row option_rows[] = {
    {SPAN("info"), CLAIM_ANY, offsetof(struct sub_options, info), NULL},
    {SPAN("b64info"), CLAIM_STR, offsetof(struct sub_options, b64info),
     "b64info in subs has to be a string"},
    {SPAN("data"), CLAIM_ANY, offsetof(struct sub_options, data), NULL},
    {SPAN("b64data"), CLAIM_STR, offsetof(struct sub_options, b64data),
     "b64data in subs has to be a string"},
    {SPAN("override"), CLAIM_OBJECT, offsetof(struct sub_options, override),
     "override in subs has to be an object"},
};

static const struct {
    struct span name;
    size_t offset;
} overrides[] = {
    {SPAN("presence"), offsetof(struct token_sub, presence)},
    {SPAN("join_leave"), offsetof(struct token_sub, join_leave)},
    {SPAN("force_push_join_leave"), offsetof(struct token_sub, force_push_join_leave)},
    {SPAN("force_recovery"), offsetof(struct token_sub, force_recovery)},
    {SPAN("force_positioning"), offsetof(struct token_sub, force_positioning)},
};

/* {"presence":{"value":true},...}; an empty object is {"value":false}. */
static const char *read_override(struct span object, struct arena *a, struct token_sub *out)
{
    static const char complaint[] =
        "members of override have to be objects such as {\"value\":true}";
    static const struct claim_row value_row = {SPAN("value"), CLAIM_BOOL, 0, complaint};
    static const struct claim_table value_table = {&value_row, 1};
    for (size_t i = 0; object.p != NULL && i < ARRAY_LEN(overrides); i++) {
        const struct claim_row row = {overrides[i].name, CLAIM_OBJECT, 0, complaint};
        const struct claim_table table = {&row, 1};
        struct span value = {0};
        const char *wrong = claims__read(&table, object, a, &value);
        if (wrong == NULL && value.p != NULL) {
            enum token_override verdict = OVERRIDE_FALSE;
            wrong = claims__read(&value_table, value, a, &verdict);
            *(enum token_override *)(void *)((char *)out + overrides[i].offset) = verdict;
        }
        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}

int claims_b64(struct span text, struct arena *a, struct span *value)
{
    return text.n == 0 ? 0 : b64_decode(text, a, value);
}

const char *claims_options(const struct claims *c, struct arena *a, struct token_sub *out)
{
    *out = (struct token_sub){.channel = c->channel, .info = c->info, .data = c->data};
    return read_override(c->override, a, out);
}

static const char *read_sub(struct span value, struct arena *a, struct token_sub *out,
                            bool *bad_b64)
{
    static const struct claim_table table = {option_rows, ARRAY_LEN(option_rows)};
    struct sub_options o = {0};
    const char *wrong = claims__read(&table, value, a, &o);
    if (wrong != NULL) {
        return wrong;
    }
    out->info = o.info;
    out->data = o.data;
    if (claims_b64(o.b64info, a, &out->info) != 0 || claims_b64(o.b64data, a, &out->data) != 0) {
        *bad_b64 = true;
    }
    return read_override(o.override, a, out);
}

/* Tokens are at most 64 KiB and signed, so looking through all before is cheap enough. */
static bool has_channel(const struct token_connect *t, struct span channel)
{
    for (size_t i = 0; i < t->sub_count; i++) {
        if (span_eq(t->subs[i].channel, channel)) {
            return true;
        }
    }
    return false;
}

static size_t count_values(struct span container, bool is_object)
{
    struct jscan s = jscan_enter(container);
    struct span key;
    struct span value;
    enum jscan_kind kind;
    size_t n = 0;
    while (is_object ? jscan_member(&s, &key, &value, &kind) : jscan_element(&s, &value, &kind)) {
        n++;
    }
    return n;
}

static const char *read_subs(struct span subs, struct arena *a, struct token_connect *out,
                             bool *bad_b64)
{
    struct jscan s = jscan_enter(subs);
    struct span raw_key;
    struct span value;
    enum jscan_kind kind;
    while (jscan_member(&s, &raw_key, &value, &kind)) {
        struct token_sub sub = {.channel = jscan_string(raw_key, a)};
        if (has_channel(out, sub.channel)) {
            return "a channel stands twice in subs";
        }
        if (kind != JSCAN_OBJECT && kind != JSCAN_NULL) {
            return "members of subs have to be objects";
        }
        const char *wrong = kind == JSCAN_OBJECT ? read_sub(value, a, &sub, bad_b64) : NULL;
        if (wrong != NULL) {
            return wrong;
        }
        out->subs[out->sub_count++] = sub;
    }
    return NULL;
}

static void read_channels(struct span channels, struct arena *a, struct token_connect *out)
{
    struct jscan s = jscan_enter(channels);
    struct span value;
    enum jscan_kind kind;
    while (jscan_element(&s, &value, &kind)) {
        struct span channel = jscan_string(jscan_unquote(value), a);
        if (!has_channel(out, channel)) {
            out->subs[out->sub_count++] = (struct token_sub){.channel = channel};
        }
    }
}

const char *claims_subs(const struct claims *c, struct arena *a, struct token_connect *out,
                        bool *bad_b64)
{
    size_t in_subs = c->subs.p != NULL ? count_values(c->subs, true) : 0;
    size_t in_channels = c->channels.p != NULL ? count_values(c->channels, false) : 0;
    out->sub_count = 0;
    out->subs = NULL;
    if (in_subs != 0) {
        out->subs = arena_alloc(a, in_subs * sizeof(*out->subs));
        return read_subs(c->subs, a, out, bad_b64);
    }
    if (in_channels != 0) {
        out->subs = arena_alloc(a, in_channels * sizeof(*out->subs));
        read_channels(c->channels, a, out);
    }
    return NULL;
}
