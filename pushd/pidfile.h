/* SPDX-License-Identifier: Apache-2.0 */
/* A file with the process id, for service managers that want one. */
#pragma once

#include "common/base/err.h"

/* Writes the id of this process, readable by its owner only; what stood there is replaced. Does
 * nothing for "". ERR_IO, with the path in the text. */
int pidfile_write(const char *path, struct err *e);

/* Removes the file as long as it has the id of this process: another one may have followed. Failing
 * to is no error; who has given up the rights of root may not. */
void pidfile_remove(const char *path);
