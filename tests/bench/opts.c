/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one table of options, from which the help is printed, too. */
#include "tests/bench/opts.h"

#include "tests/bench/scenario.h"
#include "tests/bench/util.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind {
    KIND_TEXT,
    KIND_COUNT,
    KIND_CPU,
    KIND_NUMBER,
    KIND_FLAG
};

struct option_row {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *help;
};

#define ROW(NAME, KIND, FIELD, HELP)                                                     \
    {                                                                                    \
        .name = NAME, .kind = KIND, .offset = offsetof(struct opts, FIELD), .help = HELP \
    }

static const struct option_row rows[] = {
    ROW("ws", KIND_TEXT, ws, "URL   server, ws://HOST:PORT[/PATH] or unix:/SOCKET[:/PATH]"),
    ROW("api", KIND_TEXT, api, "URL   HTTP API, http://HOST:PORT[/PREFIX], prefix /api"),
    ROW("api-key", KIND_TEXT, api_key, "KEY   sent as X-API-Key"),
    ROW("secret", KIND_TEXT, secret, "KEY   connect with HS256 tokens of this key"),
    ROW("user", KIND_TEXT, user, "NAME   user of a token, {n} is the connection (bench{n})"),
    ROW("redis", KIND_TEXT, redis, "URL   publish straight into this Redis"),
    ROW("prefix", KIND_TEXT, prefix, "NAME   prefix of the names in Redis (centrifugo)"),
    ROW("via", KIND_TEXT, via, "redis|api   how to publish (redis when --redis is given)"),
    ROW("pids", KIND_TEXT, pids, "N,N   the server's processes; their children are included"),
    ROW("redis-pid", KIND_COUNT, redis_pid, "N   bound to --redis-cpu and never charged"),
    ROW("subscribers", KIND_COUNT, subscribers, "N   connections with one subscription each"),
    ROW("channel", KIND_TEXT, channel, "NAME   channel, {n} is its number (bench)"),
    ROW("channels", KIND_COUNT, channels, "N   spread the connections over N channels (1)"),
    ROW("rate", KIND_NUMBER, rate, "R   publications per second"),
    ROW("payload", KIND_COUNT, payload, "BYTES   size of a publication's data (128)"),
    ROW("seconds", KIND_NUMBER, seconds, "S   length of one phase (3)"),
    ROW("pairs", KIND_COUNT, pairs, "N   phases of server and floor, alternating (10)"),
    ROW("rounds", KIND_COUNT, rounds, "N   repetitions of flat, connect, publish (3)"),
    ROW("window", KIND_COUNT, window, "N   flat: publications under way (96)"),
    ROW("burst", KIND_COUNT, burst, "N   flat: publications handed over at once (32)"),
    ROW("clients", KIND_COUNT, clients, "N   publish: kept connections (32)"),
    ROW("idle-seconds", KIND_NUMBER, idle_seconds,
        "S   idle: a multiple of the ping interval (50)"),
    ROW("opening", KIND_COUNT, opening, "N   connections being made at a time (128)"),
    ROW("missed", KIND_COUNT, missed, "N   storm: publications that each client recovers (10)"),
    ROW("feature", KIND_TEXT, feature,
        "NAME   what the subscriptions have: plain, history, recovery, presence, protobuf, delta, "
        "tags"),
    ROW("protobuf", KIND_FLAG, protobuf, "speak centrifuge-protobuf"),
    ROW("wait-connect", KIND_FLAG, wait_connect, "subscribe only after the connect reply"),
    ROW("server-cpu", KIND_CPU, server_cpu, "N   core of the server and the floor (0)"),
    ROW("client-cpu", KIND_CPU, client_cpu, "N   core of this program (1)"),
    ROW("redis-cpu", KIND_CPU, redis_cpu, "N   core of Redis (1)"),
    ROW("no-pin", KIND_FLAG, no_pin, "leave all processes on all cores"),
    ROW("batches", KIND_TEXT, batches,
        "NAME   how the server sends; `io_uring` has its own limits"),
    ROW("rows", KIND_TEXT, rows, "NAME,NAME   all: only these scenarios, or features by name"),
    ROW("quick", KIND_FLAG, quick, "all: a tenth of the clients and short phases, no verdicts"),
    ROW("self", KIND_FLAG, self, "measure a second floor in the server's place: a ratio of 1"),
    ROW("threads", KIND_FLAG, threads, "print the cost per thread, too"),
    ROW("json", KIND_FLAG, json, "print a line of JSON for each result, too"),
};

enum {
    ROW_COUNT = sizeof(rows) / sizeof(rows[0])
};

static _Noreturn void help(int status)
{
    FILE *out = status ? stderr : stdout;
    fprintf(out, "Usage: push-bench COMMAND [OPTIONS]\n\n"
                 "Measures a server of the Centrifugo protocol beside a bare send() loop.\n\n");
    for (const struct command *c = commands; c->name; c++)
        fprintf(out, "  %-12s %s\n", c->name, c->help);
    fputc('\n', out);
    for (int i = 0; i < ROW_COUNT; i++)
        fprintf(out, "  --%-13s %s\n", rows[i].name, rows[i].help);
    exit(status);
}

static double number(const struct option_row *row, const char *text, double min)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || v < min)
        die("--%s: '%s' is not a number of at least %g", row->name, text, min);
    return v;
}

static void store(struct opts *o, const struct option_row *row, const char *text)
{
    void *field = (char *)o + row->offset;
    switch (row->kind) {
    case KIND_TEXT:
        *(const char **)field = text;
        break;
    case KIND_COUNT:
        *(unsigned *)field = (unsigned)number(row, text, 1);
        break;
    case KIND_CPU:
        *(int *)field = (int)number(row, text, 0);
        break;
    case KIND_NUMBER:
        *(double *)field = number(row, text, 0.01);
        break;
    case KIND_FLAG:
        *(bool *)field = true;
        break;
    }
}

static void defaults(struct opts *o)
{
    *o = (struct opts){
        .prefix = "centrifugo",
        .api_key = "",
        .channel = "bench",
        .user = "bench{n}",
        .batches = "none",
        .feature = "plain",
        .channels = 1,
        .payload = 128,
        .seconds = 3,
        .pairs = 10,
        .rounds = 3,
        .window = 96,
        .burst = 32,
        .clients = 32,
        .opening = 128,
        .missed = 10,
        .idle_seconds = 50,
        .server_cpu = 0,
        .client_cpu = 1,
        .redis_cpu = 1,
    };
}

void opts_parse(struct opts *o, int argc, char **argv)
{
    struct option longs[ROW_COUNT + 2] = {{0}};
    for (int i = 0; i < ROW_COUNT; i++)
        longs[i] = (struct option){
            .name = rows[i].name, .has_arg = rows[i].kind != KIND_FLAG, .val = 256 + i};
    longs[ROW_COUNT] = (struct option){.name = "help", .val = 'h'};
    defaults(o);
    for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (c < 256)
            help(c == 'h' ? 0 : 2);
        store(o, &rows[c - 256], optarg);
    }
    if (optind + 1 != argc)
        help(2);
    o->command = argv[optind];
    if (o->burst >= o->window)
        die("--burst has to be smaller than --window");
    if (!o->via)
        o->via = o->redis ? "redis" : "api";
    if (strcmp(o->via, "redis") && strcmp(o->via, "api"))
        die("--via is redis or api");
}
