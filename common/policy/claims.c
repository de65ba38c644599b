/* SPDX-License-Identifier: Apache-2.0 */
/* The claims of a token, read by a table of their names and types. */
#include "common/policy/claims.h"

#include <stdlib.h>

#include "common/format/jscan.h"
#include "common/policy/claims_rows.h"

#define NUMBER_MAX_BYTES 64
/* 2^53: a double holds every second up to it, and an int64_t holds it in milliseconds. */
#define TIME_LIMIT_S (INT64_C(1) << 53)

static const char twice[] = "a claim stands twice in the token";

#define ROW(member, kind_, must_be)                                                        \
    {                                                                                      \
        .name = SPAN(#member), .kind = (kind_), .offset = offsetof(struct claims, member), \
        .complaint = "claim " #member " has to be " must_be                                \
    }

static const struct claim_row rows[] = {
    {SPAN("sub"), CLAIM_STR, offsetof(struct claims, user),
     "claim sub has to be a string, put the user id between quotes"},
    ROW(exp, CLAIM_DATE, "a number of seconds"),
    ROW(iat, CLAIM_DATE_OR_NULL, "a number of seconds"),
    ROW(nbf, CLAIM_DATE, "a number of seconds"),
    ROW(expire_at, CLAIM_TIME_OR_NULL, "a number of seconds"),
    ROW(channel, CLAIM_STR, "a string"),
    ROW(info, CLAIM_ANY, "JSON"),
    ROW(b64info, CLAIM_STR, "a string"),
    ROW(aud, CLAIM_STR_OR_LIST, "a string or a list of strings"),
    ROW(iss, CLAIM_STR, "a string"),
    ROW(jti, CLAIM_STR, "a string"),
};

/* These mean something in one kind of token only; in the other they are an issuer's own and may be
 * of any type. */
static const struct claim_row connect_rows[] = {
    ROW(meta, CLAIM_ANY, "JSON"),
    ROW(channels, CLAIM_STR_LIST, "a list of strings"),
    ROW(subs, CLAIM_OBJECT, "an object of channels"),
};
static const struct claim_row subscribe_rows[] = {
    ROW(client, CLAIM_STR, "a string"),
    ROW(data, CLAIM_ANY, "JSON"),
    ROW(b64data, CLAIM_STR, "a string"),
    ROW(override, CLAIM_OBJECT, "an object"),
};

static bool read_real(struct span text, struct claim_time *out)
{
    char copy[NUMBER_MAX_BYTES];
    if (text.n >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    double d = strtod(copy, NULL);
    if (!(d >= -(double)TIME_LIMIT_S && d <= (double)TIME_LIMIT_S)) { /* infinity fails, too */
        return false;
    }
    int64_t whole = (int64_t)d;
    double back = (double)whole;
    out->has_fraction = back < d || back > d;
    out->s = back > d ? whole - 1 : whole;
    return true;
}

static bool read_time(struct span value, struct claim_time *out)
{
    *out = (struct claim_time){.is_set = true};
    int rc = span_to_i64(value, &out->s);
    if (rc == 0) {
        return out->s >= -TIME_LIMIT_S && out->s <= TIME_LIMIT_S;
    }
    return rc == ERR_SYNTAX && read_real(value, out);
}

static bool is_list_of_strings(struct span value)
{
    struct jscan s = jscan_enter(value);
    struct span item;
    enum jscan_kind kind;
    while (jscan_element(&s, &item, &kind)) {
        if (kind != JSCAN_STRING) {
            return false;
        }
    }
    return true;
}

static bool is_number(struct span text)
{
    struct jscan s = jscan_of(text);
    struct span value;
    enum jscan_kind kind;
    return jscan_value(&s, &value, &kind) == 0 && kind == JSCAN_NUMBER && value.n == text.n;
}

static bool is_integer(struct span number)
{
    size_t n = number.p[0] == '-';
    while (n < number.n && number.p[n] >= '0' && number.p[n] <= '9') {
        n++;
    }
    return n == number.n;
}

static bool store(const struct claim_row *row, struct span value, enum jscan_kind kind,
                  struct arena *a, void *out)
{
    void *at = (char *)out + row->offset;
    /* null is like absent, as in the reference, but not where a limit would silently go away: exp,
     * nbf, aud. */
    bool may_be_null =
        row->kind != CLAIM_DATE && row->kind != CLAIM_ANY && row->kind != CLAIM_STR_OR_LIST;
    if (kind == JSCAN_NULL && may_be_null) {
        return true;
    }
    switch (row->kind) {
    case CLAIM_STR:
        if (kind == JSCAN_STRING) {
            *(struct span *)at = jscan_string(jscan_unquote(value), a);
        }
        return kind == JSCAN_STRING;
    case CLAIM_DATE:
    case CLAIM_DATE_OR_NULL:
        if (kind == JSCAN_STRING) {
            value = jscan_string(jscan_unquote(value), a);
            return is_number(value) && read_time(value, at);
        }
        return kind == JSCAN_NUMBER && read_time(value, at);
    case CLAIM_TIME_OR_NULL:
        return kind == JSCAN_NUMBER && read_time(value, at);
    case CLAIM_USER:
        if (kind == JSCAN_NUMBER && is_integer(value)) {
            *(struct span *)at = value;
            return true;
        }
        if (kind == JSCAN_STRING) {
            *(struct span *)at = jscan_string(jscan_unquote(value), a);
        }
        return kind == JSCAN_STRING;
    case CLAIM_ANY:
        break;
    case CLAIM_OBJECT:
        if (kind != JSCAN_OBJECT) {
            return false;
        }
        break;
    case CLAIM_STR_LIST:
    case CLAIM_STR_OR_LIST:
        if (!(kind == JSCAN_ARRAY && is_list_of_strings(value)) &&
            !(kind == JSCAN_STRING && row->kind == CLAIM_STR_OR_LIST)) {
            return false;
        }
        break;
    case CLAIM_BOOL:
        if (kind == JSCAN_BOOL) {
            *(enum token_override *)at = value.p[0] == 't' ? OVERRIDE_TRUE : OVERRIDE_FALSE;
        }
        return kind == JSCAN_BOOL;
    }
    *(struct span *)at = value;
    return true;
}

const char *claims__read(const struct claim_table *t, struct span object, struct arena *a,
                         void *out)
{
    struct jscan s = jscan_enter(object);
    struct span raw_key;
    struct span value;
    enum jscan_kind kind;
    uint32_t seen = 0;
    while (jscan_member(&s, &raw_key, &value, &kind)) {
        struct span key = jscan_string(raw_key, a);
        size_t i = 0;
        while (i < t->count && !span_eq(t->rows[i].name, key)) {
            i++;
        }
        if (i == t->count) {
            continue;
        }
        if ((seen & 1U << i) != 0) {
            return twice;
        }
        seen |= 1U << i;
        if (!store(&t->rows[i], value, kind, a, out)) {
            return t->rows[i].complaint;
        }
    }
    return NULL;
}

/* user_id_claim names any claim, those of the table included, so it is looked up apart. */
static const char *read_user(struct span payload, struct span name, struct arena *a,
                             struct span *user)
{
    const struct claim_row row = {
        name, CLAIM_USER, 0, "the claim that user_id_claim names has to be a string or an integer"};
    const struct claim_table table = {&row, 1};
    *user = (struct span){0};
    return claims__read(&table, payload, a, user);
}

const char *claims_decode_times(struct span payload, struct arena *a, struct claims *out)
{
    static const struct claim_row times[] = {
        ROW(exp, CLAIM_DATE, "a number of seconds"),
        ROW(nbf, CLAIM_DATE, "a number of seconds"),
    };
    static const struct claim_table table = {times, ARRAY_LEN(times)};
    *out = (struct claims){0};
    return claims__read(&table, payload, a, out);
}

const char *claims_decode(struct span payload, struct span user_claim, struct arena *a,
                          struct claims *out)
{
    _Static_assert(ARRAY_LEN(rows) <= 32, "claims__read marks rows in 32 bits");
    static const struct claim_table table = {rows, ARRAY_LEN(rows)};
    static const struct claim_table of_connect = {connect_rows, ARRAY_LEN(connect_rows)};
    static const struct claim_table of_subscribe = {subscribe_rows, ARRAY_LEN(subscribe_rows)};
    *out = (struct claims){0};
    const char *wrong = claims__read(&table, payload, a, out);
    out->connect_fault = claims__read(&of_connect, payload, a, out);
    out->subscribe_fault = claims__read(&of_subscribe, payload, a, out);
    if (wrong == NULL && user_claim.n != 0) {
        wrong = read_user(payload, user_claim, a, &out->user);
    }
    if (out->user.p == NULL) {
        out->user = SPAN("");
    }
    return wrong;
}
