/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of control.h that the operators' port calls. */
#include "tests/unit/fake_control.h"

enum control_redis_state control_redis_state(const struct control *c)
{
    bool is_mixed = false;
    for (uint32_t i = 0; i < c->more_count; i++) {
        is_mixed = is_mixed || c->more[i].state != c->redis;
    }
    return is_mixed ? CONTROL_REDIS_PARTLY_DOWN : c->redis;
}

uint32_t control_redis_count(const struct control *c)
{
    return 1 + c->more_count;
}

struct control_redis control_redis_at(const struct control *c, uint32_t i)
{
    return i != 0 ? c->more[i - 1]
                  : (struct control_redis){.address = "redis:6379",
                                           .state = c->redis,
                                           .error = c->redis_error,
                                           .refusal = c->redis_refusal};
}

void control_each_node(struct control *c, control_node_fn fn, void *arg)
{
    for (size_t i = 0; i < c->node_count && fn(&c->nodes[i], arg); i++) {
    }
}

void control_self(const struct control *c, struct control_node *out)
{
    for (size_t i = 0; i < c->node_count; i++) {
        if (c->nodes[i].is_self) {
            *out = c->nodes[i];
        }
    }
}

uint32_t control_channel_count(const struct control *c)
{
    struct control_node self = {0};
    control_self(c, &self);
    return self.num_channels;
}

uint32_t control_user_count(const struct control *c)
{
    struct control_node self = {0};
    control_self(c, &self);
    return self.num_users;
}
