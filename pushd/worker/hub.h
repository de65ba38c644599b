/* SPDX-License-Identifier: Apache-2.0 */
/* One worker's tables: channel -> subscriptions, user -> connections. */
#pragma once

#include "common/base/htab.h"
#include "common/base/list.h"
#include "pushd/msg.h"
#include "pushd/worker/wheel.h"

struct conn;
struct sub;
struct worker;

enum chan_state {
    CHAN_JOINING, /* control was asked to have Redis send it */
    CHAN_READY,
};

/* A channel with at least one subscription here. */
struct chan {
    struct htab_node node; /* key: the name, behind this struct */
    enum chan_state state;
    uint32_t id;       /* the node's number of it, for compact pushes; 0 while JOINING */
    uint32_t epoch_id; /* counts changes of the epoch, so that subscriptions compare numbers */
    char *epoch;       /* NULL: not known */
    size_t epoch_len;
    struct sub **subs; /* unordered */
    uint32_t sub_count;
    uint32_t sub_cap;
    uint32_t busy;     /* somebody walks over subs: do not free */
    bool is_unchecked; /* after an outage: its check got no answer */
    struct bus_op *joining;
    /* The top of the stream as it was read last, for all subscriptions that want to know. */
    uint64_t top_offset;
    uint32_t top_epoch_id;
    bool top_is_less;  /* Redis had more of this stream before, and lost the newest of it */
    uint64_t furthest; /* the highest offset that Redis was seen to have in this epoch */
    int64_t top_ms;    /* clk_mono_ms of that, 0: never */
    char name[];
};

struct user {
    struct htab_node node; /* key: the id, behind this struct */
    struct list conns;
    uint32_t count;
    char id[];
};

struct hub {
    struct worker *w;
    struct htab chans;
    struct htab users;
    uint32_t sub_count;
    struct timer recheck; /* armed while channels may be unchecked */
};

void hub_init(struct hub *h, struct worker *w);
void hub_fini(struct hub *h);

struct chan *hub_find(const struct hub *h, struct span channel);

/* Adds a subscription to its channel, creating the channel and asking control for it as needed.
 * Sets sub->chan. */
void hub_subscribe(struct hub *h, struct sub *s, struct span channel);
/* Takes it out; the last one gives up the channel. */
void hub_unsubscribe(struct hub *h, struct sub *s);

/* The number of the epoch among those the channel had; a new one becomes the channel's. */
uint32_t hub_epoch_id(struct chan *c, struct span epoch);
static inline struct span hub_epoch(const struct chan *c)
{
    return span_of(c->epoch, c->epoch_len);
}

/* The top of the stream was read just now. `furthest` is what chan->furthest was when it was asked
 * for. Returns the number of its epoch. */
uint32_t hub_note_top(struct hub *h, struct chan *c, const struct engine_position *top,
                      uint64_t furthest);
/* Holds all positions in the channel against it: after an outage, and when top_is_less, because
 * offsets are given out again soon. Subscriptions may be gone afterwards; those that are behind are
 * told when nothing is on its way to them any more. */
void hub_judge(struct hub *h, struct chan *c);

/* The channel is sent again after an outage: its top is read, again and again until Redis answers,
 * and who is behind it, or has what Redis lost, is told. */
void hub_resumed(struct hub *h, struct span channel);

/* Gives a message to all subscriptions of its channel. */
void hub_dispatch(struct hub *h, struct msg *m);

/* The connections of a user; connections of the anonymous user "" are listed as well. */
void hub_add_user(struct hub *h, struct conn *c, struct span id);
void hub_remove_user(struct hub *h, struct conn *c);
struct user *hub_find_user(const struct hub *h, struct span id);

static inline struct span chan_name(const struct chan *c)
{
    return c->node.key;
}
