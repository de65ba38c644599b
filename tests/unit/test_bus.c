/* SPDX-License-Identifier: Apache-2.0 */
/* The bus between two threads with loops of their own. */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "pushd/bus.h"
#include "pushd/msg.h"

#define OPS 20000

static struct bus bus;

/* The worker asks OPS times and counts the answers, in order; control answers and wakes once a
 * turn. */
struct side {
    struct ev_loop *loop;
    ev_async wake;
    ev_prepare prepare;
    int64_t next;
    bool in_order;
};

static struct side worker;
static struct side control;

static void worker_woken(struct ev_loop *loop, ev_async *w, int events)
{
    (void)w;
    (void)events;
    for (struct bus_item *item; (item = spsc_shift(&bus.ports[0].to_worker)) != NULL;) {
        struct bus_op *op = CONTAINER_OF(item, struct bus_op, item);
        worker.in_order = worker.in_order && op->history.limit == worker.next && op->error == 5;
        worker.next++;
        bus_op_free(op);
    }
    if (worker.next == OPS) {
        ev_break(loop, EVBREAK_ALL);
    }
}

static void *worker_main(void *arg)
{
    (void)arg;
    for (int64_t i = 0; i < OPS; i++) {
        struct bus_op *op = bus_op_new(BUS_HISTORY, SPAN("channel"));
        op->history.limit = i;
        bus_post_control(&bus, 0, &op->item);
    }
    ev_run(worker.loop, 0);
    struct bus_item *item = &bus_op_new(BUS_USER_OFF, SPAN(""))->item;
    bus_post_control(&bus, 0, item);
    return NULL;
}

static void control_woken(struct ev_loop *loop, ev_async *w, int events)
{
    (void)w;
    (void)events;
    for (struct bus_item *item; (item = spsc_shift(&bus.ports[0].to_control)) != NULL;) {
        struct bus_op *op = CONTAINER_OF(item, struct bus_op, item);
        if (item->kind == BUS_USER_OFF) {
            bus_op_free(op);
            ev_break(loop, EVBREAK_ALL);
            continue;
        }
        control.in_order = control.in_order && op->history.limit == control.next++ &&
                           span_eq_str(op->channel, "channel");
        op->error = 5;
        bus_post_worker(&bus, 0, item);
    }
}

static void control_prepares(struct ev_loop *loop, ev_prepare *w, int events)
{
    (void)loop;
    (void)w;
    (void)events;
    bus_wake_workers(&bus);
}

static void every_request_is_answered_in_order(void **state)
{
    (void)state;
    bus_init(&bus, 2);
    worker = (struct side){.loop = ev_loop_new(EVFLAG_AUTO), .in_order = true};
    control = (struct side){.loop = ev_loop_new(EVFLAG_AUTO), .in_order = true};
    ev_async_init(&worker.wake, worker_woken);
    ev_async_start(worker.loop, &worker.wake);
    ev_async_init(&control.wake, control_woken);
    ev_async_start(control.loop, &control.wake);
    ev_prepare_init(&control.prepare, control_prepares);
    ev_prepare_start(control.loop, &control.prepare);
    bus.control_loop = control.loop;
    bus.control_wake = &control.wake;
    bus.ports[0].worker_loop = worker.loop;
    bus.ports[0].worker_wake = &worker.wake;

    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, worker_main, NULL), 0);
    ev_run(control.loop, 0);
    pthread_join(thread, NULL);
    assert_int_equal(worker.next, OPS);
    assert_int_equal(control.next, OPS);
    assert_true(worker.in_order);
    assert_true(control.in_order);
    ev_loop_destroy(worker.loop);
    ev_loop_destroy(control.loop);
    bus_fini(&bus);
}

static void queued_items_are_freed_with_the_bus(void **state)
{
    (void)state;
    bus_init(&bus, 3);
    const struct engine_message m = {.kind = MESSAGE_PUBLICATION, .body = SPAN("")};
    struct msg *msg = msg_new(SPAN("c"), &m);
    bus_post_worker(&bus, 0, &msg_ref(msg)->item);
    bus_post_worker(&bus, 2, &msg->item);
    bus_post_worker(&bus, 1, &bus_op_new(BUS_PUBLISH, SPAN("c"))->item);
    bus_post_control(&bus, 1, &bus_op_new(BUS_JOIN, SPAN("c"))->item);
    bus_wake_workers(&bus); /* nobody to wake yet */
    assert_true(bus.ports[2].dirty);
    bus_fini(&bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_is_answered_in_order),
        cmocka_unit_test(queued_items_are_freed_with_the_bus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
