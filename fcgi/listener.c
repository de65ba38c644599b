/* SPDX-License-Identifier: Apache-2.0 */
/* Where connections of the web server come from. */
#include "fcgi/listener.h"

#include "common/base/listen.h"
#include "common/base/mem.h"
#include "common/base/sd.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET_MODE 0660

static bool is_listening(int fd)
{
    int yes = 0;
    socklen_t len = sizeof(yes);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes != 0;
}

static int inherit(int fd, const char *source, struct listener *out, struct err *e)
{
    if (!is_listening(fd)) {
        return err_set(
            e, ERR_INVALID,
            "descriptor %d from %s is no listening socket: check ListenStream= and Accept=no of "
            "the socket unit",
            fd, source);
    }
    out->fd = fd;
    out->source = source;
    return 0;
}

/* The rights of the file decide which web server may connect. */
static void give_file(const struct conf *c, const char *path)
{
    const struct passwd *pw = *c->pushd.user != '\0' ? getpwnam(c->pushd.user) : NULL;
    const struct group *gr = *c->pushd.group != '\0' ? getgrnam(c->pushd.group) : NULL;
    if (geteuid() == 0 && (pw != NULL || gr != NULL)) {
        gid_t gid = gr != NULL ? gr->gr_gid : pw->pw_gid;
        int ignored = chown(path, pw != NULL ? pw->pw_uid : (uid_t)-1, gid);
        (void)ignored; /* a file system without owners; the mode decides then */
    }
    chmod(path, SOCKET_MODE);
}

int listener_open(const struct conf *c, struct listener *out, struct err *e)
{
    struct sd_fd fds[SD_MAX_FDS];
    const char *address = c->pushd.api_listen;
    size_t n = sd_listen_fds(fds);
    *out = (struct listener){.fd = -1};
    if (n != 0) {
        int fd = sd_find_fd(fds, n, "api", true);
        /* Whatever its unit calls it: there is one kind of socket only. */
        return inherit(fd >= 0 ? fd : fds[0].fd, "systemd", out, e);
    }
    if (is_listening(STDIN_FILENO)) {
        return inherit(STDIN_FILENO, "spawn-fcgi", out, e);
    }
    out->fd = listen_open(address, 0, e);
    if (out->fd < 0) {
        return err_prefix(e, "pushd.api_listen");
    }
    out->source = "pushd.api_listen";
    if (strncmp(address, "unix:", 5) == 0) {
        out->path = mem_strdup(address + 5);
        give_file(c, out->path);
    }
    return 0;
}

void listener_close(struct listener *l)
{
    if (l->fd >= 0) {
        close(l->fd);
        l->fd = -1;
    }
    if (l->path != NULL) {
        unlink(l->path);
        free(l->path);
        l->path = NULL;
    }
}
