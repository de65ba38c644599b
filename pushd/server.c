/* SPDX-License-Identifier: Apache-2.0 */
/* The server that owns everything. The main thread is the control thread. */
#include "pushd/server.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/clk.h"
#include "common/base/mem.h"
#include "common/base/priv.h"
#include "common/base/sd.h"
#include "common/policy/jwks.h"
#include "common/policy/token.h"
#include "pushd/admin/admin.h"
#include "pushd/control/control.h"
#include "pushd/pidfile.h"
#include "pushd/sockets.h"
#include "pushd/worker/limits.h"
#include "pushd/worker/worker.h"

/* libwebsockets, as Debian builds it, keeps 16 bytes a possible descriptor in each worker and walks
 * over that table whenever a connection ends, so the limit is no larger than the configuration asks
 * for. */
#define FD_LIMIT         65536
#define HEARTBEAT_MAX_MS 5000
#define MAX_WORKERS      256

struct server {
    const struct conf *conf;
    struct ev_loop *loop;
    struct bus bus;
    struct sockets sockets;
    struct token_verifier *connect_tokens;
    struct token_verifier *subscribe_tokens;
    struct jwks_cache *key_cache; /* NULL when no keys are fetched */
    struct worker_shared shared;
    struct worker **workers;
    pthread_t *threads;
    uint16_t worker_count;
    uint16_t running; /* threads started */
    struct control *control;
    struct admin *admin;
    bool is_draining;
    bool is_misconfigured; /* when it did not start */
    bool ready_sent;
    ev_signal signals[3];
    ev_timer watchdog;
};

static void raise_fd_limit(const struct conf *c)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0) {
        return;
    }
    rlim_t want = FD_LIMIT;
    if (c->client.connection_limit > FD_LIMIT / 2) {
        want = (rlim_t)c->client.connection_limit * 2;
    }
    r.rlim_cur = want < r.rlim_max ? want : r.rlim_max;
    setrlimit(RLIMIT_NOFILE, &r);
    log_info(LOG_SERVER, "limit of open files", LOG_NUM("soft", r.rlim_cur),
             LOG_NUM("hard", r.rlim_max),
             LOG_STR("for_more", want < r.rlim_max ? "set client.connection_limit"
                                                   : "set LimitNOFILE of the unit, or ulimit -n"));
}

static uint16_t choose_workers(const struct conf *c)
{
    int64_t n = c->pushd.workers;
    if (n <= 0) {
        n = sysconf(_SC_NPROCESSORS_ONLN);
    }
    return (uint16_t)(n < 1 ? 1 : n > MAX_WORKERS ? MAX_WORKERS : n);
}

/* ---- signals ---- */

static void on_stopped(void *arg)
{
    struct server *s = arg;
    ev_break(s->loop, EVBREAK_ALL);
}

static void on_stop(struct ev_loop *loop, ev_signal *sig, int events)
{
    (void)loop;
    (void)events;
    struct server *s = sig->data;
    if (s->is_draining) {
        log_warn(LOG_SERVER, "a second signal, not waiting for the clients any more");
        on_stopped(s);
        return;
    }
    s->is_draining = true;
    log_info(LOG_SERVER, "stopping, clients are told to reconnect (3001 shutdown)",
             LOG_STR("signal", strsignal(sig->signum)));
    sd_notify("STOPPING=1");
    control_stop(s->control, s->conf->shutdown.timeout_ms, on_stopped, s);
}

static void on_hangup(struct ev_loop *loop, ev_signal *sig, int events)
{
    (void)loop;
    (void)sig;
    (void)events;
    log_reopen();
    log_info(LOG_SERVER, "SIGHUP: the log file was opened again; the configuration is read at "
                         "start only, restart to apply a change");
}

static void start_signals(struct server *s)
{
    static const struct {
        int number;
        void (*handle)(struct ev_loop *, ev_signal *, int);
    } rows[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_hangup}};
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ev_signal_init(&s->signals[i], rows[i].handle, rows[i].number);
        s->signals[i].data = s;
        ev_signal_start(s->loop, &s->signals[i]);
    }
}

/* ---- the service manager ---- */

static void on_ready(void *arg)
{
    static const char *const words[] = {
        [CONTROL_REDIS_CONNECTING] = "missing",
        [CONTROL_REDIS_READY] = "connected",
        [CONTROL_REDIS_DOWN] = "missing",
        [CONTROL_REDIS_PARTLY_DOWN] = "partly missing",
    };
    struct server *s = arg;
    if (!s->ready_sent) {
        s->ready_sent = true;
        log_info(LOG_SERVER, "ready", LOG_NUM("workers", s->worker_count),
                 LOG_STR("redis", words[control_redis_state(s->control)]));
        sd_notify("READY=1\nSTATUS=serving");
    }
}

/* A worker that hangs must end in a restart, so the manager is pinged only while all of them turn.
 * At the end those that are done rest, and shutdown.timeout bounds the others. */
static void on_watchdog(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)events;
    struct server *s = t->data;
    int64_t now_ms = clk_mono_ms();
    for (uint16_t i = 0; i < s->running && !s->is_draining; i++) {
        int64_t beat =
            atomic_load_explicit(&s->bus.ports[i].gauges.heartbeat_ms, memory_order_relaxed);
        if (now_ms - beat > HEARTBEAT_MAX_MS) {
            log_error(LOG_SERVER, "a worker hangs", LOG_NUM("worker", i),
                      LOG_NUM("ms", now_ms - beat));
            return;
        }
    }
    sd_notify("WATCHDOG=1");
}

static void start_watchdog(struct server *s)
{
    int64_t ms = sd_watchdog_ms();
    ev_timer_init(&s->watchdog, on_watchdog, (double)ms / 1000.0, (double)ms / 1000.0);
    s->watchdog.data = s;
    if (ms > 0) {
        ev_timer_start(s->loop, &s->watchdog);
    }
}

/* ---- building ---- */

static int make_verifiers(struct server *s, struct err *e)
{
    const struct conf_client *o = &s->conf->client;
    s->connect_tokens = token_verifier_new(&o->token, o->insecure_skip_token_signature_verify, e);
    if (s->connect_tokens == NULL) {
        err_prefix(e, "client.token");
        return ERR_INVALID;
    }
    const struct conf_token *t = o->subscription_token.enabled ? &o->subscription_token : &o->token;
    s->subscribe_tokens = token_verifier_new(t, o->insecure_skip_token_signature_verify, e);
    if (s->subscribe_tokens == NULL) {
        err_prefix(e, "client.subscription_token");
        return ERR_INVALID;
    }
    if (o->token.jwks_public_endpoint[0] != '\0' || t->jwks_public_endpoint[0] != '\0') {
        s->key_cache = jwks_cache_new();
        token_verifier_set_cache(s->connect_tokens, s->key_cache);
        token_verifier_set_cache(s->subscribe_tokens, s->key_cache);
    }
    return 0;
}

static int make_workers(struct server *s, struct err *e)
{
    s->shared = (struct worker_shared){
        .conf = s->conf,
        .bus = &s->bus,
        .connect_tokens = s->connect_tokens,
        .subscribe_tokens = s->subscribe_tokens,
        .limits = limits_new(),
        .version = PACKAGE_VERSION,
    };
    s->workers = mem_zalloc(s->worker_count * sizeof(struct worker *));
    s->threads = mem_zalloc(s->worker_count * sizeof(pthread_t));
    for (uint16_t i = 0; i < s->worker_count; i++) {
        s->workers[i] = worker_new(
            &(struct worker_opts){.shared = &s->shared,
                                  .index = i,
                                  .listen_fds = s->sockets.websocket + i * s->sockets.per_worker,
                                  .listen_count = s->sockets.per_worker},
            e);
        if (s->workers[i] == NULL) {
            return ERR_UNAVAILABLE;
        }
    }
    return 0;
}

/* What the workers will choose: each makes its own when its thread starts. */
static const char *probe_batch_send(const struct conf *c)
{
    struct batch_send *b = batch_send_new(c->pushd.batch_send, NULL);
    const char *name = b != NULL ? batch_send_name(b) : "send";
    batch_send_free(b);
    log_info(LOG_SERVER, "batch send", LOG_STR("by", name));
    return name;
}

static int make_control(struct server *s, struct err *e)
{
    struct metrics *m = metrics_new();
    s->control = control_new(&(struct control_opts){.conf = s->conf,
                                                    .bus = &s->bus,
                                                    .loop = s->loop,
                                                    .metrics = m,
                                                    .key_cache = s->key_cache,
                                                    .ready = on_ready,
                                                    .arg = s},
                             e);
    if (s->control == NULL) {
        return ERR_INVALID;
    }
    int fd = s->sockets.admin;
    s->sockets.admin = -1; /* admin's from here on */
    s->admin = admin_new(&(struct admin_opts){.conf = s->conf,
                                              .loop = s->loop,
                                              .bus = &s->bus,
                                              .control = s->control,
                                              .listen_fd = fd,
                                              .batch_send = probe_batch_send(s->conf),
                                              .is_draining = &s->is_draining},
                         e);
    return s->admin != NULL ? 0 : ERR_UNAVAILABLE;
}

static void *thread_main(void *arg)
{
    worker_run(arg);
    return NULL;
}

static int start_threads(struct server *s, struct err *e)
{
    /* Signals are the control thread's. */
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = 0;
    for (uint16_t i = 0; i < s->worker_count && rc == 0; i++) {
        rc = pthread_create(&s->threads[i], NULL, thread_main, s->workers[i]);
        if (rc == 0) {
            char name[16];
            snprintf(name, sizeof(name), "worker-%u", i);
            pthread_setname_np(s->threads[i], name);
            s->running++;
        }
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc == 0 ? 0 : err_set(e, ERR_IO, "cannot start a worker thread: %s", strerror(rc));
}

static int build(struct server *s, struct err *e)
{
    raise_fd_limit(s->conf);
    s->worker_count = choose_workers(s->conf);
    int rc = make_verifiers(s, e);
    s->is_misconfigured = rc != 0;
    if (rc == 0) {
        rc = sockets_open(&s->sockets, s->conf, s->worker_count, e);
    }
    if (rc == 0) {
        rc = pidfile_write(s->conf->pid_file, e);
    }
    if (rc == 0) {
        rc = priv_drop(s->conf->pushd.user, s->conf->pushd.group, e);
        s->is_misconfigured = rc != 0;
    }
    if (rc != 0) {
        return rc;
    }
    s->loop = ev_default_loop(EVFLAG_AUTO | EVFLAG_NOENV);
    start_signals(s);
    bus_init(&s->bus, s->worker_count);
    metrics_setup();
    rc = make_workers(s, e);
    if (rc == 0) {
        rc = make_control(s, e);
    }
    if (rc == 0) {
        rc = start_threads(s, e);
    }
    return rc;
}

/* ---- taking down ---- */

/* Whoever still runs is told not to wait for its clients. */
static void join_threads(struct server *s)
{
    for (uint16_t i = 0; i < s->running; i++) {
        for (int k = 0; k < 2; k++) {
            struct bus_item *stop = mem_zalloc(sizeof(*stop));
            stop->kind = BUS_STOP;
            bus_post_worker(&s->bus, i, stop);
        }
    }
    bus_wake_workers(&s->bus);
    for (uint16_t i = 0; i < s->running; i++) {
        pthread_join(s->threads[i], NULL);
    }
}

static void take_down(struct server *s)
{
    if (s->running != 0) {
        join_threads(s);
    }
    admin_free(s->admin);
    control_free(s->control);
    for (uint16_t i = 0; s->workers != NULL && i < s->worker_count; i++) {
        worker_free(s->workers[i]);
    }
    if (s->bus.ports != NULL) {
        bus_fini(&s->bus);
        metrics_teardown();
    }
    sockets_close(&s->sockets);
    pidfile_remove(s->conf->pid_file);
    limits_free(s->shared.limits);
    token_verifier_free(s->connect_tokens);
    token_verifier_free(s->subscribe_tokens);
    jwks_cache_free(s->key_cache);
    free(s->workers);
    free(s->threads);
    if (s->loop != NULL) {
        ev_loop_destroy(s->loop);
    }
}

int server_run(const struct conf *c)
{
    struct server s = {.conf = c, .sockets = {.admin = -1}};
    struct err e = {0};
    int rc = build(&s, &e);
    if (rc != 0) {
        log_fatal(LOG_SERVER, "cannot start", LOG_STR("error", e.text));
        if (c->log.file[0] != '\0') { /* else it stands there already */
            fprintf(stderr, "pushd: %s\n", e.text);
        }
    } else {
        start_watchdog(&s);
        ev_run(s.loop, 0);
        log_info(LOG_SERVER, "stopped");
    }
    take_down(&s);
    return rc == 0 ? 0 : s.is_misconfigured ? STATUS_CONFIG : EXIT_FAILURE;
}
