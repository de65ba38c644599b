/* SPDX-License-Identifier: Apache-2.0 */
/* Commands whose token is signed with a key that has to be fetched first. */
#pragma once

#include "pushd/worker/conn.h"

/* A handler refused with token_is_pending: asks control for the key and keeps the bytes of the
 * command, which is executed again (client_cmd_again) when the answer comes. The connection is busy
 * meanwhile. Returns PERR_OK, or the refusal itself when the command has no token to wait for. */
struct key_wait {
    unsigned method; /* METRIC_METHOD_* */
    const void *request;
    struct span command;
};
struct perr_result key_wait(struct conn *c, const struct key_wait *k, struct perr_result refusal);
