/* SPDX-License-Identifier: Apache-2.0 */
/* Messages: one scan when they arrive, one frame per encoding when somebody needs it. */
#include "pushd/msg.h"

#include <stdlib.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/format/fossil.h"
#include "common/format/jscan.h"
#include "common/format/jwrite.h"
#include "common/format/pbwire.h"

/* Numbers of the fields that matter before anybody decodes the message. */
enum {
    PUB_DATA = 4,
    PUB_INFO = 5,
    PUB_OFFSET = 6,
    PUB_TIME = 9,
    PUB_EPOCH = 14,
    INFO_CONN = 3,
    INFO_CHAN = 4,
};

#define VARINT_MAX 10

struct scan {
    bool is_json;
    uint64_t offset;
    struct span epoch;
    int64_t time_ms;
};

static bool is_embeddable(struct span payload)
{
    return payload.n == 0 || jscan_is_valid(payload);
}

static int scan_info(struct span body, struct scan *s)
{
    struct pb_reader r = pb_reader_of(body);
    struct pb_field f;
    int rc;
    while ((rc = pb_read_field(&r, &f)) == 1) {
        if ((f.number == INFO_CONN || f.number == INFO_CHAN) && f.wire == PB_BYTES) {
            s->is_json = s->is_json && is_embeddable(f.bytes);
        }
    }
    return rc;
}

static int scan_publication(struct span body, struct scan *s)
{
    struct pb_reader r = pb_reader_of(body);
    struct pb_field f;
    int rc;
    while ((rc = pb_read_field(&r, &f)) == 1) {
        if (f.number == PUB_DATA && f.wire == PB_BYTES) {
            s->is_json = s->is_json && is_embeddable(f.bytes);
        } else if (f.number == PUB_INFO && f.wire == PB_BYTES) {
            if (scan_info(f.bytes, s) != 0) {
                return ERR_SYNTAX;
            }
        } else if (f.number == PUB_OFFSET && f.wire == PB_VARINT) {
            s->offset = f.value;
        } else if (f.number == PUB_TIME && f.wire == PB_VARINT) {
            s->time_ms = (int64_t)f.value;
        } else if (f.number == PUB_EPOCH && f.wire == PB_BYTES) {
            s->epoch = f.bytes;
        }
    }
    return rc;
}

static char *put(char *at, struct span from, struct span *to)
{
    if (from.n != 0) {
        memcpy(at, from.p, from.n);
    }
    *to = span_of(at, from.n);
    return at + from.n;
}

struct msg *msg_new_hashed(struct span channel, uint64_t channel_hash,
                           const struct engine_message *m)
{
    struct scan s = {.is_json = true, .epoch = m->position.epoch};
    int rc =
        m->kind == MESSAGE_PUBLICATION ? scan_publication(m->body, &s) : scan_info(m->body, &s);
    if (rc != 0) {
        return NULL;
    }
    struct span prev = m->has_delta ? m->prev : SPAN("");
    struct msg *msg = mem_alloc(sizeof(*msg) + channel.n + s.epoch.n + m->body.n + prev.n);
    *msg = (struct msg){
        .item.kind = BUS_MESSAGE,
        .refs = 1,
        .kind = m->kind,
        .is_json = s.is_json,
        .channel_hash = channel_hash,
        /* What the publication says itself counts before its frame. */
        .position.offset = s.offset != 0 ? s.offset : m->position.offset,
        .time_ms = s.time_ms,
    };
    char *at = put(msg->storage, channel, &msg->channel);
    at = put(at, s.epoch, &msg->position.epoch);
    at = put(at, m->body, &msg->body);
    put(at, prev, &msg->prev);
    return msg;
}

struct msg *msg_new(struct span channel, const struct engine_message *m)
{
    return msg_new_hashed(channel, hash_span(channel), m);
}

struct msg *msg_ref(struct msg *m)
{
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

static void free_frame(struct msg_frame *f)
{
    if (f == NULL) {
        return;
    }
    struct msg_frame *deflated = atomic_load_explicit(&f->deflated, memory_order_relaxed);
    if (deflated != f) {
        free(deflated);
    }
    free(f);
}

void msg_unref(struct msg *m)
{
    if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1) {
        for (size_t i = 0; i < ENC_COUNT * VARIANT_COUNT; i++) {
            free_frame(atomic_load_explicit(&m->frames[i / VARIANT_COUNT][i % VARIANT_COUNT],
                                            memory_order_relaxed));
        }
        free(m);
    }
}

static void encode_push(struct push *push, enum proto_encoding enc, struct buf *out)
{
    struct reply reply = {.push = push};
    if (enc == ENC_JSON) {
        schema_json_encode(&reply_schema, &reply, out);
    } else {
        schema_pb_encode(&reply_schema, &reply, out);
    }
}

/* Turns the payload into what a subscription with delta gets. False: there is no patch that is
 * worth it. */
static bool make_delta(const struct msg *m, struct arena *a, enum proto_encoding enc,
                       enum msg_variant variant, struct publication *pub)
{
    struct buf made = {0};
    if (variant == VARIANT_PATCH) {
        struct publication prev;
        if (m->prev.n == 0 || schema_pb_decode(&publication_schema, m->prev, a, &prev, NULL) != 0 ||
            prev.data.n == 0) {
            return false;
        }
        fossil_create(prev.data, pub->data, &made);
        if (made.n >= pub->data.n || (enc == ENC_JSON && !span_is_utf8(buf_span(&made)))) {
            buf_free(&made);
            return false;
        }
        pub->data = arena_dup(a, buf_span(&made));
        pub->delta = true;
        buf_clear(&made);
    }
    if (enc == ENC_JSON) {
        jwrite_string(&made, pub->data);
        pub->data = arena_dup(a, buf_span(&made));
    }
    buf_free(&made);
    return true;
}

static int encode_publication(const struct msg *m, struct arena *a, enum proto_encoding enc,
                              enum msg_variant variant, struct buf *out)
{
    struct publication pub;
    if (schema_pb_decode(&publication_schema, m->body, a, &pub, NULL) != 0) {
        return ERR_SYNTAX;
    }
    pub.offset = m->position.offset;
    /* A client that subscribed to a stream without an epoch learns it with the first publication.
     */
    bool tells_epoch =
        m->position.offset == 1 &&
        (variant == VARIANT_PLAIN || (enc == ENC_PROTOBUF && variant == VARIANT_FULL));
    pub.epoch = tells_epoch ? m->position.epoch : (struct span){0};
    /* What serves nodes only. */
    pub.time = 0;
    pub.delta = false;
    pub.prev_data = (struct span){0};
    if (variant != VARIANT_PLAIN && !make_delta(m, a, enc, variant, &pub)) {
        return ERR_MISSING;
    }
    struct push push = {.channel = m->channel, .pub = &pub};
    encode_push(&push, enc, out);
    return 0;
}

static int encode_info(const struct msg *m, struct arena *a, enum proto_encoding enc,
                       struct buf *out)
{
    struct client_info info;
    if (schema_pb_decode(&client_info_schema, m->body, a, &info, NULL) != 0) {
        return ERR_SYNTAX;
    }
    struct join join = {&info};
    struct leave leave = {&info};
    struct push push = {.channel = m->channel};
    if (m->kind == MESSAGE_JOIN) {
        push.join = &join;
    } else {
        push.leave = &leave;
    }
    encode_push(&push, enc, out);
    return 0;
}

static struct msg_frame *frame_of(struct span reply, enum proto_encoding enc)
{
    char head[FRAME_HEADER_MAX];
    char length[VARINT_MAX];
    struct buf prefix = {.p = length, .cap = sizeof(length), .max = sizeof(length)};
    if (enc == ENC_PROTOBUF) {
        pb_add_varint(&prefix, reply.n);
    }
    size_t n = frame_ws_header(enc == ENC_JSON ? 1 : 2, prefix.n + reply.n, head);
    struct msg_frame *frame = mem_alloc(sizeof(*frame) + n + prefix.n + reply.n);
    *frame = (struct msg_frame){.len = n + prefix.n + reply.n};
    memcpy(frame->bytes, head, n);
    memcpy(frame->bytes + n, length, prefix.n);
    memcpy(frame->bytes + n + prefix.n, reply.p, reply.n);
    return frame;
}

static struct msg_frame *build(const struct msg *m, enum proto_encoding enc,
                               enum msg_variant variant, int *rc)
{
    struct arena arena = {0};
    struct buf reply = {0};
    *rc = m->kind == MESSAGE_PUBLICATION ? encode_publication(m, &arena, enc, variant, &reply)
                                         : encode_info(m, &arena, enc, &reply);
    struct msg_frame *frame = *rc == 0 ? frame_of(buf_span(&reply), enc) : NULL;
    buf_free(&reply);
    arena_fini(&arena);
    return frame;
}

/* Stores `mine` unless another worker was faster; then its frame is the one. */
static struct msg_frame *settle(_Atomic(struct msg_frame *) *slot, struct msg_frame *mine,
                                const struct msg_frame *keep)
{
    struct msg_frame *found = NULL;
    if (atomic_compare_exchange_strong_explicit(slot, &found, mine, memory_order_acq_rel,
                                                memory_order_acquire)) {
        return mine;
    }
    if (mine != keep) {
        free(mine);
    }
    return found;
}

static struct msg_frame *get(struct msg *m, enum proto_encoding enc, enum msg_variant variant)
{
    _Atomic(struct msg_frame *) *slot = &m->frames[enc][variant];
    struct msg_frame *frame = atomic_load_explicit(slot, memory_order_acquire);
    if (LIKELY(frame != NULL) || (enc == ENC_JSON && !m->is_json)) {
        return frame;
    }
    int rc;
    struct msg_frame *mine = build(m, enc, variant, &rc);
    if (mine == NULL) {
        return rc == ERR_MISSING ? get(m, enc, VARIANT_FULL) : NULL;
    }
    return settle(slot, mine, NULL);
}

const struct msg_frame *msg_frame_get(struct msg *m, enum proto_encoding enc,
                                      enum msg_variant variant)
{
    return get(m, enc, variant);
}

/* The compressed frame, or the plain one where that is no better. */
static struct msg_frame *deflate_frame(struct msg_frame *plain, struct deflater *z, size_t min_size)
{
    size_t head_len = frame_ws_header_len(plain->bytes);
    struct span payload = span_of(plain->bytes + head_len, plain->len - head_len);
    struct buf packed = {0};
    struct msg_frame *frame = plain;
    if (payload.n > min_size) {
        deflater_run(z, payload, &packed);
    }
    if (packed.n != 0 && packed.n < payload.n) {
        char head[FRAME_HEADER_MAX];
        head_len = frame_ws_header((plain->bytes[0] & 0x0f) | FRAME_DEFLATED, packed.n, head);
        frame = mem_alloc(sizeof(*frame) + head_len + packed.n);
        *frame = (struct msg_frame){.len = head_len + packed.n};
        memcpy(frame->bytes, head, head_len);
        memcpy(frame->bytes + head_len, packed.p, packed.n);
    }
    buf_free(&packed);
    return frame;
}

const struct msg_frame *msg_frame_get_deflated(struct msg *m, enum proto_encoding enc,
                                               enum msg_variant variant, struct deflater *z,
                                               size_t min_size)
{
    struct msg_frame *plain = get(m, enc, variant);
    if (plain == NULL) {
        return NULL;
    }
    struct msg_frame *frame = atomic_load_explicit(&plain->deflated, memory_order_acquire);
    return frame != NULL ? frame
                         : settle(&plain->deflated, deflate_frame(plain, z, min_size), plain);
}
