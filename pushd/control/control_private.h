/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the control thread. Private to pushd/control. */
#pragma once

#include "pushd/control/broker.h"
#include "pushd/control/control.h"
#include "pushd/control/keys.h"
#include "pushd/control/node.h"
#include "pushd/control/shards.h"
#include "pushd/control/users.h"

struct call;

#define RECENT_CALLS 64

/* Calls that went into the output buffer in this turn of the loop, by the hash of what they ask. */
struct recent {
    uint64_t turn;
    struct call *call[RECENT_CALLS];
    uint64_t turn_of[RECENT_CALLS];
};

struct control {
    const struct conf *conf;
    struct bus *bus;
    struct ev_loop *loop;
    struct metrics *metrics;
    struct engine engine;
    struct shards shards;
    uint32_t unreported; /* shards of which nothing is known yet */
    struct broker broker;
    struct node node;
    struct users users;
    struct keys keys;   /* opened when tokens are checked with keys from somewhere */
    struct buf scratch; /* a command that is being built */
    struct recent recent;
    ev_async wake;
    ev_prepare prepare;
    control_ready_fn ready;
    void *ready_arg;

    /* While stopping. */
    uint16_t running; /* workers that still have clients */
    ev_timer patience;
    control_stopped_fn stopped;
    void *stopped_arg;
};

/* Takes what the workers sent, also what they sent without a wake. */
void control_take_items(struct control *c);
/* PUBLISH of a control command, by way of any Redis that is there. */
void control_publish(struct control *c, struct span name, struct span payload);
