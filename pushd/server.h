/* SPDX-License-Identifier: Apache-2.0 */
/* The server that owns everything: built in order, taken down in reverse. */
#pragma once

#include "common/policy/conf.h"

/* Runs until SIGTERM or SIGINT. Returns the exit status: 0 after a clean stop. The configuration is
 * borrowed. */
int server_run(const struct conf *c);
