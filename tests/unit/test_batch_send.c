/* SPDX-License-Identifier: Apache-2.0 */
/* Batch send: both ways give the same results, short writes and dead sockets included. */
#include "pushd/worker/batch_send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define PAIRS 100
#define BIG   (8U << 20)

static void exercise(enum conf_batch_send mode)
{
    struct err e = {0};
    struct batch_send *b = batch_send_new(mode, &e);
    if (b == NULL) {
        assert_int_equal(mode, BATCH_SEND_IO_URING);
        skip(); /* this kernel or sandbox has no io_uring */
    }
    int pairs[PAIRS][2];
    struct send_job jobs[PAIRS];
    static char big[BIG];
    for (int i = 0; i < PAIRS; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]), 0);
        jobs[i] = (struct send_job){.fd = pairs[i][0], .data = "frame", .len = 5};
    }
    close(pairs[7][1]);  /* the peer is gone */
    jobs[11].data = big; /* more than a socket takes */
    jobs[11].len = BIG;
    batch_send(b, jobs, PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        if (i == 7) {
            assert_true(jobs[i].result == -EPIPE || jobs[i].result == -ECONNRESET);
        } else if (i == 11) {
            assert_in_range(jobs[i].result, 1, BIG - 1);
        } else {
            char text[8];
            assert_int_equal(jobs[i].result, 5);
            assert_int_equal(read(pairs[i][1], text, sizeof(text)), 5);
            assert_memory_equal(text, "frame", 5);
        }
    }
    jobs[0] = (struct send_job){.fd = pairs[11][0], .data = "x", .len = 1};
    batch_send(b, jobs, 1);
    assert_int_equal(jobs[0].result, -EAGAIN); /* full: nothing waits */
    for (int i = 0; i < PAIRS; i++) {
        close(pairs[i][0]);
        if (i != 7) {
            close(pairs[i][1]);
        }
    }
    batch_send_free(b);
}

static void send_loop_reports_every_job(void **state)
{
    (void)state;
    exercise(BATCH_SEND_SEND);
}

static void io_uring_reports_every_job(void **state)
{
    (void)state;
    exercise(BATCH_SEND_IO_URING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(send_loop_reports_every_job),
        cmocka_unit_test(io_uring_reports_every_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
