/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and their frames. */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/err.h"
#include "common/format/pbwire.h"
#include "pushd/msg.h"

#define BYTES(literal)               \
    {                                \
        literal, sizeof(literal) - 1 \
    }

static struct msg *msg_of(struct span payload)
{
    struct engine_message m;
    assert_int_equal(engine_message_parse(payload, &m), 0);
    return msg_new(SPAN("news"), &m);
}

static const struct {
    struct span payload;
    struct span json;     /* absent: there is no frame */
    struct span protobuf; /* without its length */
} frames[] = {
    {BYTES("\x22\x07{\x22x\x22:1}"),
     BYTES("{\"push\":{\"channel\":\"news\",\"pub\":{\"data\":{\"x\":1}}}}"),
     BYTES("\x22\x11\x12\x04news\x22\x09\x22\x07{\x22x\x22:1}")},
    {BYTES(""), BYTES("{\"push\":{\"channel\":\"news\",\"pub\":{}}}"),
     BYTES("\x22\x08\x12\x04news\x22\x00")},
    {BYTES("\x22\x00"), BYTES("{\"push\":{\"channel\":\"news\",\"pub\":{}}}"),
     BYTES("\x22\x08\x12\x04news\x22\x00")},
    /* The position comes from the frame, the epoch goes with the first offset only. */
    {BYTES("__p1:5:AbCdEfGh__\x22\x01"
           "1"),
     BYTES("{\"push\":{\"channel\":\"news\",\"pub\":{\"data\":1,\"offset\":5}}}"),
     BYTES("\x22\x0d\x12\x04news\x22\x05\x22\x01"
           "10\x05")},
    {BYTES("__p1:1:E__\x22\x01"
           "1"),
     BYTES("{\"push\":{\"channel\":\"news\",\"pub\":{\"data\":1,\"offset\":1,\"epoch\":\"E\"}}}"),
     BYTES("\x22\x10\x12\x04news\x22\x08\x22\x01"
           "10\x01r\x01"
           "E")},
    /* time, delta and prev_data serve nodes only; version is passed on. */
    {BYTES("\x22\x01"
           "1@\x01H\x05z\x01"
           "0\x80\x01\x03"),
     BYTES("{\"push\":{\"channel\":\"news\",\"pub\":{\"data\":1,\"version\":3}}}"),
     BYTES("\x22\x0e\x12\x04news\x22\x06\x22\x01"
           "1\x80\x01\x03")},
    /* A newline between tokens cannot stand in a line-delimited message. */
    {BYTES("\x22\x09{\x22"
           "a\x22:\x0a 1}"),
     BYTES("{\"push\":{\"channel\":\"news\",\"pub\":{\"data\":{\"a\": 1}}}}"),
     BYTES("\x22\x13\x12\x04news\x22\x0b\x22\x09{\x22"
           "a\x22:\x0a 1}")},
    /* No JSON: no JSON frame. */
    {BYTES("\x22\x05{\x22"
           "a\x22:"),
     {0},
     BYTES("\x22\x0f\x12\x04news\x22\x07\x22\x05{\x22"
           "a\x22:")},
    {BYTES("\x22\x01"
           "1*\x03\x1a\x01{"),
     {0},
     BYTES("\x22\x10\x12\x04news\x22\x08\x22\x01"
           "1*\x03\x1a\x01{")},
    {BYTES("__j__\x0a\x01u\x12\x01"
           "c"),
     BYTES(
         "{\"push\":{\"channel\":\"news\",\"join\":{\"info\":{\"user\":\"u\",\"client\":\"c\"}}}}"),
     BYTES("\x22\x10\x12\x04news*\x08\x0a\x06\x0a\x01u\x12\x01"
           "c")},
    {BYTES("__l__\x12\x01"
           "c"),
     BYTES(
         "{\"push\":{\"channel\":\"news\",\"leave\":{\"info\":{\"user\":\"\",\"client\":\"c\"}}}}"),
     BYTES("\x22\x0d\x12\x04news2\x05\x0a\x03\x12\x01"
           "c")},
};

static void assert_frame(size_t row, struct msg *m, enum proto_encoding enc, struct span want)
{
    const struct msg_frame *f =
        msg_frame_get(m, (struct msg_form){enc, VARIANT_PLAIN, false, false}, NULL);
    if (want.p == NULL) {
        assert_null(f);
        return;
    }
    assert_non_null(f);
    struct buf b = {0};
    if (enc == ENC_PROTOBUF) {
        pb_add_varint(&b, want.n);
    }
    buf_add_span(&b, want);
    assert_true(b.n < 126);
    assert_int_equal((unsigned char)f->bytes[0], enc == ENC_JSON ? 0x81 : 0x82);
    assert_int_equal(f->bytes[1], b.n);
    if (!span_eq(span_of(f->bytes + 2, f->len - 2), buf_span(&b))) {
        fail_msg("row %zu, encoding %d: %.*s", row, enc, (int)f->len, f->bytes);
    }
    assert_ptr_equal(msg_frame_get(m, (struct msg_form){enc, VARIANT_PLAIN, false, false}, NULL),
                     f);
    buf_free(&b);
}

static void frames_are_built_once_and_exactly(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        struct msg *m = msg_of(frames[i].payload);
        assert_non_null(m);
        assert_int_equal(m->is_json, frames[i].json.p != NULL);
        assert_frame(i, m, ENC_JSON, frames[i].json);
        assert_frame(i, m, ENC_PROTOBUF, frames[i].protobuf);
        msg_unref(m);
    }
}

static void compact_frames_have_the_number(void **state)
{
    (void)state;
    struct msg *m = msg_of(SPAN("__p1:7:E__\x22\x01"
                                "1"));
    m->channel_id = 42;
    const struct msg_frame *json =
        msg_frame_get(m, (struct msg_form){ENC_JSON, VARIANT_PLAIN, true, false}, NULL);
    assert_memory_equal(json->bytes + 2, "{\"push\":{\"id\":42,\"pub\":{\"data\":1,\"offset\":7}}}",
                        json->len - 2);
    const struct msg_frame *pb =
        msg_frame_get(m, (struct msg_form){ENC_PROTOBUF, VARIANT_PLAIN, true, false}, NULL);
    assert_memory_equal(pb->bytes + 3,
                        "\x22\x09\x08\x2a\x22\x05\x22\x01"
                        "1\x30\x07",
                        pb->len - 3);
    assert_ptr_not_equal(
        msg_frame_get(m, (struct msg_form){ENC_JSON, VARIANT_PLAIN, false, false}, NULL), json);
    msg_unref(m);
}

static void deflated_frames_are_shared_and_expand_to_the_plain_one(void **state)
{
    (void)state;
    struct deflate *z = deflate_new(1, 60);
    struct msg *small = msg_of(SPAN("\x22\x01"
                                    "1"));
    struct msg *large =
        msg_of(SPAN("\x22\x40"
                    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""));
    for (unsigned enc = 0; enc < ENC_COUNT; enc++) {
        struct msg_form plain = {enc, VARIANT_PLAIN, false, false};
        struct msg_form packed = {enc, VARIANT_PLAIN, false, true};
        assert_ptr_equal(msg_frame_get(small, packed, z), msg_frame_get(small, plain, z));
        const struct msg_frame *f = msg_frame_get(large, packed, z);
        const struct msg_frame *p = msg_frame_get(large, plain, NULL);
        assert_true(f->len < p->len);
        assert_int_equal((unsigned char)f->bytes[0], enc == ENC_JSON ? 0xc1 : 0xc2);
        assert_ptr_equal(msg_frame_get(large, packed, z), f);
        struct buf back = {0};
        assert_int_equal(
            deflate_expand(z, span_of(f->bytes + f->head, f->len - f->head), 1000, &back), 0);
        assert_true(span_eq(buf_span(&back), span_of(p->bytes + p->head, p->len - p->head)));
        buf_free(&back);
    }
    msg_unref(small);
    msg_unref(large);
    deflate_free(z);
}

static void a_frame_that_does_not_get_shorter_is_tried_once(void **state)
{
    (void)state;
    struct deflate *stores = deflate_new(0, 60);
    struct deflate *packs = deflate_new(9, 60);
    struct msg *m =
        msg_of(SPAN("\x22\x40"
                    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""));
    struct msg_form packed = {ENC_JSON, VARIANT_PLAIN, false, true};
    const struct msg_frame *plain =
        msg_frame_get(m, (struct msg_form){ENC_JSON, VARIANT_PLAIN, false, false}, NULL);
    assert_ptr_equal(msg_frame_get(m, packed, stores), plain);
    assert_ptr_equal(msg_frame_get(m, packed, packs), plain); /* it could, but nobody asks it to */
    msg_unref(m);
    deflate_free(stores);
    deflate_free(packs);
}

static void delta_frame_is_delivered_in_full(void **state)
{
    (void)state;
    struct msg *m = msg_of(SPAN("__d1:2:E:3:\x22\x01"
                                "0:3:\x22\x01"
                                "1"));
    const struct msg_frame *f =
        msg_frame_get(m, (struct msg_form){ENC_JSON, VARIANT_PLAIN, false, false}, NULL);
    assert_memory_equal(f->bytes + 2,
                        "{\"push\":{\"channel\":\"news\",\"pub\":{\"data\":1,\"offset\":2}}}",
                        f->len - 2);
    msg_unref(m);
}

static void scan_finds_time_position_and_epoch(void **state)
{
    (void)state;
    struct msg *m = msg_of(SPAN("__p1:7:E__\x22\x01"
                                "1\x48\x80\xd0\x95\xff\xbc\x31"));
    assert_int_equal(m->time_ms, 1700000000000);
    assert_int_equal(m->position.offset, 7);
    assert_true(span_eq_str(m->position.epoch, "E"));
    assert_true(m->channel_hash == hash_span(SPAN("news")));
    msg_unref(m);
    m = msg_of(SPAN("__p1:7:E__\x22\x01"
                    "1\x30\x09\x72\x02XY"));
    assert_int_equal(m->position.offset, 9);
    assert_true(span_eq_str(m->position.epoch, "XY"));
    msg_unref(m);
}

static void malformed_body_gives_no_message(void **state)
{
    (void)state;
    assert_null(msg_of(SPAN("\x22\x09x")));
    assert_null(msg_of(SPAN("\x2a\x02\x0a\x05")));
    assert_null(msg_of(SPAN("__p1:1:E__\xff")));
    assert_null(msg_of(SPAN("__j__\x0a\x05")));
    struct msg *m = msg_of(SPAN("\x22\x01"
                                "1\x5a\x01\xff")); /* a key that is no UTF-8 */
    assert_non_null(m);
    assert_null(msg_frame_get(m, (struct msg_form){ENC_JSON, VARIANT_PLAIN, false, false}, NULL));
    assert_null(
        msg_frame_get(m, (struct msg_form){ENC_PROTOBUF, VARIANT_PLAIN, false, false}, NULL));
    msg_unref(m);
}

static void long_frames_have_longer_headers(void **state)
{
    (void)state;
    struct buf b = {0};
    static char zeros[70000];
    memset(zeros, '1', sizeof(zeros));
    static const size_t sizes[] = {200, 70000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        buf_clear(&b);
        pb_add_bytes(&b, 4, span_of(zeros, sizes[i]));
        struct msg *m = msg_of(buf_span(&b));
        const struct msg_frame *f =
            msg_frame_get(m, (struct msg_form){ENC_JSON, VARIANT_PLAIN, false, false}, NULL);
        assert_int_equal(f->bytes[1], i == 0 ? 126 : 127);
        assert_memory_equal(f->bytes + (i == 0 ? 4 : 10), "{\"push\":", 8);
        msg_unref(m);
    }
    buf_free(&b);
}

static void *frame_from_thread(void *arg)
{
    struct msg *m = arg;
    size_t len =
        msg_frame_get(m, (struct msg_form){ENC_JSON, VARIANT_PLAIN, false, false}, NULL)->len;
    msg_unref(m);
    return (void *)(uintptr_t)len;
}

static void threads_share_one_frame(void **state)
{
    (void)state;
    enum {
        THREADS = 4,
        ROUNDS = 50
    };
    for (int i = 0; i < ROUNDS; i++) {
        struct msg *m = msg_of(SPAN("__p1:1:E__\x22\x01"
                                    "1"));
        pthread_t threads[THREADS];
        for (int k = 0; k < THREADS; k++) {
            assert_int_equal(pthread_create(&threads[k], NULL, frame_from_thread, msg_ref(m)), 0);
        }
        size_t len =
            msg_frame_get(m, (struct msg_form){ENC_JSON, VARIANT_PLAIN, false, false}, NULL)->len;
        msg_unref(m);
        for (int k = 0; k < THREADS; k++) {
            void *got;
            pthread_join(threads[k], &got);
            assert_int_equal((uintptr_t)got, len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_built_once_and_exactly),
        cmocka_unit_test(compact_frames_have_the_number),
        cmocka_unit_test(deflated_frames_are_shared_and_expand_to_the_plain_one),
        cmocka_unit_test(a_frame_that_does_not_get_shorter_is_tried_once),
        cmocka_unit_test(delta_frame_is_delivered_in_full),
        cmocka_unit_test(scan_finds_time_position_and_epoch),
        cmocka_unit_test(malformed_body_gives_no_message),
        cmocka_unit_test(long_frames_have_longer_headers),
        cmocka_unit_test(threads_share_one_frame),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
