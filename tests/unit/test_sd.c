/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager's protocol, and privileges. */
#include "tests/unit/unit.h"

#include "common/base/priv.h"
#include "common/base/sd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void states_reach_the_manager(void **state)
{
    char dir[] = "/tmp/pushd-test-XXXXXX";
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char text[64];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(un.sun_path, sizeof(un.sun_path), "%s/n", dir);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    setenv("NOTIFY_SOCKET", un.sun_path, 1);
    sd_notify("READY=1");
    ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
    assert_int_equal(n, 7);
    assert_memory_equal(text, "READY=1", 7);
    unlink(un.sun_path);
    sd_notify("STOPPING=1"); /* nobody listens: nothing happens */
    setenv("NOTIFY_SOCKET", "relative", 1);
    sd_notify("STOPPING=1");
    unsetenv("NOTIFY_SOCKET");
    sd_notify("STOPPING=1");
    close(fd);
    rmdir(dir);
}

static void the_watchdog_wants_a_sign_twice_in_its_time(void **state)
{
    char pid[24];
    (void)state;
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(sd_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(sd_watchdog_ms(), 15000);
    snprintf(pid, sizeof(pid), "%d", getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(sd_watchdog_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(sd_watchdog_ms(), 0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "x", 1);
    assert_int_equal(sd_watchdog_ms(), 0);
    unsetenv("WATCHDOG_USEC");
}

static void inherited_sockets_have_names(void **state)
{
    struct sd_fd fds[SD_MAX_FDS];
    char pid[24];
    (void)state;
    snprintf(pid, sizeof(pid), "%d", getpid());
    /* Descriptors 3 and 4 are opened here so that they exist. */
    for (int fd = 3; fd <= 4; fd++) {
        dup2(STDERR_FILENO, fd);
    }
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_FDNAMES", "websocket:admin", 1);
    assert_int_equal(sd_listen_fds(fds), 2);
    assert_int_equal(sd_find_fd(fds, 2, "websocket", false), 3);
    assert_int_equal(sd_find_fd(fds, 2, "admin", false), 4);
    assert_int_equal(sd_find_fd(fds, 2, "api", true), -1);
    assert_true((fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);
    assert_null(getenv("LISTEN_FDS"));
    assert_int_equal(sd_listen_fds(fds), 0);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    assert_int_equal(sd_listen_fds(fds), 1);
    assert_int_equal(sd_find_fd(fds, 1, "api", true), 3);
    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDS", "1", 1);
    assert_int_equal(sd_listen_fds(fds), 0);
}

static void unknown_users_are_named(void **state)
{
    struct err e = {0};
    (void)state;
    assert_int_equal(priv_drop("", "", &e), 0);
    assert_int_equal(priv_drop(NULL, NULL, &e), 0);
    if (geteuid() == 0) {
        assert_int_equal(priv_drop("no-such-user-here", "", &e), ERR_UNKNOWN);
        assert_non_null(strstr(e.text, "no-such-user-here"));
        assert_int_equal(priv_drop("root", "no-such-group-here", &e), ERR_UNKNOWN);
        assert_int_equal(geteuid(), 0);
    }
    assert_true(priv_raise_fd_limit() >= 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_reach_the_manager),
        cmocka_unit_test(the_watchdog_wants_a_sign_twice_in_its_time),
        cmocka_unit_test(inherited_sockets_have_names),
        cmocka_unit_test(unknown_users_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
