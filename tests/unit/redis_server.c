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

#define START_TIMEOUT_MS 20000

static void run(const struct redis_server *s)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing stays behind when the test crashes */
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", s->socket, "--save", "", "--appendonly", "no", "--dir",
           s->dir, (char *)NULL);
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

bool redis_server_start(struct redis_server *s)
{
    snprintf(s->dir, sizeof(s->dir), "/tmp/pushd-test-XXXXXX");
    if (mkdtemp(s->dir) == NULL) {
        perror("mkdtemp");
        exit(1);
    }
    snprintf(s->socket, sizeof(s->socket), "%s/redis.sock", s->dir);
    s->pid = fork();
    if (s->pid == 0) {
        run(s);
    }
    int64_t deadline = clk_mono_ms() + START_TIMEOUT_MS;
    while (!answers(s)) {
        int status;
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = -1;
            redis_server_stop(s);
            return false;
        }
        if (clk_mono_ms() > deadline) {
            fprintf(stderr, "redis-server does not answer on %s\n", s->socket);
            redis_server_stop(s);
            exit(1);
        }
        poll(NULL, 0, 5);
    }
    return true;
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

void redis_server_stop(struct redis_server *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
        s->pid = -1;
    }
    unlink(s->socket);
    rmdir(s->dir);
}
