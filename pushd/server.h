/* SPDX-License-Identifier: Apache-2.0 */
/* The server that owns everything: built in order, taken down in reverse. */
#pragma once

#include "common/policy/conf.h"

/* As in sysexits(3); systemd does not restart after it. */
#define STATUS_CONFIG 78

/* Runs until SIGTERM or SIGINT. Returns the exit status: 0 after a clean stop,
 * STATUS_CONFIG when the configuration cannot be started with, else EXIT_FAILURE. The configuration
 * is borrowed. */
int server_run(const struct conf *c);
