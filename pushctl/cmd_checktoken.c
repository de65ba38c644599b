/* SPDX-License-Identifier: Apache-2.0 */
/* checktoken and checksubtoken: what a token says, whether the server takes it, and if not, what to
 * do. */
#include "pushctl/pushctl.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clk.h"
#include "common/policy/token.h"
#include "pushctl/token_fetch.h"
#include "pushctl/token_guess.h"
#include "pushctl/token_show.h"
#include "pushctl/words.h"

struct check {
    bool is_subscription;
    const struct conf *conf;
    const struct conf_token *rules;
    const char *option; /* path of the rules in the configuration */
    struct span token;
    int64_t now_s;
    bool is_useless; /* a good token that nobody can use */
};

static const struct {
    const char *reason;
    const char *advice;
} advices[] = {
    {"token.malformed", "A token looks like eyJ...eyJ...xyz. Was it cut?"},
    {"token.too_long", "Put less into info, meta or channels."},
    {"token.alg", "Sign with HS256, or with RS256 or ES256 and a configured key."},
    {"token.no_key", "Configure the key; pushctl checkconfig shows which there are."},
    {"token.signature", "Whatever makes tokens needs the same key as the server."},
    {"token.claims", "Repair this claim where the token is made."},
    {"token.audience", "Compare aud with audience or audience_regex."},
    {"token.issuer", "Compare iss with issuer or issuer_regex."},
    {"token.expired", "Make a new one. If it is new, compare the machines' clocks."},
    {"token.not_yet_valid", "Wait, or set the clock of the machine that makes tokens."},
    {"jwks.no_kid", "Whatever makes tokens has to put the kid of its key into their header."},
    {"jwks.url", "Compare iss and aud with the groups in jwks_public_endpoint."},
    {"jwks.alg", "Sign with the alg that the document of keys gives for this kid."},
    {"jwks.kid", "Publish the key before signing with it, or sign with one that is listed."},
    {"jwks.key", "Repair the key in the document, or sign with another one."},
    {"jwks.unreachable", "Try the address with curl from the server's machine."},
    {"jwks.certificate",
     "Compare with openssl s_client -connect; pushd needs the same SSL_CERT_FILE."},
    {"jwks.timeout", "The server waits for one second, twice. Try the address with curl."},
    {"jwks.status", "Try the address with curl from the server's machine."},
    {"jwks.redirect", "Configure the address that it points to."},
    {"jwks.document", "The address has to answer with {\"keys\":[...]}, as curl shows."},
};

static const char *advice_for(const char *reason)
{
    for (size_t i = 0; i < ARRAY_LEN(advices); i++) {
        if (strcmp(advices[i].reason, reason) == 0) {
            return advices[i].advice;
        }
    }
    return NULL;
}

/* What the mistake is, where the claims show it. */
static const char *advice_by_claims(const struct check *k, struct perr_result r)
{
    struct arena a = {0};
    struct span payload = token_part(k->token, 1, &a);
    struct span sub = token_member(payload, "sub", &a);
    struct span channel = token_member(payload, "channel", &a);
    const char *advice = NULL;
    if (strcmp(r.reason, "token.claims") == 0) {
        if (sub.p != NULL && sub.p[0] != '"') {
            advice = "sub has to be text: \"sub\":\"42\". In PHP cast with (string), in JavaScript "
                     "use String(id).";
        } else if (!k->is_subscription && channel.n > 2) {
            advice = "This is a subscription token. Check it with pushctl checksubtoken; for "
                     "connecting make one without channel.";
        } else if (k->is_subscription && channel.n <= 2) {
            advice = "This is a connection token. Check it with pushctl checktoken; for a channel "
                     "add the claim channel.";
        }
    }
    arena_fini(&a);
    return advice;
}

static void print_verdict(const struct check *k, struct perr_result r)
{
    const struct perr_row *row = perr_row(r.code);
    printf("refused: %s (%s)\n", r.detail != NULL ? r.detail : "", r.reason);
    if (r.code == PERR_CLOSE_INVALID_TOKEN && k->is_subscription) {
        puts("  the client gets error 103 \"permission denied\" for this channel");
    } else if (perr_is_error(r.code)) {
        printf("  the client gets error %u \"%s\"%s\n", r.code, row->text,
               r.code == PERR_TOKEN_EXPIRED ? "; an SDK then asks for a new token and tries again"
                                            : "");
    } else {
        printf("  the client is disconnected with %u \"%s\", and an SDK does not try again\n",
               r.code, row->text);
    }
    bool is_jwks = k->rules->jwks_public_endpoint[0] != '\0';
    const char *guess = strcmp(r.reason, "token.signature") == 0 && !is_jwks
                            ? token_guess_key(k->conf, k->is_subscription, k->token, k->now_s)
                            : NULL;
    const char *advice = advice_by_claims(k, r);
    if (guess != NULL) {
        printf("  found: %s\n", guess);
    }
    if (advice == NULL) {
        advice = advice_for(r.reason);
    }
    if (advice != NULL && guess == NULL) {
        printf("  do: %s\n", advice);
    }
}

static void print_user(struct buf *b, struct span user)
{
    if (user.n == 0) {
        buf_add_str(b, "an anonymous user");
    } else {
        buf_add_str(b, "user \"");
        buf_add_span(b, user);
        buf_add_char(b, '"');
    }
}

static void print_end(struct check *k, struct buf *b, const char *what, int64_t expire_at)
{
    bool is_over = expire_at != 0 && expire_at <= k->now_s;
    buf_addf(b, "; the %s %s", what,
             expire_at == 0 ? "does not expire"
             : is_over      ? "expired "
                            : "expires ");
    if (expire_at != 0) {
        words_add_moment(b, expire_at, k->now_s);
    }
    words_print_clean(buf_span(b));
    putchar('\n');
    buf_free(b);
    if (is_over) {
        puts("  but expire_at is over: the client gets error 110 \"expired\"");
        k->is_useless = true;
    }
    if (k->conf->client.insecure_skip_token_signature_verify) {
        puts("  but nobody looked at the signature: client.insecure_skip_token_signature_verify is "
             "on, which is for development");
    }
}

static struct perr_result check_connect(struct check *k, const struct token_verifier *v,
                                        struct arena *a)
{
    struct token_connect t;
    struct perr_result r = token_read_connect(v, k->token, k->now_s, a, &t);
    if (r.code == PERR_OK) {
        struct buf b = {0};
        buf_add_str(&b, "good: ");
        print_user(&b, t.user);
        buf_add_str(&b, " may connect");
        print_end(k, &b, "connection", t.expire_at);
        if (t.user.n == 0 && k->conf->client.disallow_anonymous_connection_tokens) {
            puts("  but client.disallow_anonymous_connection_tokens is on: the client is "
                 "disconnected with 3507");
            k->is_useless = true;
        }
        for (size_t i = 0; i < t.sub_count; i++) {
            fputs("  subscribed by the server to ", stdout);
            words_print_clean(t.subs[i].channel);
            putchar('\n');
        }
    }
    return r;
}

static struct perr_result check_subscribe(struct check *k, const struct token_verifier *v,
                                          struct arena *a)
{
    struct token_subscribe t;
    struct perr_result r = token_read_subscribe(v, k->token, k->now_s, a, &t);
    if (r.code == PERR_OK) {
        struct buf b = {0};
        buf_add_str(&b, "good: ");
        print_user(&b, t.user);
        buf_add_str(&b, " may subscribe to \"");
        buf_add_span(&b, t.channel);
        buf_add_char(&b, '"');
        print_end(k, &b, "subscription", t.expire_at);
        if (t.client.n != 0) {
            fputs("  but only on the connection with the client id ", stdout);
            words_print_clean(t.client);
            putchar('\n');
        }
    }
    return r;
}

static struct perr_result read_token(struct check *k, const struct token_verifier *v,
                                     struct arena *a)
{
    return k->is_subscription ? check_subscribe(k, v, a) : check_connect(k, v, a);
}

static int check(struct check *k)
{
    struct err e = {0};
    struct arena a = {0};
    struct token_verifier *v =
        token_verifier_new(k->rules, k->conf->client.insecure_skip_token_signature_verify, &e);
    if (v == NULL) {
        return pushctl_fail("the server cannot use %s of the configuration: %s", k->option, e.text);
    }
    struct jwks_cache *cache = jwks_cache_new();
    token_verifier_set_cache(v, cache);
    struct perr_result r = read_token(k, v, &a);
    if (token_is_pending(&r)) {
        r = token_fetch_key(v, cache, k->token, k->now_s);
        r = r.code == PERR_OK ? read_token(k, v, &a) : r;
    }
    if (r.code != PERR_OK) {
        print_verdict(k, r);
    }
    bool is_unverified =
        r.code != PERR_OK && r.code != PERR_TOKEN_EXPIRED && strcmp(r.reason, "token.claims") != 0;
    if (token_part(k->token, 1, &a).p != NULL) {
        puts(is_unverified ? "what it says (nobody has to believe it):" : "what it says:");
        token_show(k->token, k->now_s);
    }
    token_verifier_free(v);
    jwks_cache_free(cache);
    arena_fini(&a);
    return r.code == PERR_OK && !k->is_useless ? EXIT_OK : EXIT_FAILED;
}

static void read_stdin(struct buf *b)
{
    b->max = 1 << 20;
    for (int c; (c = getchar()) != EOF && !b->failed;) {
        buf_add_char(b, (char)c);
    }
}

static int run(bool is_subscription, int argc, char **argv)
{
    struct pushctl_common o = {.config = pushctl_default_config, .max_args = 1};
    int status = pushctl_common_options(argc, argv, &o);
    if (status != 0) {
        return status;
    }
    if (optind == argc) {
        return pushctl_bad_usage(
            argv[0], "which token? Give it as the argument, or - to read it from standard input");
    }
    struct buf input = {0};
    struct span token = span_str(argv[optind]);
    if (span_eq_str(token, "-")) {
        read_stdin(&input);
        token = buf_span(&input);
    }
    struct conf *c = pushctl_load(o.config, o.is_quiet);
    if (c != NULL) {
        bool is_apart = is_subscription && c->client.subscription_token.enabled;
        struct check k = {
            .is_subscription = is_subscription,
            .conf = c,
            .rules = is_apart ? &c->client.subscription_token : &c->client.token,
            .option = is_apart ? "client.subscription_token" : "client.token",
            .token = token_strip(token),
            .now_s = clk_wall_s(),
        };
        status = check(&k);
        conf_free(c);
    } else {
        status = EXIT_FAILED;
    }
    buf_free(&input);
    return status;
}

int cmd_checktoken(int argc, char **argv)
{
    return run(false, argc, argv);
}

int cmd_checksubtoken(int argc, char **argv)
{
    return run(true, argc, argv);
}
