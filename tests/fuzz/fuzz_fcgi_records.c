/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: FastCGI records. What our look at them lets through, libfcgi has to survive. */
#include "common/format/schema.h"
#include "fcgi/records.h"
#include "tests/fuzz/fuzz_util.h"

#include <fcgiapp.h>

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* Less than a socket takes at once. */
#define INPUT_MAX 32768

static void feed(const uint8_t *data, size_t size)
{
    int fds[2];
    char body[4096];
    FCGX_Request r;
    fuzz_require(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "sockets can be had");
    fuzz_require(send(fds[0], data, size, MSG_NOSIGNAL) == (ssize_t)size, "the input fits");
    shutdown(fds[0], SHUT_WR);
    FCGX_InitRequest(&r, -1, 0);
    r.ipcFd = fds[1];
    r.keepConnection = 1;
    if (FCGX_Accept_r(&r) == 0) {
        for (char **v = r.envp; *v != NULL; v++) {
            fuzz_require(strchr(*v, '=') != NULL, "a variable has a name");
        }
        while (FCGX_GetStr(body, sizeof(body), r.in) == (int)sizeof(body)) {
        }
        r.keepConnection = 0;
        FCGX_Finish_r(&r);
    }
    if (r.ipcFd >= 0) {
        close(r.ipcFd);
        r.ipcFd = -1;
    }
    FCGX_Free(&r, 0);
    close(fds[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready;
    struct buf scratch = {0};
    if (!is_ready) {
        signal(SIGPIPE, SIG_IGN);
        setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
        fuzz_require(FCGX_Init() == 0, "libfcgi can be had");
        is_ready = true;
    }
    size = size < INPUT_MAX ? size : INPUT_MAX;
    enum records_state state = records_check(data, size, &scratch);
    if (state == RECORDS_READY) {
        feed(data, size);
    }
    /* What is complete was never garbage while it came in. */
    for (size_t n = 0; state == RECORDS_READY && n < size; n += 1 + size / 16) {
        fuzz_require(records_check(data, n, &scratch) != RECORDS_GARBAGE,
                     "a beginning of good records is not refused");
    }
    buf_free(&scratch);
    return 0;
}
