/* SPDX-License-Identifier: Apache-2.0 */
/* gentoken and gensubtoken: make tokens with the configured key. */
#include "pushctl/pushctl.h"

#include <stdio.h>

#include "common/base/clk.h"
#include "common/policy/token.h"
#include "pushctl/words.h"

#define DEFAULT_TTL_S (7 * 86400)
#define MAX_CHANNELS  64

struct request {
    const char *command;
    bool is_subscription;
    const char *config;
    const char *user;
    const char *info;
    const char *audience;
    const char *issuer;
    int64_t ttl_s;
    bool is_quiet;
    struct span channels[MAX_CHANNELS];
    size_t channel_count;
};

static int add_channel(struct request *r, const char *channel)
{
    if (*channel == '\0') {
        return pushctl_bad_usage(r->command, "a channel has a name that is not empty");
    }
    if (r->channel_count == (r->is_subscription ? 1 : MAX_CHANNELS)) {
        return pushctl_bad_usage(r->command,
                                 r->is_subscription ? "a subscription token is for one channel"
                                                    : "no more than %d channels here",
                                 MAX_CHANNELS);
    }
    r->channels[r->channel_count++] = span_str(channel);
    return 0;
}

static int take_option(struct request *r, int option, const char *value)
{
    switch (option) {
    case 'c':
        r->config = value;
        return 0;
    case 'u':
        r->user = value;
        return 0;
    case 't':
        if (words_parse_duration(value, &r->ttl_s) != 0) {
            return pushctl_bad_usage(
                r->command, "TTL \"%s\" is no time: write seconds, or 15m, 24h, 7d, or -1 for ever",
                value);
        }
        return 0;
    case 's':
        return add_channel(r, value);
    case 'q':
        r->is_quiet = true;
        return 0;
    case 'i':
        r->info = value;
        return 0;
    case 'A':
        r->audience = value;
        return 0;
    case 'I':
        r->issuer = value;
        return 0;
    default:
        return pushctl_bad_usage(r->command, NULL);
    }
}

static int parse(struct request *r, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"user", required_argument, NULL, 'u'},
        {"ttl", required_argument, NULL, 't'},
        {"channel", required_argument, NULL, 's'},
        {"quiet", no_argument, NULL, 'q'},
        {"info", required_argument, NULL, 'i'},
        {"audience", required_argument, NULL, 'A'},
        {"issuer", required_argument, NULL, 'I'},
        {0},
    };
    for (int option; (option = getopt_long(argc, argv, "c:u:t:s:q", options, NULL)) != -1;) {
        int rc = take_option(r, option, optarg);
        if (rc != 0) {
            return rc;
        }
    }
    if (optind < argc) {
        return pushctl_bad_usage(r->command, "\"%s\" belongs to no option", argv[optind]);
    }
    if (r->is_subscription && r->channel_count == 0) {
        return pushctl_bad_usage(r->command, "which channel? Give it with -s CHANNEL");
    }
    return 0;
}

/* Says so when this very configuration would refuse the token, such as for audience_regex. */
static void check_again(const struct request *r, const struct conf *c, const struct conf_token *t,
                        struct span token)
{
    struct err e = {0};
    struct arena a = {0};
    struct token_verifier *v =
        token_verifier_new(t, c->client.insecure_skip_token_signature_verify, &e);
    struct perr_result result = {0};
    if (v == NULL) {
        pushctl_fail("warning: the server cannot use this configuration: %s", e.text);
        return;
    }
    if (r->is_subscription) {
        struct token_subscribe s;
        result = token_read_subscribe(v, token, clk_wall_s(), &a, &s);
    } else {
        struct token_connect s;
        result = token_read_connect(v, token, clk_wall_s(), &a, &s);
    }
    if (result.code != PERR_OK) {
        pushctl_fail("warning: the server would refuse this token: %s", result.detail);
    }
    arena_fini(&a);
    token_verifier_free(v);
}

static void print_token(const struct request *r, const struct token_mint *m, struct span token)
{
    if (!r->is_quiet) {
        struct buf b = {0};
        buf_addf(&b, "%s token (HS256) for ", r->is_subscription ? "Subscription" : "Connection");
        if (m->user.n != 0) {
            buf_addf(&b, "user \"%s\"", r->user);
        } else {
            buf_add_str(&b, "an anonymous user");
        }
        if (r->is_subscription) {
            buf_addf(&b, ", channel \"%.*s\"", SPAN_FMT(m->channel));
        }
        buf_add_str(&b, m->exp == 0 ? ", never expires" : ", expires ");
        if (m->exp != 0) {
            words_add_moment(&b, m->exp, m->iat);
        }
        printf("%s:\n", buf_cstr(&b));
        buf_free(&b);
    }
    printf("%.*s%s", SPAN_FMT(token), r->is_quiet ? "" : "\n");
}

static int make(const struct request *r, const struct conf *c)
{
    bool is_apart = r->is_subscription && c->client.subscription_token.enabled;
    const struct conf_token *t = is_apart ? &c->client.subscription_token : &c->client.token;
    struct token_mint m = {
        .user = span_str(r->user),
        .user_claim = span_str(t->user_id_claim),
        .iat = clk_wall_s(),
        .info_json = r->info != NULL ? span_str(r->info) : (struct span){0},
        .audience = span_str(r->audience != NULL ? r->audience : t->audience),
        .issuer = span_str(r->issuer != NULL ? r->issuer : t->issuer),
    };
    m.exp = r->ttl_s < 0 ? 0 : m.iat + r->ttl_s;
    if (r->is_subscription) {
        m.channel = r->channels[0];
    } else {
        m.channels = r->channels;
        m.channel_count = r->channel_count;
    }
    struct err e = {0};
    struct buf token = {0};
    if (is_apart && *t->hmac_secret_key == '\0') {
        pushctl_fail("client.subscription_token is enabled, but its hmac_secret_key is not set");
    } else if (token_mint(&m, span_str(t->hmac_secret_key), &token, &e) != 0) {
        pushctl_fail("%s", e.text);
    } else {
        print_token(r, &m, buf_span(&token));
        check_again(r, c, t, buf_span(&token));
    }
    int rc = token.n != 0 ? EXIT_OK : EXIT_FAILED;
    buf_free(&token);
    return rc;
}

static int run(struct request *r, int argc, char **argv)
{
    int rc = parse(r, argc, argv);
    if (rc != 0) {
        return rc;
    }
    struct conf *c = pushctl_load(r->config, r->is_quiet);
    if (c == NULL) {
        return EXIT_FAILED;
    }
    rc = make(r, c);
    conf_free(c);
    return rc;
}

int cmd_gentoken(int argc, char **argv)
{
    struct request r = {.command = "gentoken",
                        .config = pushctl_default_config,
                        .user = "",
                        .ttl_s = DEFAULT_TTL_S};
    return run(&r, argc, argv);
}

int cmd_gensubtoken(int argc, char **argv)
{
    struct request r = {.command = "gensubtoken",
                        .config = pushctl_default_config,
                        .user = "",
                        .ttl_s = DEFAULT_TTL_S,
                        .is_subscription = true};
    return run(&r, argc, argv);
}
