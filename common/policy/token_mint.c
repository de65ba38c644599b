/* SPDX-License-Identifier: Apache-2.0 */
/* Making tokens: HS256, claims in a fixed order. */
#include "common/base/mem.h"
#include "common/format/b64.h"
#include "common/format/jscan.h"
#include "common/format/jwrite.h"
#include "common/policy/token.h"
#include "common/policy/token_keys.h"

static void add_name(struct buf *b, struct span name)
{
    if (b->p[b->n - 1] != '{') {
        buf_add_char(b, ',');
    }
    jwrite_string(b, name);
    buf_add_char(b, ':');
}

static void add_text(struct buf *b, struct span name, struct span text)
{
    if (text.n != 0) {
        add_name(b, name);
        jwrite_string(b, text);
    }
}

static void add_time(struct buf *b, struct span name, int64_t s)
{
    if (s != 0) {
        add_name(b, name);
        buf_add_i64(b, s);
    }
}

static void write_claims(const struct token_mint *m, struct buf *b)
{
    buf_add_char(b, '{');
    if (!m->omit_sub) {
        add_name(b, m->user_claim.n != 0 ? m->user_claim : SPAN("sub"));
        jwrite_string(b, m->user);
    }
    add_time(b, SPAN("exp"), m->exp);
    add_time(b, SPAN("iat"), m->iat);
    add_text(b, SPAN("aud"), m->audience);
    add_text(b, SPAN("iss"), m->issuer);
    add_text(b, SPAN("channel"), m->channel);
    if (m->info_json.n != 0) {
        add_name(b, SPAN("info"));
        buf_add_span(b, m->info_json);
    }
    if (m->channel_count != 0) {
        add_name(b, SPAN("channels"));
        for (size_t i = 0; i < m->channel_count; i++) {
            buf_add_char(b, i == 0 ? '[' : ',');
            jwrite_string(b, m->channels[i]);
        }
        buf_add_char(b, ']');
    }
    buf_add_char(b, '}');
}

/* jwrite_string would quietly write another name for a text that is not UTF-8, and tokens name
 * people. */
static int check_texts(const struct token_mint *m, struct err *e)
{
    const struct {
        struct span text;
        const char *what;
    } texts[] = {{m->user, "user"},
                 {m->user_claim, "user claim"},
                 {m->channel, "channel"},
                 {m->audience, "audience"},
                 {m->issuer, "issuer"}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!span_is_utf8(texts[i].text)) {
            return err_set(e, ERR_SYNTAX, "the %s of the token is not UTF-8", texts[i].what);
        }
    }
    for (size_t i = 0; i < m->channel_count; i++) {
        if (!span_is_utf8(m->channels[i])) {
            return err_set(e, ERR_SYNTAX, "channel %zu of the token is not UTF-8", i + 1);
        }
    }
    if (m->info_json.n != 0 && !jscan_is_valid(m->info_json)) {
        return err_set(e, ERR_SYNTAX, "info of the token is not valid JSON: %.*s",
                       (int)(m->info_json.n < 80 ? m->info_json.n : 80), m->info_json.p);
    }
    return 0;
}

int token_mint(const struct token_mint *m, struct span hmac_key, struct buf *out, struct err *e)
{
    if (hmac_key.n == 0) {
        return err_set(e, ERR_MISSING,
                       "no HMAC key to sign tokens with: set client.token.hmac_secret_key in the "
                       "configuration "
                       "or CENTRIFUGO_TOKEN_HMAC_SECRET_KEY in the environment");
    }
    int rc = check_texts(m, e);
    if (rc != 0) {
        return rc;
    }
    struct buf claims = {0};
    struct buf token = {0};
    write_claims(m, &claims);
    b64url_encode(&token, SPAN("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
    buf_add_char(&token, '.');
    b64url_encode(&token, buf_span(&claims));
    unsigned char mac[32];
    rc = token__hmac_sign(hmac_key, buf_span(&token), mac);
    if (rc != 0) {
        err_set(e, rc, "cannot sign the token: %s", err_text(rc));
        goto out;
    }
    buf_add_char(&token, '.');
    b64url_encode(&token, span_of(mac, sizeof(mac)));
    if (token.n > TOKEN_MAX_BYTES) {
        rc = err_set(e, ERR_LIMIT,
                     "the token would have %zu bytes, and tokens longer than %d are refused: put "
                     "less into info "
                     "or channels",
                     token.n, TOKEN_MAX_BYTES);
        goto out;
    }
    buf_add_span(out, buf_span(&token));
    rc = out->failed ? err_set(e, ERR_LIMIT, "no room for the token") : 0;
out:
    mem_wipe(mac, sizeof(mac));
    buf_free(&token);
    buf_free(&claims);
    return rc;
}
