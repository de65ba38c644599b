/* SPDX-License-Identifier: Apache-2.0 */
/* What arrives by PUB/SUB: the frame, and the Publication or ClientInfo inside. */
#include <stdlib.h>

#include "common/base/err.h"
#include "common/engine/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok) {
        abort();
    }
}

static bool is_inside(struct span part, struct span whole)
{
    return part.p == NULL || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

/* Decoding what encoding made gives the same bytes again. */
static void round_trip(const struct schema *s, struct span body)
{
    struct arena a = {0};
    struct buf first = {0};
    struct buf second = {0};
    void *msg = arena_zalloc(&a, s->size);
    if (schema_pb_decode(s, body, &a, msg, NULL) == 0) {
        schema_pb_encode(s, msg, &first);
        require(schema_pb_decode(s, buf_span(&first), &a, msg, NULL) == 0);
        schema_pb_encode(s, msg, &second);
        require(span_eq(buf_span(&first), buf_span(&second)));
    }
    buf_free(&first);
    buf_free(&second);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span payload = span_of(data, size);
    struct engine_message m;
    if (engine_message_parse(payload, &m) != 0) {
        return 0;
    }
    if (size > 0) {
        require(is_inside(m.body, payload) && is_inside(m.prev, payload) &&
                is_inside(m.position.epoch, payload));
    }
    round_trip(m.kind == MESSAGE_PUBLICATION ? &publication_schema : &client_info_schema, m.body);
    if (m.has_delta) {
        round_trip(&publication_schema, m.prev);
    }
    return 0;
}
