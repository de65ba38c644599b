/* SPDX-License-Identifier: Apache-2.0 */
/* publish: sends one message to a channel through the HTTP API, and explains what the server says.
 */
#include "pushctl/pushctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/format/jscan.h"
#include "common/format/jwrite.h"
#include "common/protocol/perr.h"
#include "pushctl/http.h"
#include "pushctl/token_show.h"
#include "pushctl/words.h"

#define TIMEOUT_MS      10000
#define MAX_INPUT_BYTES (16 << 20)
#define MAX_SHOWN_BYTES 300

struct request {
    const char *config;
    const char *api;
    const char *key;
    bool is_quiet;
    struct span channel;
    struct span data;
};

static int parse(struct request *r, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"api", required_argument, NULL, 'a'},
        {"key", required_argument, NULL, 'k'},
        {"quiet", no_argument, NULL, 'q'},
        {0},
    };
    for (int option; (option = getopt_long(argc, argv, "c:a:k:q", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            r->config = optarg;
            break;
        case 'a':
            r->api = optarg;
            break;
        case 'k':
            r->key = optarg;
            break;
        case 'q':
            r->is_quiet = true;
            break;
        default:
            return pushctl_bad_usage(argv[0], NULL);
        }
    }
    if (argc - optind != 2) {
        return pushctl_bad_usage(
            argv[0], argc - optind < 2
                         ? "it takes a channel and JSON, such as: publish news '{\"text\":\"hi\"}'"
                         : "too many arguments; put the JSON between single quotes");
    }
    r->channel = span_str(argv[optind]);
    r->data = span_str(argv[optind + 1]);
    return 0;
}

static int read_input(struct buf *b)
{
    b->max = MAX_INPUT_BYTES;
    for (int c; (c = getchar()) != EOF && !b->failed;) {
        buf_add_char(b, (char)c);
    }
    return b->failed ? pushctl_fail("more than %d bytes on standard input", MAX_INPUT_BYTES) : 0;
}

/* The web server in front took the place where the API of http_server used to be. */
static void add_default_api(const struct conf *c, struct buf *b)
{
    const char *host = c->http_server.address;
    bool is_ipv6 = strchr(host, ':') != NULL && host[0] != '[';
    buf_addf(b, "http://%s%s%s:%lld", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "",
             (long long)c->http_server.port);
}

/* Where the method is. An address that has a path already may contain the prefix of the API. */
static int find_method(const struct request *r, const struct conf *c, struct net_url *u)
{
    struct err e = {0};
    struct buf b = {0};
    const char *environment = getenv("CENTRIFUGO_URL");
    bool is_from_environment = r->api == NULL && environment != NULL && *environment != '\0';
    if (r->api == NULL && !is_from_environment) {
        add_default_api(c, &b);
    }
    const char *base = r->api != NULL ? r->api : is_from_environment ? environment : buf_cstr(&b);
    int rc = net_url_parse(base, "", u, &e);
    buf_free(&b);
    if (rc != 0) {
        return pushctl_fail("%s%s", is_from_environment ? "CENTRIFUGO_URL: " : "", e.text);
    }
    struct span path = span_str(u->path);
    struct span prefix = span_str(c->http_api.handler_prefix);
    while (path.n != 0 && path.p[path.n - 1] == '/') {
        path.n--;
    }
    bool has_prefix = path.n >= prefix.n && span_eq(span_from(path, path.n - prefix.n), prefix);
    buf_addf(&b, "%.*s%s/publish", SPAN_FMT(path), has_prefix ? "" : c->http_api.handler_prefix);
    rc = b.n < sizeof(u->path) ? 0 : pushctl_fail("the path of the API is too long");
    if (rc == 0) {
        memcpy(u->path, buf_cstr(&b), b.n + 1);
    }
    buf_free(&b);
    return rc;
}

static void print_part(FILE *to, struct span text)
{
    struct buf b = {0};
    text = span_trim(text);
    words_add_clean(&b, span_of(text.p, text.n < MAX_SHOWN_BYTES ? text.n : MAX_SHOWN_BYTES));
    fprintf(to, "%s", buf_cstr(&b));
    buf_free(&b);
}

/* 102: which namespace is meant, and whether the file has it. Returns false when there is nothing
 * to say. */
static bool explain_channel(const struct request *r, const struct conf *c)
{
    struct span name = r->channel;
    struct span prefix = span_str(c->channel.private_prefix);
    const char *boundary = c->channel.namespace_boundary;
    if (prefix.n != 0 && span_starts(name, prefix)) {
        name = span_from(name, prefix.n);
    }
    size_t end = *boundary != '\0' ? span_find(name, *boundary, 0) : name.n;
    if (end == name.n) {
        return false;
    }
    name.n = end;
    fprintf(stderr, "  the namespace of %.*s is \"%.*s\"; ", SPAN_FMT(r->channel), SPAN_FMT(name));
    for (size_t i = 0; i < c->channel.namespace_count; i++) {
        if (span_eq_str(name, c->channel.namespaces[i].name)) {
            fprintf(stderr,
                    "%s has it, so push-api runs with another file or was not restarted since\n",
                    r->config);
            return true;
        }
    }
    fprintf(stderr,
            "channel.namespaces of %s has no such name: add it, or use a channel without \"%s\"\n",
            r->config, boundary);
    return true;
}

static int explain_error(const struct request *r, const struct conf *c, struct span error,
                         struct arena *a)
{
    uint64_t code = 0;
    struct span message = token_member(error, "message", a);
    span_to_u64(token_member(error, "code", a), &code);
    struct span words = message.n >= 2 && message.p[0] == '"' ? jscan_unquote(message) : SPAN("");
    pushctl_fail("the server refused it: error %u, %.*s", (unsigned)code, SPAN_FMT(words));
    const char *advice = words_advice((uint32_t)code);
    if (!(code == PERR_UNKNOWN_CHANNEL && explain_channel(r, c)) && advice != NULL) {
        fprintf(stderr, "  %s\n", advice);
    }
    return EXIT_FAILED;
}

static int report_result(const struct request *r, struct span result, struct arena *a)
{
    if (r->is_quiet) {
        return EXIT_OK;
    }
    struct span offset = token_member(result, "offset", a);
    struct span epoch = token_member(result, "epoch", a);
    printf("published to %.*s", SPAN_FMT(r->channel));
    if (offset.p != NULL) {
        struct span text = epoch.n >= 2 && epoch.p[0] == '"' ? jscan_unquote(epoch) : SPAN("?");
        printf(", offset %.*s, epoch %.*s\n", SPAN_FMT(offset), SPAN_FMT(text));
    } else {
        puts(" (no history there: only those who listen now get it)");
    }
    return EXIT_OK;
}

/* What push-api says of a request that it refuses by a status: a key without the right to do it. */
static void tell_error(const struct http_answer *answer)
{
    struct arena a = {0};
    struct span body = span_trim(buf_span(&answer->body));
    bool is_object = jscan_is_valid(body) && body.p[0] == '{';
    struct span error = is_object ? token_member(body, "error", &a) : (struct span){0};
    struct span message = error.p != NULL && error.p[0] == '{' ? token_member(error, "message", &a)
                                                               : (struct span){0};
    if (message.p != NULL && message.p[0] == '"') {
        fputs("  ", stderr);
        print_part(stderr, jscan_string(jscan_unquote(message), &a));
        fputc('\n', stderr);
    }
    arena_fini(&a);
}

static int report(const struct request *r, const struct conf *c, const struct net_url *u,
                  const struct http_answer *answer)
{
    if (answer->status != 200) {
        pushctl_fail("%s%s answered with status %d", u->display, u->path, answer->status);
        struct span location = http_header(answer, "Location");
        if (location.p != NULL) {
            fputs("  it points to ", stderr);
            print_part(stderr, location);
            fputc('\n', stderr);
        }
        tell_error(answer);
        const char *advice = http_advice(answer->status);
        if (advice != NULL) {
            fprintf(stderr, "  %s\n", advice);
        }
        return EXIT_FAILED;
    }
    struct arena a = {0};
    struct span body = span_trim(buf_span(&answer->body));
    bool is_object = jscan_is_valid(body) && body.p[0] == '{';
    struct span error = is_object ? token_member(body, "error", &a) : (struct span){0};
    struct span result = is_object ? token_member(body, "result", &a) : (struct span){0};
    int status = EXIT_FAILED;
    if (error.p != NULL && error.p[0] == '{') {
        status = explain_error(r, c, error, &a);
    } else if (result.p != NULL && result.p[0] == '{') {
        status = report_result(r, result, &a);
    } else {
        pushctl_fail("%s%s is not the API of push-api; it answered:", u->display, u->path);
        fputs("  ", stderr);
        print_part(stderr, body);
        fputc('\n', stderr);
    }
    arena_fini(&a);
    return status;
}

static int publish(const struct request *r, const struct conf *c)
{
    struct net_url u;
    int status = find_method(r, c, &u);
    if (status != 0) {
        return status;
    }
    struct err e = {0};
    struct buf body = {0};
    struct http_answer answer = {0};
    buf_add_str(&body, "{\"channel\":");
    jwrite_string(&body, r->channel);
    buf_add_str(&body, ",\"data\":");
    buf_add_span(&body, r->data);
    buf_add_char(&body, '}');
    int rc = http_post(&u, r->key != NULL ? r->key : c->http_api.key, buf_span(&body), TIMEOUT_MS,
                       &answer, &e);
    if (rc == 0) {
        status = report(r, c, &u, &answer);
    } else {
        status = pushctl_fail("%s", e.text);
        if (rc == ERR_UNAVAILABLE) {
            fprintf(stderr, "  The API is push-api behind a web server: is the web server running, "
                            "and on this address?\n"
                            "  Another address goes with --api http://HOST:PORT or the environment "
                            "variable CENTRIFUGO_URL.\n");
        }
    }
    http_answer_fini(&answer);
    buf_free(&body);
    return status;
}

int cmd_publish(int argc, char **argv)
{
    struct request r = {.config = pushctl_default_config};
    struct buf input = {0};
    int status = parse(&r, argc, argv);
    if (status != 0) {
        return status;
    }
    if (span_eq_str(r.data, "-")) {
        status = read_input(&input);
        r.data = buf_span(&input);
    }
    if (status == 0 && r.channel.n == 0) {
        status = pushctl_bad_usage(argv[0], "a channel has a name that is not empty");
    } else if (status == 0 && !jscan_is_valid(r.data)) {
        status = pushctl_fail("this is not JSON: %.*s\n  Text needs quotes of its own: pushctl "
                              "publish news '\"hello\"'",
                              (int)(r.data.n < 100 ? r.data.n : 100), r.data.p);
    }
    struct conf *c = status == 0 ? pushctl_load(r.config, true) : NULL;
    if (c != NULL) {
        status = publish(&r, c);
    } else if (status == 0) {
        status = EXIT_FAILED;
    }
    conf_free(c);
    buf_free(&input);
    return status;
}
