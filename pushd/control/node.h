/* SPDX-License-Identifier: Apache-2.0 */
/* This process as a member of the cluster: its pings, the registry of the others, and the commands
 * that arrive. */
#pragma once

#include "common/base/rnd.h"
#include "pushd/control/figures.h"
#include "pushd/control/redis_sub.h"
#include "pushd/control/registry.h"
#include "pushd/control/shards.h"
#include "pushd/control/survey.h"

struct control;

struct node {
    struct control *control;
    struct redis_sub *subs; /* of our channels, one at each shard */
    struct registry registry;
    struct surveys surveys;
    struct figures figures;
    struct arena arena; /* of the command at hand */
    char uid[RND_UUID_LEN + 1];
    struct buf control_name;
    struct buf node_name;
    struct buf probe_name;
    int64_t started_ms;
    ev_timer ping;
};

void node_open(struct node *n, struct control *c, const struct shards_opts *links);
void node_close(struct node *n);

/* A connection came up: the cluster hears of us at once, or as soon as all connections that can be
 * had are there. */
void node_say_hello(struct node *n);
void node_say_goodbye(struct node *n);

/* client.subscribe_to_user_personal_channel.single_connection: every connection of the user but
 * `client` is closed, here and on the other nodes. */
void node_disconnect_others(struct node *n, struct span user, struct span client);
