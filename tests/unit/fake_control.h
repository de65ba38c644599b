/* SPDX-License-Identifier: Apache-2.0 */
/* A struct control that holds what a test put into it, in place of the real one. */
#pragma once

#include "pushd/control/control.h"

struct control {
    enum control_redis_state redis; /* of the first address, and what it says */
    const char *redis_error;
    const char *redis_refusal;
    const struct control_redis *more; /* other addresses */
    uint32_t more_count;
    const struct control_node *nodes; /* the one with is_self is this node */
    size_t node_count;
};
