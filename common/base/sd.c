/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager's protocol, a few lines each, so that no library is needed. */
#include "common/base/sd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/str.h"

#define SD_FIRST_FD 3

void sd_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path != NULL ? strlen(path) : 0;
    if (n < 2 || n >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    memcpy(to.sun_path, path, n);
    if (path[0] == '@') { /* Linux's abstract name space */
        to.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    ssize_t ignored =
        sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to, len);
    (void)ignored; /* a manager that does not listen must not stop the service */
    close(fd);
}

/* Whether a variable names this very process; a manager's variables can leak to grandchildren. */
static bool is_for_us(const char *name, bool default_yes)
{
    const char *text = getenv(name);
    uint64_t pid = 0;
    if (text == NULL) {
        return default_yes;
    }
    return span_to_u64(span_str(text), &pid) == 0 && pid == (uint64_t)getpid();
}

int64_t sd_watchdog_ms(void)
{
    uint64_t usec = 0;
    const char *text = getenv("WATCHDOG_USEC");
    if (text == NULL || !is_for_us("WATCHDOG_PID", true) ||
        span_to_u64(span_str(text), &usec) != 0 || usec > INT64_MAX) {
        return 0;
    }
    int64_t half_ms = (int64_t)(usec / 2000);
    return usec != 0 && half_ms == 0 ? 1 : half_ms;
}

static void take_name(struct span *rest, char out[SD_NAME_BYTES])
{
    struct span name = {0};
    out[0] = '\0';
    if (span_split(rest, ':', &name) && name.n < SD_NAME_BYTES) {
        memcpy(out, name.p, name.n);
        out[name.n] = '\0';
    }
}

static size_t read_fds(struct sd_fd out[SD_MAX_FDS])
{
    uint64_t count = 0;
    const char *text = getenv("LISTEN_FDS");
    if (text == NULL || !is_for_us("LISTEN_PID", false) ||
        span_to_u64(span_str(text), &count) != 0 || count > 4096) {
        return 0;
    }
    struct span names = span_str(getenv("LISTEN_FDNAMES"));
    size_t n = 0;
    for (int fd = SD_FIRST_FD; fd < SD_FIRST_FD + (int)count; fd++) {
        if (n == SD_MAX_FDS) {
            close(fd);
            continue;
        }
        take_name(&names, out[n].name);
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0) {
            fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
            out[n++].fd = fd;
        }
    }
    return n;
}

size_t sd_listen_fds(struct sd_fd out[SD_MAX_FDS])
{
    size_t n = read_fds(out);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return n;
}

int sd_find_fd(const struct sd_fd *fds, size_t n, const char *name, bool any_unnamed)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(fds[i].name, name) == 0) {
            return fds[i].fd;
        }
    }
    for (size_t i = 0; any_unnamed && i < n; i++) {
        if (fds[i].name[0] == '\0' || strcmp(fds[i].name, "unknown") == 0) {
            return fds[i].fd;
        }
    }
    return -1;
}
