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

/* Stands where a frame would that nobody wants: a compressed one or a patch that is not shorter. */
static struct msg_frame useless;

struct scan {
    bool is_json; /* all payloads */
    bool is_text;
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
            bool is_good = is_embeddable(f.bytes);
            s->is_json = s->is_json && is_good;
            s->is_text = s->is_text && is_good;
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
            if (!is_embeddable(f.bytes)) {
                s->is_json = false;
                s->is_text = s->is_text && span_is_utf8(f.bytes);
            }
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
    struct scan s = {.is_json = true, .is_text = true, .epoch = m->position.epoch};
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
        .is_text = s.is_text,
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

static void free_frame(struct msg_frame *frame)
{
    if (frame != &useless) {
        free(frame);
    }
}

void msg_unref(struct msg *m)
{
    if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1) {
        for (size_t i = 0; i < MSG_FORMS; i++) {
            free_frame(atomic_load_explicit(&m->frames[i], memory_order_relaxed));
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
static bool make_delta(const struct msg *m, struct arena *a, struct msg_form form,
                       struct publication *pub)
{
    struct buf made = {0};
    if (form.variant == VARIANT_PATCH) {
        struct publication prev;
        if (m->prev.n == 0 || schema_pb_decode(&publication_schema, m->prev, a, &prev, NULL) != 0 ||
            prev.data.n == 0) {
            return false;
        }
        fossil_create(prev.data, pub->data, &made);
        if (made.n >= pub->data.n || (form.enc == ENC_JSON && !span_is_utf8(buf_span(&made)))) {
            buf_free(&made);
            return false;
        }
        pub->data = arena_dup(a, buf_span(&made));
        pub->delta = true;
        buf_clear(&made);
    }
    if (form.enc == ENC_JSON) {
        jwrite_string(&made, pub->data);
        pub->data = arena_dup(a, buf_span(&made));
    }
    buf_free(&made);
    return true;
}

/* Named as the form wants it. */
static struct push push_to(const struct msg *m, struct msg_form form)
{
    return form.is_compact ? (struct push){.id = m->channel_id}
                           : (struct push){.channel = m->channel};
}

static int encode_publication(const struct msg *m, struct arena *a, struct msg_form form,
                              struct buf *out)
{
    struct publication pub;
    if (schema_pb_decode(&publication_schema, m->body, a, &pub, NULL) != 0) {
        return ERR_SYNTAX;
    }
    pub.offset = m->position.offset;
    /* A client that subscribed to a stream without an epoch learns it with the first publication.
     */
    bool tells_epoch =
        m->position.offset == 1 && (form.variant == VARIANT_PLAIN ||
                                    (form.enc == ENC_PROTOBUF && form.variant == VARIANT_FULL));
    pub.epoch = tells_epoch ? m->position.epoch : (struct span){0};
    /* What serves nodes only. */
    pub.time = 0;
    pub.delta = false;
    pub.prev_data = (struct span){0};
    if (form.variant != VARIANT_PLAIN && !make_delta(m, a, form, &pub)) {
        return ERR_MISSING;
    }
    struct push push = push_to(m, form);
    push.pub = &pub;
    encode_push(&push, form.enc, out);
    return 0;
}

static int encode_info(const struct msg *m, struct arena *a, struct msg_form form, struct buf *out)
{
    struct client_info info;
    if (schema_pb_decode(&client_info_schema, m->body, a, &info, NULL) != 0) {
        return ERR_SYNTAX;
    }
    struct join join = {&info};
    struct leave leave = {&info};
    struct push push = push_to(m, form);
    if (m->kind == MESSAGE_JOIN) {
        push.join = &join;
    } else {
        push.leave = &leave;
    }
    encode_push(&push, form.enc, out);
    return 0;
}

/* A frame whose payload is in two parts. */
static struct msg_frame *frame_of(unsigned opcode, struct span first, struct span rest)
{
    char head[FRAME_HEADER_MAX];
    size_t n = frame_ws_header(opcode, first.n + rest.n, head);
    struct msg_frame *frame = mem_alloc(sizeof(*frame) + n + first.n + rest.n);
    frame->head = n;
    frame->len = n + first.n + rest.n;
    memcpy(frame->bytes, head, n);
    if (first.n != 0) {
        memcpy(frame->bytes + n, first.p, first.n);
    }
    memcpy(frame->bytes + n + first.n, rest.p, rest.n);
    return frame;
}

/* The reply as a message of its own: in Protobuf behind its length. */
static struct msg_frame *plain_frame(struct msg_form form, struct span reply)
{
    char length[VARINT_MAX];
    struct buf prefix = {.p = length, .cap = sizeof(length), .max = sizeof(length)};
    if (form.enc == ENC_PROTOBUF) {
        pb_add_varint(&prefix, reply.n);
    }
    return frame_of(frame_opcode(form.enc), buf_span(&prefix), reply);
}

static struct msg_frame *build(const struct msg *m, struct msg_form form, int *rc)
{
    struct arena arena = {0};
    struct buf reply = {0};
    *rc = m->kind == MESSAGE_PUBLICATION ? encode_publication(m, &arena, form, &reply)
                                         : encode_info(m, &arena, form, &reply);
    struct msg_frame *frame = *rc == 0 ? plain_frame(form, buf_span(&reply)) : NULL;
    buf_free(&reply);
    arena_fini(&arena);
    return frame;
}

/* Puts a frame where the others find it, unless somebody was faster: then that one is it. */
static const struct msg_frame *keep(struct msg *m, struct msg_form form, struct msg_frame *mine)
{
    struct msg_frame *other = NULL;
    if (!atomic_compare_exchange_strong_explicit(&m->frames[msg_form_index(form)], &other, mine,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        free_frame(mine);
        return other;
    }
    return mine;
}

/* A compressed frame, or `useless`. */
static struct msg_frame *deflate_frame(const struct msg_frame *plain, struct msg_form form,
                                       struct deflate *z)
{
    struct buf packed = {0};
    deflate_compress(z, span_of(plain->bytes + plain->head, plain->len - plain->head), &packed);
    struct msg_frame *frame =
        frame_of(frame_opcode(form.enc) | FRAME_COMPRESSED, SPAN(""), buf_span(&packed));
    buf_free(&packed);
    if (frame->len >= plain->len) {
        free(frame);
        return &useless;
    }
    return frame;
}

/* `frame` is what is kept already. */
static const struct msg_frame *get_deflated(struct msg *m, struct msg_form form, struct deflate *z,
                                            const struct msg_frame *frame)
{
    struct msg_form plain_form = form;
    plain_form.is_deflated = false;
    const struct msg_frame *plain = msg_frame_get(m, plain_form, z);
    if (plain == NULL || frame == &useless || !deflate_pays(z, plain->len - plain->head)) {
        return plain;
    }
    frame = keep(m, form, deflate_frame(plain, form, z));
    return frame != &useless ? frame : plain;
}

/* With delta the data stand in a JSON string. */
static bool fits(const struct msg *m, struct msg_form form)
{
    return form.enc != ENC_JSON || (form.variant == VARIANT_PLAIN ? m->is_json : m->is_text);
}

const struct msg_frame *msg_frame_get(struct msg *m, struct msg_form form, struct deflate *z)
{
    struct msg_frame *frame =
        atomic_load_explicit(&m->frames[msg_form_index(form)], memory_order_acquire);
    if ((LIKELY(frame != NULL) && LIKELY(frame != &useless)) || !fits(m, form)) {
        return frame;
    }
    if (form.is_deflated) {
        return get_deflated(m, form, z, frame);
    }
    int rc = ERR_MISSING;
    struct msg_frame *mine = frame == NULL ? build(m, form, &rc) : NULL;
    if (mine != NULL) {
        return keep(m, form, mine);
    }
    if (rc != ERR_MISSING) {
        return NULL;
    }
    keep(m, form, &useless);
    form.variant = VARIANT_FULL;
    return msg_frame_get(m, form, z);
}
