/* SPDX-License-Identifier: Apache-2.0 */
/* pid_file: the process id for those who start programs without a service manager. */
#pragma once

#include "common/base/err.h"

/* Both do nothing when `path` is empty. A file that is there is replaced, whoever wrote it. */
int pidfile_write(const char *path, struct err *e);
/* Silent: the folder may belong to the user that we were before. */
void pidfile_remove(const char *path);
