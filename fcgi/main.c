/* SPDX-License-Identifier: Apache-2.0 */
/* push-api: the HTTP server API and the token endpoint behind a FastCGI web server. */
#include "common/base/clk.h"
#include "common/base/listen.h"
#include "common/base/log.h"
#include "common/base/priv.h"
#include "common/base/sd.h"
#include "common/base/version.h"
#include "fcgi/api.h"
#include "fcgi/listener.h"
#include "fcgi/registry.h"
#include "fcgi/serve.h"

#include <fcgiapp.h>
#include <jansson.h>
#include <openssl/crypto.h>

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long the start waits for Redis before it serves without; and how long a thread may be busy
 * before the watchdog is told nothing any more. */
#define FIRST_MS 1500
#define STUCK_MS 60000

/* As in sysexits.h; the units do not restart after these. */
enum {
    EXIT_USAGE = 64,
    EXIT_CONFIG = 78
};

extern char **environ;

static const char usage[] =
    "Usage: push-api [-c FILE]\n"
    "Serves the HTTP API and the token endpoint of pushd behind a FastCGI web server.\n"
    "\n"
    "  -c, --config FILE   configuration, default " PUSHD_SYSCONFDIR "/pushd/config.json\n"
    "      --help          this text\n"
    "      --version       version and libraries\n"
    "\n"
    "The listening socket comes from systemd (a .socket unit), from spawn-fcgi (descriptor 0),\n"
    "or is opened at pushd.api_listen. SIGTERM stops after the running requests, SIGHUP reopens\n"
    "the log file. See push-api(8).\n";

struct program {
    struct conf *conf;
    struct listener listener;
    struct rsync_shards shards;
    struct api api;
    struct server *server;
};

static const char *hiredis_version(void)
{
    return HIREDIS_VERSION_TEXT;
}

static const char *libjwt_version(void)
{
    return JWT_VERSION_TEXT;
}

static const char *libcrypto_version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

/* Returns an exit status, or -1 to go on. */
static int read_arguments(int argc, char **argv, const char **config)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    static const struct version_row libraries[] = {
        {"hiredis", hiredis_version},
        {"libjwt", libjwt_version},
        {"jansson", jansson_version_str},
        {"libcrypto", libcrypto_version},
        {0},
    };
    int o;
    while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (o) {
        case 'c':
            *config = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        case 'V':
            version_print("push-api", libraries);
            return 0;
        default:
            fputs("Try push-api --help.\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind != argc) {
        fprintf(stderr, "push-api: unexpected argument \"%s\". Try push-api --help.\n",
                argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}

static void warn(const char *text, void *arg)
{
    (void)arg;
    log_warn(LOG_CONFIG, "configuration", LOG_STR("warning", text));
}

static int fail(int status, const struct err *e)
{
    log_fatal(LOG_SERVER, "push-api cannot start", LOG_STR("error", e->text));
    return status;
}

/* Signals are taken by sigtimedwait in the main thread only; all threads inherit the mask. */
static void block_signals(sigset_t *set)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
    sigemptyset(set);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        sigaddset(set, numbers[i]);
    }
    sigprocmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int load(struct program *p, const char *config, struct err *e)
{
    struct conf_load_opts opts = {.path = config, .environ = environ, .warn = warn};
    p->conf = conf_load(&opts, e);
    if (p->conf == NULL) {
        return e->code;
    }
    int rc = log_open(p->conf->log.level, p->conf->log.file, e);
    return rc == 0 ? rsync_shards_init(&p->shards, p->conf, e) : rc;
}

static int make_api(struct program *p, struct err *e)
{
    const struct conf *c = p->conf;
    struct api *api = &p->api;
    api->conf = c;
    api->shards = &p->shards;
    engine_init(&api->engine, c);
    rnd_uuid(api->uid);
    struct registry_opts opts = {.shards = &p->shards, .engine = &api->engine, .uid = api->uid};
    api->registry = registry_new(&opts);
    return registry_start(api->registry, e);
}

static int start(struct program *p, struct err *e)
{
    /* Before libfcgi reads it: a close must not wait for the peer. */
    setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 0);
    if (FCGX_Init() != 0) {
        return err_set(e, ERR_IO, "libfcgi cannot be initialised");
    }
    int rc = make_api(p, e);
    if (rc != 0) {
        return rc;
    }
    registry_wait_first(p->api.registry, FIRST_MS);
    struct server_opts opts = {
        .listener = p->listener.fd,
        .threads = (size_t)p->conf->pushd.api_threads,
        .arg = &p->api,
        .thread_new = serve_thread_new,
        .thread_free = serve_thread_free,
        .job_new = serve_job_new,
        .job_free = serve_job_free,
        .begin = serve_begin,
        .group = serve_group,
        .alone = serve_alone,
        .answer = serve_answer,
    };
    p->server = server_new(&opts, e);
    return p->server != NULL ? 0 : e->code;
}

static void watchdog(struct program *p, int64_t interval_ms, int64_t *sent_ms)
{
    int64_t now = clk_mono_ms();
    bool is_well = server_busy_ms(p->server) < STUCK_MS &&
                   now - registry_heartbeat_ms(p->api.registry) < STUCK_MS;
    if (interval_ms != 0 && is_well && now - *sent_ms >= interval_ms) {
        sd_notify("WATCHDOG=1");
        *sent_ms = now;
    }
}

/* Runs until a signal ends it. */
static void run(struct program *p, const sigset_t *set)
{
    int64_t interval_ms = sd_watchdog_ms();
    int64_t sent_ms = clk_mono_ms();
    for (;;) {
        struct timespec tick = {.tv_nsec = server_tick(p->server) * 1000000};
        int number = sigtimedwait(set, NULL, &tick);
        if (number == SIGHUP) {
            log_reopen();
        } else if (number > 0 && number != SIGUSR2) {
            log_info(LOG_SERVER, "stopping", LOG_STR("signal", strsignal(number)));
            return;
        }
        watchdog(p, interval_ms, &sent_ms);
    }
}

static void stop(struct program *p)
{
    server_free(p->server);
    registry_free(p->api.registry);
    listener_close(&p->listener);
    rsync_shards_fini(&p->shards);
    conf_free(p->conf);
}

/* A request that hangs must not keep us from ending for longer than the reference takes; a second
 * signal ends at once. */
static void limit_stop(const struct conf *c, const sigset_t *set)
{
    int64_t seconds = c->shutdown.timeout_ms / 1000;
    alarm((unsigned)(seconds > 0 && seconds < 3600 ? seconds : 30));
    sigprocmask(SIG_UNBLOCK, set, NULL);
}

static int serve(struct program *p, const sigset_t *set)
{
    struct err e = {0};
    priv_raise_fd_limit();
    if (listener_open(p->conf, &p->listener, &e) != 0) {
        return fail(EXIT_FAILURE, &e);
    }
    if (priv_drop(p->conf->pushd.user, p->conf->pushd.group, &e) != 0) {
        return fail(EXIT_CONFIG, &e);
    }
    if (start(p, &e) != 0) {
        return fail(EXIT_FAILURE, &e);
    }
    struct buf address = {0};
    listen_describe(p->listener.fd, &address);
    log_info(LOG_SERVER, "listening", LOG_STR("kind", "api"),
             LOG_TEXT("address", buf_span(&address)), LOG_STR("source", p->listener.source),
             LOG_NUM("threads", p->conf->pushd.api_threads));
    buf_free(&address);
    sd_notify(registry_is_up(p->api.registry) ? "READY=1\nSTATUS=serving"
                                              : "READY=1\nSTATUS=serving; Redis is not reachable");
    run(p, set);
    sd_notify("STOPPING=1");
    limit_stop(p->conf, set);
    return 0;
}

int main(int argc, char **argv)
{
    const char *config = PUSHD_SYSCONFDIR "/pushd/config.json";
    struct program p = {.listener = {.fd = -1}};
    struct err e = {0};
    sigset_t set;
    int status = read_arguments(argc, argv, &config);
    if (status >= 0) {
        return status;
    }
    block_signals(&set);
    json_object_seed(0);
    log_open(LOG_LEVEL_INFO, NULL, NULL);
    status = load(&p, config, &e) != 0 ? fail(EXIT_CONFIG, &e) : serve(&p, &set);
    stop(&p);
    if (status == 0) {
        log_info(LOG_SERVER, "stopped");
    }
    return status;
}
