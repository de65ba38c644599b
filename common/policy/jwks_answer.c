/* SPDX-License-Identifier: Apache-2.0 */
/* What a server of keys answered, and what that means for a token. */
#include "common/policy/jwks.h"

static const struct {
    const char *name;
    const char *reason;
    const char *detail;
} outcomes[JWKS_OUTCOME_COUNT] = {
    [JWKS_OK] = {"ok", NULL, NULL},
    [JWKS_UNREACHABLE] = {"unreachable", "jwks.unreachable",
                          "jwks_public_endpoint cannot be reached"},
    [JWKS_CERTIFICATE] = {"certificate", "jwks.certificate",
                          "the certificate of jwks_public_endpoint is not trusted"},
    [JWKS_TIMEOUT] = {"timeout", "jwks.timeout",
                      "jwks_public_endpoint does not answer within a second"},
    [JWKS_STATUS] = {"status", "jwks.status",
                     "jwks_public_endpoint answers with another status than 200"},
    [JWKS_REDIRECT] = {"redirect", "jwks.redirect",
                       "jwks_public_endpoint redirects, which is not followed"},
    [JWKS_TOO_LARGE] = {"too_large", "jwks.too_large",
                        "jwks_public_endpoint answers with more than 512 KiB"},
    [JWKS_DOCUMENT] = {"document", "jwks.document",
                       "jwks_public_endpoint answers with no document of keys"},
};

const char *jwks_outcome_name(enum jwks_outcome o)
{
    return outcomes[o].name;
}

struct perr_result jwks_refusal(enum jwks_outcome o)
{
    return (struct perr_result){o == JWKS_OK ? PERR_OK : PERR_CLOSE_INVALID_TOKEN,
                                outcomes[o].reason, outcomes[o].detail};
}

enum jwks_outcome jwks_read_answer(const struct fetch_answer *a, struct jwks **out, struct err *e)
{
    *out = NULL;
    switch (a->failure) {
    case FETCH_OK:
        break;
    case FETCH_UNREACHABLE:
        err_set(e, ERR_UNAVAILABLE, "%s", a->error);
        return JWKS_UNREACHABLE;
    case FETCH_UNTRUSTED:
        err_set(e, ERR_DENIED,
                "%s; a CA of your own has to be among those of the system "
                "(update-ca-certificates) or in the file that the variable SSL_CERT_FILE names",
                a->error);
        return JWKS_CERTIFICATE;
    case FETCH_TIMEOUT:
        err_set(e, ERR_TIMEOUT, "%s", a->error);
        return JWKS_TIMEOUT;
    case FETCH_TOO_LARGE:
        err_set(e, ERR_LIMIT, "more than %d bytes", JWKS_MAX_BYTES);
        return JWKS_TOO_LARGE;
    }
    if (a->status >= 300 && a->status < 400) {
        err_set(e, ERR_INVALID, "status %d: name the address where the document is", a->status);
        return JWKS_REDIRECT;
    }
    if (a->status != 200) {
        err_set(e, ERR_INVALID, "status %d", a->status);
        return JWKS_STATUS;
    }
    *out = jwks_parse(a->body, e);
    return *out != NULL ? JWKS_OK : JWKS_DOCUMENT;
}

bool jwks_is_passing(enum jwks_outcome o, const struct fetch_answer *a)
{
    return o == JWKS_UNREACHABLE || o == JWKS_TIMEOUT || (o == JWKS_STATUS && a->status >= 500);
}
