/* SPDX-License-Identifier: Apache-2.0 */
/* A file with the process id. */
#include "pushd/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *path, struct err *e)
{
    return err_set(e, ERR_IO, "cannot write pid_file %s: %s", path, strerror(errno));
}

int pidfile_write(const char *path, struct err *e)
{
    char text[24];
    if (*path == '\0') {
        return 0;
    }
    int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    /* Not through a link: root writes here, perhaps into a folder of others. */
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail(path, e);
    }
    int rc = write(fd, text, (size_t)n) == n ? 0 : fail(path, e);
    close(fd);
    return rc;
}

void pidfile_remove(const char *path)
{
    char text[24];
    int fd = *path != '\0' ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (strtol(text, NULL, 10) == (long)getpid()) {
        unlink(path);
    }
}
