/* SPDX-License-Identifier: Apache-2.0 */
/* Durations in Go's syntax. */
#include "common/base/err.h"
#include "common/policy/conf_value.h"

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    {"ns", 1},       {"us", 1000},      {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000},
    {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000},  {"h", 3600000000000},
};

static int64_t unit_ns(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (span_eq_str(name, units[i].name)) {
            return units[i].ns;
        }
    }
    return 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One number with its unit; *s moves behind it. */
static int parse_part(struct span *s, int64_t *ns)
{
    size_t at = 0;
    int64_t whole = 0;
    double fraction = 0;
    double scale = 0.1;
    size_t digits = 0;
    for (; at < s->n && is_digit(s->p[at]); at++, digits++) {
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, s->p[at] - '0', &whole)) {
            return ERR_RANGE;
        }
    }
    if (at < s->n && s->p[at] == '.') {
        for (at++; at < s->n && is_digit(s->p[at]); at++, digits++) {
            fraction += (s->p[at] - '0') * scale;
            scale /= 10;
        }
    }
    size_t unit_at = at;
    while (at < s->n && !is_digit(s->p[at]) && s->p[at] != '.') {
        at++;
    }
    int64_t unit = unit_ns(span_of(s->p + unit_at, at - unit_at));
    if (digits == 0 || unit == 0) {
        return ERR_SYNTAX;
    }
    if (__builtin_mul_overflow(whole, unit, ns) ||
        __builtin_add_overflow(*ns, (int64_t)(fraction * (double)unit + 0.5), ns)) {
        return ERR_RANGE;
    }
    *s = span_from(*s, at);
    return 0;
}

int conf_duration_parse(struct span s, int64_t *ns)
{
    if (span_to_i64(s, ns) == 0) {
        return 0;
    }
    bool negative = s.n > 0 && s.p[0] == '-';
    if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+')) {
        s = span_from(s, 1);
    }
    int64_t total = 0;
    if (s.n == 0) {
        return ERR_SYNTAX;
    }
    while (s.n > 0) {
        int64_t part;
        int rc = parse_part(&s, &part);
        if (rc == 0 && __builtin_add_overflow(total, part, &total)) {
            rc = ERR_RANGE;
        }
        if (rc != 0) {
            return rc;
        }
    }
    *ns = negative ? -total : total;
    return 0;
}

void conf_duration_print(int64_t ms, struct buf *out)
{
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    if (ms < 0) {
        buf_add_char(out, '-');
    }
    if (left == 0) {
        buf_add_str(out, "0s");
    }
    static const struct {
        uint64_t ms;
        const char *name;
    } parts[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (left >= parts[i].ms) {
            buf_add_u64(out, left / parts[i].ms);
            buf_add_str(out, parts[i].name);
            left %= parts[i].ms;
        }
    }
}
