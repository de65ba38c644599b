/* SPDX-License-Identifier: Apache-2.0 */
/* The yardstick: how its process is started and stopped. */
#include "tests/bench/floor.h"

#include "tests/bench/procs.h"
#include "tests/bench/util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int listen_anywhere(struct target *t)
{
    char url[64];
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&in, len) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&in, &len) < 0)
        die("the floor cannot listen: %s", strerror(errno));
    snprintf(url, sizeof(url), "tcp://127.0.0.1:%u", ntohs(in.sin_port));
    target_parse(t, url, "/");
    return fd;
}

void floor_start(struct floor *f, const struct floor_opts *opts)
{
    int pair[2];
    int listener = listen_anywhere(&f->target);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        die("socketpair: %s", strerror(errno));
    fflush(stdout);
    f->pid = fork();
    if (f->pid < 0)
        die("fork: %s", strerror(errno));
    if (f->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(pair[0]);
        self_pin(opts->cpu);
        floor__serve(listener, pair[1], opts);
        _exit(0);
    }
    close(listener);
    close(pair[1]);
    f->control = pair[0];
}

void floor_stop(struct floor *f)
{
    if (f->pid <= 0)
        return;
    close(f->control);
    kill(f->pid, SIGKILL);
    waitpid(f->pid, NULL, 0);
    f->pid = 0;
}
