/* SPDX-License-Identifier: Apache-2.0 */
/* A redis-server of its own for a unit test, on a Unix socket in a temporary directory. */
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <sys/types.h>

struct redis_server {
    char dir[64];
    char socket[96];
    pid_t pid;
};

/* False when redis-server is not installed. Otherwise it was started and answers. */
bool redis_server_start(struct redis_server *s);
/* A blocking connection; ends the test program when there is none. */
redisContext *redis_server_connect(const struct redis_server *s);
/* Ends it with SIGKILL. */
void redis_server_kill(struct redis_server *s);
/* Starts it again on the same socket, empty; returns when it answers. */
void redis_server_restart(struct redis_server *s);
/* Stops it as by a debugger, or lets it go on. */
void redis_server_freeze(const struct redis_server *s, bool frozen);
/* Has it run and answer, whatever a test that failed left of it. */
void redis_server_heal(struct redis_server *s);
/* Ends it and removes its directory. */
void redis_server_stop(struct redis_server *s);
