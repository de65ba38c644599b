/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of a connection: references, order, partial writes. */
#include "pushd/worker/outq.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/unit.h"

static void frames_leave_in_order_whatever_the_socket_takes(void **state)
{
    (void)state;
    struct delivery_pool pool = {0};
    struct outq q;
    outq_init(&q);
    struct buf sent = {0};
    struct buf want = {0};
    unsigned next = 0;
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned k = 0; k < round % 7; k++) {
            char text[32];
            int n = snprintf(text, sizeof(text), "<%u>", next++);
            struct delivery *d = delivery_of_bytes(1, span_of(text, (size_t)n), 0);
            buf_add(&want, d->p, d->n);
            outq_push(&q, d);
            delivery_unref(&pool, d);
        }
        size_t take = q.bytes < round % 13 ? q.bytes : round % 13;
        size_t left = take;
        for (uint32_t i = 0; left != 0; i++) {
            struct delivery *d = outq_at(&q, i);
            size_t skip = i == 0 ? q.sent : 0;
            size_t n = d->n - skip < left ? d->n - skip : left;
            buf_add(&sent, d->p + skip, n);
            left -= n;
        }
        outq_consume(&q, &pool, take);
    }
    while (q.count != 0) {
        struct delivery *d = outq_at(&q, 0);
        buf_add(&sent, d->p + q.sent, d->n - q.sent);
        outq_consume(&q, &pool, d->n - q.sent);
    }
    assert_int_equal(q.bytes, 0);
    assert_int_equal(sent.n, want.n);
    assert_memory_equal(sent.p, want.p, want.n);
    buf_free(&sent);
    buf_free(&want);
    outq_clear(&q, &pool);
    delivery_pool_fini(&pool);
}

static void a_close_frame_is_reported_when_its_last_byte_is_gone(void **state)
{
    (void)state;
    struct delivery_pool pool = {0};
    struct outq q;
    outq_init(&q);
    struct delivery *d = delivery_of_bytes(8, SPAN("\x03\xe8"), 0);
    d->is_close = true;
    outq_push(&q, d);
    delivery_unref(&pool, d);
    assert_false(outq_consume(&q, &pool, 3));
    assert_true(outq_consume(&q, &pool, 1));
    outq_clear(&q, &pool);
}

static void a_shared_frame_is_released_by_the_last_queue(void **state)
{
    (void)state;
    struct delivery_pool pool = {0};
    struct engine_message em = {.kind = MESSAGE_PUBLICATION,
                                .body = SPAN("\x22\x01"
                                             "1")};
    struct msg *m = msg_new(SPAN("news"), &em);
    const struct msg_frame *frame =
        msg_frame_get(m, (struct msg_form){ENC_JSON, VARIANT_PLAIN, false, false}, NULL);
    assert_non_null(frame);
    struct delivery *d = delivery_of_msg(&pool, m, frame, 0);
    struct outq a;
    struct outq b;
    outq_init(&a);
    outq_init(&b);
    outq_push(&a, d);
    outq_push(&b, d);
    delivery_unref(&pool, d);
    assert_int_equal(atomic_load(&m->refs), 2);
    outq_clear(&a, &pool);
    assert_int_equal(atomic_load(&m->refs), 2);
    outq_clear(&b, &pool);
    assert_int_equal(atomic_load(&m->refs), 1);
    msg_unref(m);
    delivery_pool_fini(&pool);
}

static void the_age_is_that_of_the_first_in_the_queue(void **state)
{
    (void)state;
    struct delivery_pool pool = {0};
    struct outq q;
    outq_init(&q);
    assert_int_equal(outq_age_ms(&q, 5000), 0);
    for (int64_t now = 1000; now <= 3000; now += 1000) {
        struct delivery *d = delivery_of_bytes(1, SPAN("x"), now);
        outq_push(&q, d);
        delivery_unref(&pool, d);
    }
    assert_int_equal(outq_age_ms(&q, 5000), 4000);
    outq_consume(&q, &pool, 4); /* one and a part of the next */
    assert_int_equal(outq_age_ms(&q, 5000), 3000);
    outq_clear(&q, &pool);
}

static void dropping_leaves_what_is_half_on_the_wire(void **state)
{
    (void)state;
    struct delivery_pool pool = {0};
    struct outq q;
    outq_init(&q);
    for (unsigned i = 0; i < 5; i++) {
        struct delivery *d = delivery_of_bytes(1, SPAN("abc"), 0);
        outq_push(&q, d);
        delivery_unref(&pool, d);
    }
    outq_consume(&q, &pool, 7);
    outq_drop(&q, &pool);
    assert_int_equal(q.count, 1);
    assert_int_equal(q.bytes, 3);
    assert_int_equal(q.sent, 2);
    outq_consume(&q, &pool, 3);
    assert_int_equal(q.count, 0);
    outq_drop(&q, &pool);
    assert_int_equal(q.bytes, 0);
    outq_clear(&q, &pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_leave_in_order_whatever_the_socket_takes),
        cmocka_unit_test(a_close_frame_is_reported_when_its_last_byte_is_gone),
        cmocka_unit_test(a_shared_frame_is_released_by_the_last_queue),
        cmocka_unit_test(the_age_is_that_of_the_first_in_the_queue),
        cmocka_unit_test(dropping_leaves_what_is_half_on_the_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
