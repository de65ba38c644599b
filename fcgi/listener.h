/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket of push-api: inherited from systemd or spawn-fcgi, or our own. */
#pragma once

#include "common/policy/conf.h"

struct listener {
    int fd;
    const char *source; /* "systemd", "spawn-fcgi" or "pushd.api_listen" */
    char *path;         /* of our own Unix socket, to be removed at the end; else NULL */
};

/* ERR_CONFLICT when somebody listens there already, ERR_SYNTAX for an address that cannot be read,
 * ERR_INVALID for an inherited descriptor that does not listen, ERR_IO; the text says what to do.
 * Call before priv_drop: the file of an own Unix socket gets pushd.user and pushd.group as owners
 * when we are root, and mode 0660. */
int listener_open(const struct conf *c, struct listener *out, struct err *e);
/* Closes, and removes the file of an own Unix socket. */
void listener_close(struct listener *l);
