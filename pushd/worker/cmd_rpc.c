/* SPDX-License-Identifier: Apache-2.0 */
/* The commands rpc and send (client protocol 5.7, 5.8). */
#include "pushd/worker/client_cmd.h"

struct perr_result cmd_rpc(struct conn *c, uint32_t id, const void *request)
{
    (void)c;
    (void)id;
    (void)request;
    return (struct perr_result){PERR_NOT_AVAILABLE, "rpc.off", "no rpc proxy is configured"};
}

struct perr_result cmd_send(struct conn *c, uint32_t id, const void *request)
{
    (void)c;
    (void)id;
    (void)request;
    return (struct perr_result){PERR_CLOSE_NOT_AVAILABLE, "send.off", "nothing here receives asynchronous messages"};
}
