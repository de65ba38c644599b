/* SPDX-License-Identifier: Apache-2.0 */
/* What a service manager and we tell each other: inherited sockets, readiness, watchdog
 * (sd_notify(3), sd_listen_fds(3)). */
#pragma once

#include "common/base/base.h"

#define SD_MAX_FDS    32
#define SD_NAME_BYTES 64

/* Sends one datagram such as "READY=1\nSTATUS=serving" to NOTIFY_SOCKET; silently nothing without
 * that variable, or when the manager does not take it. Never blocks. Thread-safe as long as nobody
 * changes the environment. */
void sd_notify(const char *state);

/* How often to send "WATCHDOG=1", in milliseconds: half of WATCHDOG_USEC. 0 when no watchdog is set
 * for this process. */
int64_t sd_watchdog_ms(void);

struct sd_fd {
    int fd;
    char name[SD_NAME_BYTES]; /* of LISTEN_FDNAMES, "" when it gives none */
};

/* The sockets that the manager opened for this process (LISTEN_PID, LISTEN_FDS), marked
 * close-on-exec; fills at most SD_MAX_FDS and returns how many. Further ones are closed. Removes
 * the variables, so it answers once and children do not inherit them: call it at start, before
 * threads. */
size_t sd_listen_fds(struct sd_fd out[SD_MAX_FDS]);

/* The first socket of that name, or -1. With any_unnamed also the first one that bears no name or
 * the name "unknown", for units without FileDescriptorName=. */
int sd_find_fd(const struct sd_fd *fds, size_t n, const char *name, bool any_unnamed);
