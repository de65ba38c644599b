/* SPDX-License-Identifier: Apache-2.0 */
/* A redis-server of its own for a unit test. */
#include "tests/unit/redis_server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clk.h"

#define START_TIMEOUT_MS 60000

static void run(const struct redis_server *s)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing stays behind when the test crashes */
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", s->socket, "--save", "",
           "--appendonly", "no", "--dir", s->dir, (char *)NULL);
    _exit(127);
}

static bool answers(const struct redis_server *s)
{
    redisContext *c = redisConnectUnix(s->socket);
    redisReply *r = c != NULL && c->err == 0 ? redisCommand(c, "PING") : NULL;
    bool ok = r != NULL && r->type == REDIS_REPLY_STATUS;
    if (r != NULL) {
        freeReplyObject(r);
    }
    if (c != NULL) {
        redisFree(c);
    }
    return ok;
}

/* False when the program ended, which it does when it is not there. */
static bool launch(struct redis_server *s)
{
    s->pid = fork();
    if (s->pid == 0) {
        run(s);
    }
    int64_t deadline = clk_mono_ms() + START_TIMEOUT_MS;
    while (!answers(s)) {
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
            s->pid = -1;
            return false;
        }
        if (clk_mono_ms() > deadline) {
            fprintf(stderr, "redis-server does not answer on %s\n", s->socket);
            redis_server_stop(s);
            exit(1);
        }
        poll(NULL, 0, 2);
    }
    return true;
}

bool redis_server_start(struct redis_server *s)
{
    snprintf(s->dir, sizeof(s->dir), "/tmp/pushd-test-XXXXXX");
    if (mkdtemp(s->dir) == NULL) {
        perror("mkdtemp");
        exit(1);
    }
    snprintf(s->socket, sizeof(s->socket), "%s/redis.sock", s->dir);
    if (!launch(s)) {
        redis_server_stop(s);
        return false;
    }
    return true;
}

void redis_server_restart(struct redis_server *s)
{
    if (!launch(s)) {
        fprintf(stderr, "redis-server does not start again\n");
        redis_server_stop(s);
        exit(1);
    }
}

void redis_server_freeze(const struct redis_server *s, bool frozen)
{
    kill(s->pid, frozen ? SIGSTOP : SIGCONT);
}

void redis_server_heal(struct redis_server *s)
{
    if (s->pid > 0) {
        redis_server_freeze(s, false);
    } else {
        redis_server_restart(s);
    }
}

redisContext *redis_server_connect(const struct redis_server *s)
{
    redisContext *c = redisConnectUnix(s->socket);
    if (c == NULL || c->err != 0) {
        fprintf(stderr, "cannot connect to %s\n", s->socket);
        exit(1);
    }
    return c;
}

void redis_server_kill(struct redis_server *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
        s->pid = -1;
        unlink(s->socket);
    }
}

void redis_server_stop(struct redis_server *s)
{
    redis_server_kill(s);
    rmdir(s->dir);
}
