/* SPDX-License-Identifier: Apache-2.0 */
/* connect: a client of the WebSocket protocol that prints every frame and explains what happens. */
#include "pushctl/pushctl.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clk.h"
#include "common/format/jscan.h"
#include "common/policy/token.h"
#include "pushctl/session.h"
#include "pushctl/token_show.h"
#include "pushctl/words.h"

#define OPEN_TIMEOUT_MS 10000
#define MINTED_TTL_S    3600
/* SDKs wait this long for a ping that is late. */
#define PING_GRACE_S 10

struct request {
    const char *config;
    const char *url;
    const char *origin;
    const char *user; /* NULL: none */
    struct span token;
    int64_t count; /* 0: no end */
    int64_t for_s; /* 0: no end */
    struct session_channel channels[SESSION_MAX_CHANNELS];
    size_t channel_count;
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

static int take_option(struct request *r, int option, const char *value)
{
    switch (option) {
    case 'c':
        r->config = value;
        return 0;
    case 'w':
        r->url = value;
        return 0;
    case 'o':
        r->origin = value;
        return 0;
    case 't':
        r->token = token_strip(span_str(value));
        return 0;
    case 'u':
        r->user = value;
        return 0;
    case 's':
        if (r->channel_count == SESSION_MAX_CHANNELS) {
            return pushctl_bad_usage("connect", "no more than %d channels here",
                                     SESSION_MAX_CHANNELS);
        }
        r->channels[r->channel_count++].name = span_str(value);
        return 0;
    case 'n':
        return pushctl_number("connect", "--count", value, &r->count) ? 0 : EXIT_USAGE;
    case 'f':
        if (words_parse_duration(value, &r->for_s) != 0 || r->for_s < 0) {
            return pushctl_bad_usage("connect", "--for wants seconds, or 15m, 24h, not %s", value);
        }
        return 0;
    default:
        return pushctl_bad_usage("connect", NULL);
    }
}

static int parse(struct request *r, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"url", required_argument, NULL, 'w'},
        {"origin", required_argument, NULL, 'o'},
        {"token", required_argument, NULL, 't'},
        {"user", required_argument, NULL, 'u'},
        {"channel", required_argument, NULL, 's'},
        {"count", required_argument, NULL, 'n'},
        {"for", required_argument, NULL, 'f'},
        {0},
    };
    for (int option; (option = getopt_long(argc, argv, "c:u:s:t:", options, NULL)) != -1;) {
        int rc = take_option(r, option, optarg);
        if (rc != 0) {
            return rc;
        }
    }
    if (optind < argc) {
        return pushctl_bad_usage(
            "connect", "\"%s\" belongs to no option; the address goes with --url", argv[optind]);
    }
    if (r->user != NULL && r->token.n != 0) {
        return pushctl_bad_usage("connect",
                                 "--user makes a token, --token brings one: give one of both");
    }
    return 0;
}

/* Makes a token for the user, or for one of the user's channels. It lives in the arena. */
static int mint(const struct conf *c, struct span user, struct span channel, struct arena *a,
                struct span *out)
{
    bool is_apart = channel.n != 0 && c->client.subscription_token.enabled;
    const struct conf_token *t = is_apart ? &c->client.subscription_token : &c->client.token;
    const struct token_mint m = {
        .user = user,
        .user_claim = span_str(t->user_id_claim),
        .iat = clk_wall_s(),
        .exp = clk_wall_s() + MINTED_TTL_S,
        .channel = channel,
        .audience = span_str(t->audience),
        .issuer = span_str(t->issuer),
    };
    struct err e = {0};
    struct buf b = {0};
    int rc = token_mint(&m, span_str(t->hmac_secret_key), &b, &e);
    if (rc != 0) {
        pushctl_fail("cannot make a token: %s", e.text);
    }
    *out = arena_dup(a, buf_span(&b));
    buf_free(&b);
    return rc;
}

/* Private channels open with a token only, so one is made where the key is at hand. */
static void mint_for_channels(struct request *r, const struct conf *c, struct arena *a)
{
    struct span prefix = span_str(c->channel.private_prefix);
    const struct conf_token *t =
        c->client.subscription_token.enabled ? &c->client.subscription_token : &c->client.token;
    struct span user = r->user != NULL ? span_str(r->user) : SPAN("");
    if (r->user == NULL && r->token.n != 0) {
        const char *claim =
            *c->client.token.user_id_claim != '\0' ? c->client.token.user_id_claim : "sub";
        struct span sub = token_member(token_part(r->token, 1, a), claim, a);
        user = sub.n >= 2 && sub.p[0] == '"' ? jscan_string(jscan_unquote(sub), a) : user;
    }
    for (size_t i = 0; i < r->channel_count && *t->hmac_secret_key != '\0'; i++) {
        if (prefix.n != 0 && span_starts(r->channels[i].name, prefix)) {
            mint(c, user, r->channels[i].name, a, &r->channels[i].token);
        }
    }
}

static int find_server(const struct request *r, const struct conf *c, struct net_url *u)
{
    const struct conf_strings *listen = &c->pushd.websocket_listen;
    const char *text = r->url != NULL ? r->url : listen->n != 0 ? listen->items[0] : "";
    struct err e = {0};
    if (r->url == NULL && listen->n == 0) {
        return pushctl_fail(
            "pushd.websocket_listen is empty, so where is the server? Give its address with --url");
    }
    if (r->url == NULL && text[0] != 'u' && strlen(text) > 2 &&
        strcmp(text + strlen(text) - 2, ":0") == 0) {
        return pushctl_fail("pushd.websocket_listen has port 0, which the kernel replaces: look "
                            "for \"listening\" in the log of "
                            "pushd, and give the address with --url");
    }
    if (net_url_parse(text, c->websocket.handler_prefix, u, &e) != 0) {
        return pushctl_fail("%s", e.text);
    }
    if (span_eq_str(span_str(u->path), "/") || *u->path == '\0') {
        snprintf(u->path, sizeof(u->path), "%s", c->websocket.handler_prefix);
    }
    return 0;
}

static const char *refusal_advice(int status)
{
    switch (status) {
    case 400:
    case 426:
        return "the upgrade did not get through: a web server in between has to pass the headers "
               "Upgrade and Connection "
               "(nginx: proxy_http_version 1.1)";
    case 403:
        return "the Origin is not in client.allowed_origins, or the web server in between refuses "
               "it";
    case 404:
        return "no WebSocket there: compare the path with websocket.handler_prefix";
    case 502:
    case 503:
    case 504:
        return "the web server runs, but cannot reach pushd: is pushd running, and on the address "
               "the web server knows?";
    default:
        return http_advice(status);
    }
}

/* What pushd says knows better than the status, and a page of HTML helps nobody. */
static void explain_refusal(const struct http_answer *refusal)
{
    struct span reason = http_header(refusal, "X-Pushd-Reason");
    bool is_page = span_starts(http_header(refusal, "Content-Type"), SPAN("text/html"));
    struct span text = reason.n != 0 ? reason
                       : is_page     ? (struct span){0}
                                     : span_trim(buf_span(&refusal->body));
    const char *advice = reason.n != 0 ? NULL : refusal_advice(refusal->status);
    struct buf b = {0};
    words_add_clean(&b, span_of(text.p, text.n < 300 ? text.n : 300));
    if (b.n != 0) {
        fprintf(stderr, "  it said: %s\n", buf_cstr(&b));
    }
    if (advice != NULL) {
        fprintf(stderr, "  %s\n", advice);
    }
    buf_free(&b);
}

static int explain_no_connection(const struct http_answer *refusal, const struct err *e)
{
    pushctl_fail("%s", e->text);
    if (refusal->status != 0) {
        explain_refusal(refusal);
    } else if (e->code == ERR_UNAVAILABLE) {
        fputs("  Is pushd running? Its log has a line \"listening\" for each address; another "
              "address goes with --url.\n",
              stderr);
    }
    return EXIT_FAILED;
}

/* When to look up from waiting: the end that was asked for, or the ping that should have come. */
static int64_t next_deadline(const struct session *s, int64_t end_ms, int64_t heard_ms,
                             bool has_warned)
{
    int64_t ping_ms = heard_ms + (s->ping_s + PING_GRACE_S) * 1000;
    return s->ping_s > 0 && !has_warned && ping_ms < end_ms ? ping_ms : end_ms;
}

/* 0 when the end that was asked for has come. */
static int talk(const struct request *r, struct session *s, const sigset_t *unblocked,
                struct err *e)
{
    int64_t started_ms = clk_mono_ms();
    int64_t heard_ms = started_ms;
    int64_t end_ms =
        r->for_s > 0 ? started_ms + r->for_s * 1000 : started_ms + INT64_C(366) * 86400 * 1000;
    bool has_warned = false;
    int rc = session_start(s, e);
    while (rc == 0 && !s->is_over && !is_interrupted &&
           (r->count <= 0 || s->publications < (size_t)r->count)) {
        struct ws_frame f;
        rc = ws_client_receive(s->ws, next_deadline(s, end_ms, heard_ms, has_warned), unblocked, &f,
                               e);
        if (rc == 0) {
            heard_ms = clk_mono_ms();
            has_warned = false;
            rc = session_take(s, &f, e);
        } else if (rc == ERR_CANCELED) {
            rc = 0;
        } else if (rc == ERR_TIMEOUT) {
            if (clk_mono_ms() >= end_ms) {
                return 0;
            }
            session_note("no ping for %lld s: an SDK would now reconnect",
                         (long long)(clk_mono_ms() - heard_ms) / 1000);
            has_warned = true;
            s->has_failed = true;
            rc = 0;
        }
    }
    return rc;
}

static int converse(const struct request *r, struct ws_client *ws)
{
    sigset_t signals;
    sigset_t unblocked;
    struct sigaction action = {.sa_handler = on_signal};
    struct err e = {0};
    struct session s = {
        .ws = ws, .token = r->token, .channels = r->channels, .channel_count = r->channel_count};
    /* Signals come through while waiting only, so none is lost between a look at the flag and the
     * wait. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, &unblocked);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    int rc = talk(r, &s, &unblocked, &e);
    if (rc != 0) {
        fflush(stdout);
        pushctl_fail("%s", e.text);
        if (rc == ERR_CLOSED) {
            fputs("  It went without a close frame: the server or something in between stopped; an "
                  "SDK would reconnect.\n",
                  stderr);
        }
        return EXIT_FAILED;
    }
    if (!s.is_over) {
        session_note("closing");
    }
    ws_client_send_close(ws, 1000, NULL);
    return s.has_failed ? EXIT_FAILED : EXIT_OK;
}

static int run(struct request *r, const struct conf *c, struct arena *a)
{
    struct net_url u;
    struct err e = {0};
    struct http_answer refusal = {0};
    int status = find_server(r, c, &u);
    if (status != 0) {
        return status;
    }
    if (r->user != NULL && mint(c, span_str(r->user), (struct span){0}, a, &r->token) != 0) {
        return EXIT_FAILED;
    }
    mint_for_channels(r, c, a);
    struct ws_client *ws = ws_client_open(&u, r->origin, OPEN_TIMEOUT_MS, &refusal, &e);
    if (ws != NULL) {
        session_note("connected to %s%s", u.display, u.path);
        status = converse(r, ws);
        ws_client_free(ws);
    } else {
        status = explain_no_connection(&refusal, &e);
    }
    http_answer_fini(&refusal);
    return status;
}

int cmd_connect(int argc, char **argv)
{
    struct request r = {.config = pushctl_default_config};
    int status = parse(&r, argc, argv);
    if (status != 0) {
        return status;
    }
    struct conf *c = pushctl_load(r.config, true);
    struct arena a = {0};
    status = c != NULL ? run(&r, c, &a) : EXIT_FAILED;
    arena_fini(&a);
    conf_free(c);
    return status;
}
