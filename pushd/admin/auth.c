/* SPDX-License-Identifier: Apache-2.0 */
/* Admin password and admin tokens. */
#include "pushd/admin/auth.h"

#include "common/base/arena.h"
#include "common/base/clk.h"
#include "common/base/mem.h"
#include "common/base/rnd.h"
#include "common/format/b64.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define MAC_BYTES       32
#define MAX_TOKEN_BYTES 512

/* What a token says: the word "authorized" as the reference's language serialises it. */
#define SUBJECT             \
    SPAN("\x0d\x0c\x00\x0a" \
         "authorized")

void admin_auth_init(struct admin_auth *a, const struct conf *conf)
{
    *a = (struct admin_auth){
        .password = conf->admin.password,
        .secret = span_str(conf->admin.secret),
        .is_insecure = conf->admin.insecure,
        .limit = {.period_ms = 10000, .burst = 5},
    };
    if (a->secret.n == 0) {
        rnd_bytes(a->own_secret, sizeof(a->own_secret));
        a->secret = span_of(a->own_secret, sizeof(a->own_secret));
    }
}

void admin_auth_fini(struct admin_auth *a)
{
    mem_wipe(a, sizeof(*a));
}

/* ---- throttling ---- */

static void forgive(struct admin_auth *a, int64_t now_ms)
{
    int64_t periods = (now_ms - a->forgiven_ms) / ADMIN_AUTH_PERIOD_MS;
    if (a->failures == 0 || periods >= a->failures) {
        a->failures = 0;
        a->forgiven_ms = now_ms;
    } else if (periods > 0) {
        a->failures -= (unsigned)periods;
        a->forgiven_ms += periods * ADMIN_AUTH_PERIOD_MS;
    }
}

unsigned admin_auth_retry_s(const struct admin_auth *a)
{
    int64_t left_ms = a->forgiven_ms + ADMIN_AUTH_PERIOD_MS - clk_mono_ms();
    return left_ms > 1000 ? (unsigned)((left_ms + 999) / 1000) : 1;
}

static void count_failure(struct admin_auth *a, int64_t now_ms)
{
    a->failures++;
    uint32_t left_out;
    if (log_limit_pass(&a->limit, now_ms, &left_out)) {
        log_warn(LOG_ADMIN, "admin login failed: wrong password", LOG_NUM("failures", a->failures),
                 LOG_NUM("left_out", left_out));
    }
}

enum admin_access admin_auth_login(struct admin_auth *a, struct span password)
{
    if (a->is_insecure) {
        return ADMIN_ACCESS_GRANTED;
    }
    if (*a->password == '\0') {
        return ADMIN_ACCESS_NO_PASSWORD;
    }
    int64_t now_ms = clk_mono_ms();
    forgive(a, now_ms);
    if (a->failures >= ADMIN_AUTH_BURST) {
        return ADMIN_ACCESS_THROTTLED;
    }
    if (!mem_eq_secret(a->password, strlen(a->password), password.p, password.n)) {
        count_failure(a, now_ms);
        return ADMIN_ACCESS_WRONG;
    }
    return ADMIN_ACCESS_GRANTED;
}

/* ---- tokens ---- */

/* HMAC-SHA256 over "token|" and the first two parts. */
static bool make_mac(const struct admin_auth *a, struct span parts, unsigned char mac[MAC_BYTES])
{
    struct buf message = {0};
    unsigned n = 0;
    buf_add_str(&message, "token|");
    buf_add_span(&message, parts);
    bool is_made = HMAC(EVP_sha256(), a->secret.p, (int)a->secret.n,
                        (const unsigned char *)message.p, message.n, mac, &n) != NULL;
    buf_free(&message);
    return is_made && n == MAC_BYTES;
}

static void add_padding(struct buf *b, size_t start)
{
    while ((b->n - start) % 4 != 0) {
        buf_add_char(b, '=');
    }
}

/* base64url(T "|" base64url(SUBJECT) "|" MAC), both with padding. */
void admin_auth_token(const struct admin_auth *a, struct buf *out)
{
    struct buf text = {0};
    unsigned char mac[MAC_BYTES];
    buf_add_i64(&text, clk_wall_s());
    buf_add_char(&text, '|');
    size_t start = text.n;
    b64url_encode(&text, SUBJECT);
    add_padding(&text, start);
    if (make_mac(a, buf_span(&text), mac)) {
        buf_add_char(&text, '|');
        buf_add(&text, mac, sizeof(mac));
        start = out->n;
        b64url_encode(out, buf_span(&text));
        add_padding(out, start);
    }
    buf_free(&text);
}

/* Decodes base64url whose padding is there or not. */
static int decode_url(struct span text, struct arena *arena, struct span *out)
{
    for (int i = 0; i < 2 && text.n != 0 && text.p[text.n - 1] == '='; i++) {
        text.n--;
    }
    return b64url_decode(text, arena, out);
}

/* `text` is the token without its outer coding. */
static bool is_genuine(const struct admin_auth *a, struct span text, struct arena *arena)
{
    size_t bar = span_find(text, '|', 0);
    size_t second = span_find(text, '|', bar + 1);
    if (second >= text.n || text.n - second - 1 != MAC_BYTES) {
        return false;
    }
    unsigned char mac[MAC_BYTES];
    uint64_t issued_s;
    struct span subject;
    if (!make_mac(a, span_of(text.p, second), mac) ||
        !mem_eq_secret(mac, sizeof(mac), text.p + second + 1, MAC_BYTES)) {
        return false;
    }
    return span_to_u64(span_of(text.p, bar), &issued_s) == 0 && issued_s <= INT64_MAX &&
           decode_url(span_of(text.p + bar + 1, second - bar - 1), arena, &subject) == 0 &&
           span_eq(subject, SUBJECT) && clk_wall_s() - (int64_t)issued_s <= ADMIN_TOKEN_LIFETIME_S;
}

bool admin_auth_token_is_valid(const struct admin_auth *a, struct span token)
{
    if (token.n == 0 || token.n > MAX_TOKEN_BYTES) {
        return false;
    }
    struct arena arena = {0};
    struct span text;
    bool is_valid = decode_url(token, &arena, &text) == 0 && is_genuine(a, text, &arena);
    arena_fini(&arena);
    return is_valid;
}

/* ---- the header ---- */

/* Splits "Scheme credentials". */
static struct span scheme_of(struct span header, struct span *credentials)
{
    struct span all = span_trim(header);
    size_t space = span_find(all, ' ', 0);
    *credentials = span_trim(span_from(all, space));
    return span_of(all.p, space);
}

bool admin_auth_is_token(struct span authorization)
{
    struct span credentials;
    return span_eq_nocase(scheme_of(authorization, &credentials), SPAN("token"));
}

static enum admin_access check_basic(struct admin_auth *a, struct span credentials)
{
    struct arena arena = {0};
    struct span text;
    enum admin_access access = ADMIN_ACCESS_WRONG;
    if (b64_decode(credentials, &arena, &text) == 0) {
        size_t colon = span_find(text, ':', 0);
        access = admin_auth_login(a, span_from(text, colon + 1));
        union {
            const char *in;
            void *out;
        } unconst = {.in = text.p}; /* the decoded copy in our arena */
        mem_wipe(unconst.out, text.n);
    }
    arena_fini(&arena);
    return access;
}

enum admin_access admin_auth_check(struct admin_auth *a, struct span authorization)
{
    if (a->is_insecure) {
        return ADMIN_ACCESS_GRANTED;
    }
    struct span credentials;
    struct span scheme = scheme_of(authorization, &credentials);
    bool is_token = span_eq_nocase(scheme, SPAN("token"));
    if (is_token && admin_auth_token_is_valid(a, credentials)) {
        return ADMIN_ACCESS_GRANTED;
    }
    if (*a->password == '\0') {
        return ADMIN_ACCESS_NO_PASSWORD;
    }
    if (span_eq_nocase(scheme, SPAN("Basic"))) {
        return check_basic(a, credentials);
    }
    return is_token && credentials.n != 0 ? ADMIN_ACCESS_WRONG : ADMIN_ACCESS_MISSING;
}
