/* SPDX-License-Identifier: Apache-2.0 */
/* The commands rpc and send (client protocol 5.7, 5.8). */
#include "pushd/worker/client_cmd.h"

struct perr_result cmd_rpc(struct conn *c, uint32_t id, const void *request)
{
    const struct rpc_request *r = request;
    const struct conf *conf = c->w->conf;
    if (!conf->rpc_ping.enabled) {
        return (struct perr_result){PERR_NOT_AVAILABLE, "rpc.off", "no rpc proxy is configured"};
    }
    if (!span_eq_str(r->method, conf->rpc_ping.method)) {
        return (struct perr_result){PERR_METHOD_NOT_FOUND, "rpc.method",
                                    "only the ping method is on (rpc.ping)"};
    }
    struct rpc_result nothing = {0};
    conn_reply(c, &(struct reply){.id = id, .rpc = &nothing});
    return CMD_OK;
}

struct perr_result cmd_send(struct conn *c, uint32_t id, const void *request)
{
    (void)c;
    (void)id;
    (void)request;
    return (struct perr_result){PERR_CLOSE_NOT_AVAILABLE, "send.off",
                                "nothing here receives asynchronous messages"};
}
