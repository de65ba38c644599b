/* SPDX-License-Identifier: Apache-2.0 */
/* Batch send by io_uring or by a loop of send(). */
#include "pushd/worker/batch_send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/log.h"
#include "common/base/mem.h"

#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

/* Below this a submission costs more than the system calls it saves. */
#define URING_WORTHWHILE 4

struct batch_send {
    bool has_ring;
#ifdef HAVE_LIBURING
    struct io_uring ring;
#endif
};

static void send_loop(struct send_job *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ssize_t sent = send(jobs[i].fd, jobs[i].data, jobs[i].len, MSG_DONTWAIT | MSG_NOSIGNAL);
        jobs[i].result = sent >= 0 ? sent : -(ssize_t)errno;
    }
}

#ifdef HAVE_LIBURING

static int ring_open(struct batch_send *b, struct err *e)
{
    struct io_uring_params p = {0};
    p.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    int rc = io_uring_queue_init_params(BATCH_SEND_MAX, &b->ring, &p);
    if (rc != 0) {
        return err_set(
            e, ERR_UNAVAILABLE,
            "io_uring cannot be used here: %s (a kernel before 6.1, or a sandbox that forbids it)",
            strerror(-rc));
    }
    b->has_ring = true;
    return 0;
}

/* Reaps what has completed; entries that failed to be prepared are left to the caller. */
static size_t ring_reap(struct batch_send *b, struct send_job *jobs)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    unsigned seen = 0;
    io_uring_for_each_cqe(&b->ring, head, cqe)
    {
        jobs[io_uring_cqe_get_data64(cqe)].result = cqe->res;
        seen++;
    }
    io_uring_cq_advance(&b->ring, seen);
    return seen;
}

static void send_ring(struct batch_send *b, struct send_job *jobs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&b->ring);
        io_uring_prep_send(sqe, jobs[i].fd, jobs[i].data, jobs[i].len, MSG_DONTWAIT | MSG_NOSIGNAL);
        io_uring_sqe_set_data64(sqe, i);
        jobs[i].result = -ECANCELED;
    }
    /* Everything is reaped before the return: the ring never refers to bytes or descriptors of the
     * past. */
    size_t done = 0;
    while (done < n) {
        int rc = io_uring_submit_and_wait(&b->ring, (unsigned)(n - done));
        if (rc < 0 && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY) {
            log_error(LOG_SERVER, "io_uring failed, going on with send()",
                      LOG_STR("error", strerror(-rc)));
            io_uring_queue_exit(&b->ring);
            b->has_ring = false;
            for (size_t i = 0; i < n; i++) {
                if (jobs[i].result == -ECANCELED) {
                    send_loop(&jobs[i], 1);
                }
            }
            return;
        }
        done += ring_reap(b, jobs);
    }
}

#endif

struct batch_send *batch_send_new(enum conf_batch_send mode, struct err *e)
{
    struct batch_send *b = mem_zalloc(sizeof(*b));
    if (mode == BATCH_SEND_SEND) {
        return b;
    }
#ifdef HAVE_LIBURING
    int rc = ring_open(b, e);
#else
    int rc = err_set(e, ERR_UNAVAILABLE, "this pushd was built without liburing");
#endif
    if (rc != 0 && mode == BATCH_SEND_IO_URING) {
        free(b);
        return NULL;
    }
    return b;
}

void batch_send_free(struct batch_send *b)
{
    if (b == NULL) {
        return;
    }
#ifdef HAVE_LIBURING
    if (b->has_ring) {
        io_uring_queue_exit(&b->ring);
    }
#endif
    free(b);
}

const char *batch_send_name(const struct batch_send *b)
{
    return b->has_ring ? "io_uring" : "send";
}

void batch_send(struct batch_send *b, struct send_job *jobs, size_t n)
{
#ifdef HAVE_LIBURING
    if (b->has_ring && n >= URING_WORTHWHILE) {
        send_ring(b, jobs, n);
        return;
    }
#endif
    send_loop(jobs, n);
}
