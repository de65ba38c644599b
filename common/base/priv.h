/* SPDX-License-Identifier: Apache-2.0 */
/* Giving up the rights of root, and limits of the process. */
#pragma once

#include "common/base/err.h"

/* Becomes `user` (and `group`, or with "" the user's own group) for good: groups, gid, uid, then
 * no_new_privs. Does nothing unless the process runs as root and user is not "". Call it after
 * listening sockets and log files are open, before threads. ERR_UNKNOWN for a name that does not
 * exist, ERR_IO when the system refuses. */
int priv_drop(const char *user, const char *group, struct err *e);

/* Raises the soft limit of open files to the hard one; returns the limit that holds then. */
uint64_t priv_raise_fd_limit(void);
