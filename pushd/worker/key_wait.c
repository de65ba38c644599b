/* SPDX-License-Identifier: Apache-2.0 */
/* Commands whose token is signed with a key that has to be fetched first. */
#include "pushd/worker/key_wait.h"

#include "pushd/worker/client_cmd.h"

/* Where the token of a command is, and who verifies it. */
static struct span token_of(const struct conn *c, const struct key_wait *k,
                            const struct token_verifier **v)
{
    const struct worker_shared *s = c->w->shared;
    switch (k->method) {
    case METRIC_METHOD_CONNECT:
        *v = s->connect_tokens;
        return ((const struct connect_request *)k->request)->token;
    case METRIC_METHOD_REFRESH:
        *v = s->connect_tokens;
        return ((const struct refresh_request *)k->request)->token;
    case METRIC_METHOD_SUBSCRIBE:
        *v = s->subscribe_tokens;
        return ((const struct subscribe_request *)k->request)->token;
    case METRIC_METHOD_SUB_REFRESH:
        *v = s->subscribe_tokens;
        return ((const struct sub_refresh_request *)k->request)->token;
    default:
        *v = NULL;
        return (struct span){0};
    }
}

static void answered(struct bus_op *op)
{
    struct conn *c = op->owner;
    struct perr_result missing = op->refused;
    if (missing.code == PERR_OK) {
        /* It should be in the cache now; if not, others have pushed it out. */
        missing =
            (struct perr_result){PERR_CLOSE_INVALID_TOKEN, "jwks.busy", "too many keys are in use"};
    }
    client_cmd_again(c, op->data, &missing);
}

struct perr_result key_wait(struct conn *c, const struct key_wait *k, struct perr_result refusal)
{
    const struct token_verifier *v;
    struct token_wanted wanted;
    struct span token = token_of(c, k, &v);
    if (v == NULL || !token_wanted_key(v, token, &c->w->arena, &wanted)) {
        return refusal;
    }
    struct bus_op *op = bus_op_new(BUS_KEY, wanted.url);
    op->kid = arena_dup(&op->arena, wanted.kid);
    op->data = arena_dup(&op->arena, k->command);
    c->is_busy = true;
    conn_submit(c, op, answered, NULL);
    return CMD_OK;
}
