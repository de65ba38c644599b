/* SPDX-License-Identifier: Apache-2.0 */
/* What a subscription does with a message of its channel. */
#include "common/base/clk.h"
#include "pushd/worker/conn.h"
#include "pushd/worker/sub.h"

enum verdict {
    DELIVER,
    SKIP,
    GAP
};

static bool is_late(const struct worker *w, const struct msg *m)
{
    int64_t lag = w->conf->client.channel_position_max_time_lag_ms;
    return lag > 0 && m->time_ms != 0 && clk_wall_ms() - m->time_ms > lag;
}

void dispatch_init(struct dispatch *d, const struct worker *w, const struct chan *c, struct msg *m,
                   struct arena *a)
{
    *d = (struct dispatch){
        .msg = m,
        .arena = a,
        .is_late = is_late(w, m),
        .epoch_id = c->epoch_id,
        .now_ms = w->now_ms,
    };
}

/* Client protocol 7.5. */
static enum verdict check_position(struct sub *s, const struct dispatch *d)
{
    uint64_t offset = d->msg->position.offset;
    if (!s->is_positioned || offset == 0) {
        return DELIVER;
    }
    if (UNLIKELY(d->is_late || s->epoch_id != d->epoch_id)) {
        return GAP;
    }
    if (UNLIKELY(offset != s->offset + 1)) {
        return offset <= s->offset ? SKIP : GAP;
    }
    s->offset = offset;
    s->checked_ms = d->now_ms;
    return DELIVER;
}

static bool passes_filter(const struct sub *s, struct dispatch *d)
{
    if (!d->has_tags) {
        struct publication pub;
        d->has_tags = true;
        if (schema_pb_decode(&publication_schema, d->msg->body, d->arena, &pub, NULL) == 0) {
            d->tags = pub.tags;
        }
    }
    return tags_filter_match(s->filter, &d->tags);
}

static enum msg_variant choose_variant(struct sub *s, const struct msg *m)
{
    if (!s->has_delta || m->kind != MESSAGE_PUBLICATION) {
        return VARIANT_PLAIN;
    }
    enum msg_variant v =
        s->has_base && s->is_positioned && m->position.offset != 0 ? VARIANT_PATCH : VARIANT_FULL;
    s->has_base = m->position.offset != 0;
    return v;
}

/* The frame that fits this subscription, shared with all that get the same. NULL: none can be made.
 */
static struct delivery *frame_for(struct sub *s, struct dispatch *d)
{
    struct conn *c = s->conn;
    struct msg_form form = {c->enc, choose_variant(s, d->msg), s->is_compact, c->has_deflate};
    struct delivery **slot = &d->frames[msg_form_index(form)];
    if (*slot == NULL) {
        const struct msg_frame *frame = msg_frame_get(d->msg, form, c->w->deflate);
        if (frame == NULL) {
            return NULL;
        }
        *slot = delivery_of_msg(&c->w->deliveries, d->msg, frame, d->now_ms);
    }
    return *slot;
}

void sub_deliver(struct sub *s, struct dispatch *d)
{
    struct msg *m = d->msg;
    struct conn *c = s->conn;
    if (UNLIKELY(s->start != NULL)) {
        sub_hold(s, m);
        return;
    }
    if (m->kind != MESSAGE_PUBLICATION && !s->gets_join_leave) {
        return;
    }
    enum verdict v = check_position(s, d);
    if (UNLIKELY(v != DELIVER)) {
        if (v == GAP) {
            sub_insufficient(s);
        }
        return;
    }
    if (UNLIKELY(s->filter != NULL) && m->kind == MESSAGE_PUBLICATION && !passes_filter(s, d)) {
        s->has_base = false;
        metrics_add(c->w->metrics, METRIC_FILTERED, 0, 1);
        return;
    }
    struct delivery *frame = frame_for(s, d);
    if (LIKELY(frame != NULL)) {
        conn_push(c, frame);
    } else if (c->enc == ENC_JSON && !m->is_json) {
        conn_close_about(
            c, chan_name(s->chan),
            &(struct perr_result){PERR_CLOSE_INAPPROPRIATE_PROTOCOL, "payload.not_json",
                                  "a publication is not JSON; use the protobuf protocol"});
    }
}

void dispatch_fini(struct dispatch *d, struct delivery_pool *pool)
{
    for (size_t i = 0; i < MSG_FORMS; i++) {
        if (d->frames[i] != NULL) {
            delivery_unref(pool, d->frames[i]);
        }
    }
}
