/* SPDX-License-Identifier: Apache-2.0 */
/* push-bench: measures a server of the Centrifugo protocol beside a bare send() loop. */
#include "tests/bench/payload.h"
#include "tests/bench/scenario.h"
#include "tests/bench/util.h"

#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned subscribers_or(const struct bench *b, unsigned otherwise)
{
    return b->o.subscribers ? b->o.subscribers : otherwise;
}

static void run_fanout(struct bench *b)
{
    struct fanout_result r;
    struct fanout_spec spec = {.name = "fanout", .subscribers = subscribers_or(b, 1000)};
    spec.rate = b->o.rate > 0 ? b->o.rate : spec.subscribers < 5000 ? 50 : 5;
    scenario_fanout(b, &spec, &r);
}

static void run_flat(struct bench *b)
{
    struct flat_result r;
    scenario_flat(b, subscribers_or(b, 1000), &r);
}

static void hold(struct bench *b, unsigned rounds, bool memory, bool idle)
{
    struct hold_result r;
    struct hold_spec spec = {.feature = b->feature,
                             .clients = subscribers_or(b, 10000),
                             .rounds = rounds,
                             .memory = memory,
                             .idle = idle};
    scenario_hold(b, &spec, &r);
}

static void run_memory(struct bench *b)
{
    hold(b, 1, true, false);
}

static void run_idle(struct bench *b)
{
    hold(b, 1, false, true);
}

static void run_connect(struct bench *b)
{
    hold(b, b->o.rounds, false, false);
}

static void run_publish(struct bench *b)
{
    struct publish_result r;
    scenario_publish(b, &r);
}

static void run_storm(struct bench *b)
{
    struct storm_result r;
    scenario_storm(b, subscribers_or(b, 10000), &r);
}

static void run_wait_redis(struct bench *b)
{
    if (!b->o.redis || !redis_wait(&b->redis, 10))
        die("Redis at %s does not answer", b->o.redis ? b->o.redis : "(no --redis)");
}

/* The kernel or the sandbox may forbid it. */
static void run_has_io_uring(struct bench *b)
{
    struct io_uring_params params = {0};
    long fd = syscall(SYS_io_uring_setup, 1, &params);
    (void)b;
    if (fd < 0)
        exit(1);
    close((int)fd);
}

static void run_free_port(struct bench *b)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    (void)b;
    if (fd < 0 || bind(fd, (struct sockaddr *)&in, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&in, &len) < 0)
        die("there is no free port");
    printf("%u\n", ntohs(in.sin_port));
    close(fd);
}

#define COMMAND(NAME, RUN, NEEDS_SERVER, HELP)                               \
    {                                                                        \
        .name = NAME, .run = RUN, .needs_server = NEEDS_SERVER, .help = HELP \
    }

const struct command commands[] = {
    COMMAND("all", scenario_all, true, "the scenarios below at fixed sizes, and their limits"),
    COMMAND("fanout", run_fanout, true, "CPU per delivery and latency, against the floor"),
    COMMAND("flat", run_flat, true, "as many publications as the server takes"),
    COMMAND("memory", run_memory, true, "memory per subscribed client; on a fresh server"),
    COMMAND("idle", run_idle, true, "CPU of clients that only answer pings"),
    COMMAND("connect", run_connect, true, "CPU of connect, token and one subscribe"),
    COMMAND("publish", run_publish, true, "POST publish on kept connections"),
    COMMAND("storm", run_storm, true, "everybody reconnects and recovers what was missed"),
    COMMAND("wait-redis", run_wait_redis, false, "for scripts: return when --redis answers"),
    COMMAND("free-port", run_free_port, false, "for scripts: print an unused TCP port"),
    COMMAND("has-io-uring", run_has_io_uring, false, "for scripts: status 1 when it is forbidden"),
    {0},
};

static void watch_processes(struct bench *b)
{
    if (b->o.redis_pid)
        procs_add(&b->redis_procs, (pid_t)b->o.redis_pid);
    for (const char *p = b->o.pids; p && *p;) {
        char *end;
        long pid = strtol(p, &end, 10);
        if (end == p || pid <= 0)
            die("--pids: '%s' is no list of process numbers", b->o.pids);
        if (pid != (long)b->o.redis_pid)
            procs_add(&b->server, (pid_t)pid);
        p = end + strspn(end, ", ");
    }
    if (!b->server.count && !b->o.self)
        note("without --pids nothing of the server's cost can be seen");
}

static void check(struct bench *b, const struct command *c)
{
    const struct opts *o = &b->o;
    if (o->payload < PAYLOAD_MIN || o->payload > PAYLOAD_MAX)
        die("--payload has to be %d to %d bytes", PAYLOAD_MIN, PAYLOAD_MAX);
    if (c->needs_server && !o->ws && !o->self && c->run != run_publish)
        die("%s needs --ws", c->name);
    if (o->protobuf && *b->feature->wish)
        die("--feature %s goes with JSON only", b->feature->name);
    if (o->self && (c->run != run_fanout || o->protobuf))
        die("--self goes with fanout and JSON only");
    if (o->server_cpu >= cpus_count() || o->client_cpu >= cpus_count() ||
        o->redis_cpu >= cpus_count()) {
        note("there are %d cores: nothing is bound to one", cpus_count());
        b->o.no_pin = true;
    }
}

int main(int argc, char **argv)
{
    struct bench *b = xcalloc(1, sizeof(*b));
    cpus_remember();
    opts_parse(&b->o, argc, argv);
    const struct command *c = commands;
    while (c->name && strcmp(c->name, b->o.command))
        c++;
    if (!c->name)
        die("there is no command '%s', see --help", b->o.command);
    b->feature = feature_find(b->o.feature);
    b->o.protobuf = b->o.protobuf || b->feature->is_protobuf;
    check(b, c);
    if (b->o.ws)
        target_parse(&b->ws, b->o.ws, "/connection/websocket");
    if (b->o.api)
        target_parse(&b->api, b->o.api, "/api");
    if (b->o.redis)
        target_parse(&b->redis, b->o.redis, "/");
    channels_make(&b->channels, b->feature->space, b->o.channel, b->o.channels);
    if (c->needs_server)
        watch_processes(b);
    c->run(b);
    bench_pin(b, true); /* leaves the server as it was found */
    channels_free(&b->channels);
    free(b);
    return 0;
}
