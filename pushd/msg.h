/* SPDX-License-Identifier: Apache-2.0 */
/* One message for the subscribers of a channel: encoded once per encoding, shared by reference
 * among threads. */
#pragma once

#include "common/base/hash.h"
#include "common/format/deflate.h"
#include "pushd/bus.h"

/* The bytes of a complete WebSocket frame. */
struct msg_frame {
    size_t len;
    size_t head; /* bytes of the WebSocket header */
    char bytes[];
};

/* How a publication reads for different subscriptions. */
enum msg_variant {
    VARIANT_PLAIN,
    VARIANT_FULL,  /* delta is negotiated, the whole payload: in JSON as a string */
    VARIANT_PATCH, /* the difference to the publication before it, where it is known and shorter;
                      else as VARIANT_FULL */
    VARIANT_COUNT,
};

/* What a subscription's frames look like; all subscriptions with the same form share each frame. */
struct msg_form {
    enum proto_encoding enc;
    enum msg_variant variant;
    bool is_compact;  /* the channel by its number instead of its name */
    bool is_deflated; /* permessage-deflate, where it pays */
};

#define MSG_FORMS (ENC_COUNT * VARIANT_COUNT * 4)

/* Its place among all forms. */
static inline unsigned msg_form_index(struct msg_form f)
{
    return ((unsigned)f.enc * VARIANT_COUNT + (unsigned)f.variant) * 4 + f.is_compact * 2U +
           f.is_deflated;
}

/* Immutable but for the reference count and the frames, which are built on first need by whichever
 * thread needs one. */
struct msg {
    struct bus_item item; /* BUS_MESSAGE */
    _Atomic uint32_t refs;
    enum engine_message_kind kind;
    bool is_json; /* the payloads may be embedded in JSON */
    bool is_text; /* the data may stand in a JSON string, and the info be embedded */
    struct span channel;
    uint64_t channel_hash;           /* hash_span(channel) */
    uint32_t channel_id;             /* the node's number of the channel, 0: none */
    struct engine_position position; /* offset 0: not part of a stream */
    int64_t time_ms;                 /* of the publisher, 0: unknown */
    int64_t posted_ms;               /* to the workers, clk_mono_ms; who posts it sets it */
    struct span body; /* Publication or ClientInfo as it came from Redis, Protobuf; valid but for
                         texts that are not UTF-8 */
    struct span prev; /* the Publication before it in the stream; n == 0: not known */
    _Atomic(struct msg_frame *) frames[MSG_FORMS];
    char storage[]; /* the bytes of channel, epoch, body and prev */
};

/* Copies what the spans point to. One reference for the caller. NULL when the body is no
 * Publication or ClientInfo. */
struct msg *msg_new(struct span channel, const struct engine_message *m);
/* The same for a caller that has hash_span(channel) already. */
struct msg *msg_new_hashed(struct span channel, uint64_t channel_hash,
                           const struct engine_message *m);
struct msg *msg_ref(struct msg *m);
void msg_unref(struct msg *m);

/* The frame of one form, built now if nobody needed it before. NULL when it cannot be: a body that
 * is no valid Publication, or a payload that is not JSON for JSON clients (they are disconnected
 * with 3506). Any thread; z is the thread's own and may be NULL where nothing is deflated. */
const struct msg_frame *msg_frame_get(struct msg *m, struct msg_form form, struct deflate *z);
