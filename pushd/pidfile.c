/* SPDX-License-Identifier: Apache-2.0 */
/* pid_file. */
#include "pushd/pidfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int pidfile_write(const char *path, struct err *e)
{
    if (path[0] == '\0') {
        return 0;
    }
    FILE *f = fopen(path, "we");
    bool is_written = f != NULL && fprintf(f, "%ld\n", (long)getpid()) > 0;
    if (f != NULL && fclose(f) != 0) {
        is_written = false;
    }
    return is_written ? 0
                      : err_set(e, ERR_IO, "cannot write pid_file %s: %s", path, strerror(errno));
}

void pidfile_remove(const char *path)
{
    if (path[0] != '\0') {
        unlink(path);
    }
}
