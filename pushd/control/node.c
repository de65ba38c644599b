/* SPDX-License-Identifier: Apache-2.0 */
/* This process as a member of the cluster. */
#include "pushd/control/node.h"

#include <stdlib.h>

#include "common/base/clk.h"
#include "common/base/mem.h"
#include "common/protocol/perr.h"
#include "pushd/control/control_private.h"

#define PING_S     3.
#define SILENCE_MS 7000 /* a node that was not heard for longer is gone */

/* ---- what we say ---- */

static void encode(const struct node *n, struct control_command *command, struct buf *out)
{
    command->uid = span_str(n->uid);
    schema_pb_encode(&control_command_schema, command, out);
}

static void publish(struct node *n, struct span name, struct control_command *command)
{
    struct buf payload = {0};
    encode(n, command, &payload);
    control_publish(n->control, name, buf_span(&payload));
    buf_free(&payload);
}

static void publish_to_node(struct node *n, struct span uid, struct control_command *command)
{
    struct buf name = {0};
    engine_node_name(&n->control->engine, uid, &name);
    publish(n, buf_span(&name), command);
    buf_free(&name);
}

static void describe(struct node *n, struct node_ping *out)
{
    struct control_node self;
    control_self(n->control, &self);
    *out = (struct node_ping){
        .uid = self.uid,
        .name = self.name,
        .version = self.version,
        .num_clients = self.num_clients,
        .num_users = self.num_users,
        .num_channels = self.num_channels,
        .num_subs = self.num_subs,
        .uptime = self.uptime_s,
    };
}

/* For one that does not know us yet, and so has no metrics of us to keep. */
static void introduce(struct node *n, struct span uid)
{
    struct node_ping self;
    describe(n, &self);
    self.metrics = figures_last(&n->figures);
    publish_to_node(n, uid, &(struct control_command){.node = &self});
}

static void ping(struct node *n)
{
    struct control_node numbers;
    struct node_ping self;
    control_self(n->control, &numbers);
    describe(n, &self);
    if (figures_renew(&n->figures, &numbers, clk_mono_ms())) {
        self.metrics = figures_last(&n->figures); /* once: receivers keep them */
    }
    publish(n, buf_span(&n->control_name), &(struct control_command){.node = &self});
}

static bool can_talk(const struct node *n, uint32_t shard)
{
    return redis_sub_is_ready(&n->subs[shard]) &&
           redis_conn_is_ready(&n->control->shards.items[shard].commands);
}

void node_say_hello(struct node *n)
{
    const struct shards *s = &n->control->shards;
    bool can = false;
    for (uint32_t i = 0; i < s->n; i++) {
        if (can_talk(n, i)) {
            can = true;
        } else if (!s->items[i].story.is_down) {
            /* Answers come to our own channel by way of any shard, so it has to be subscribed
             * before, wherever that can be. */
            return;
        }
    }
    if (can) {
        ping(n);
    }
}

void node_say_goodbye(struct node *n)
{
    struct empty nothing = {0};
    ev_timer_stop(n->control->loop, &n->ping);
    publish(n, buf_span(&n->control_name), &(struct control_command){.shutdown = &nothing});
}

static void on_ping(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)events;
    struct node *n = t->data;
    registry_expire(&n->registry, clk_mono_ms(), SILENCE_MS);
    control_take_items(n->control); /* users that came and went: their news wakes nobody */
    for (uint32_t i = 0; i < n->control->shards.n; i++) {
        if (can_talk(n, i)) {
            ping(n);
            return;
        }
    }
}

static void answer_survey(void *arg, struct span asker, const struct survey_response *answer)
{
    struct survey_response copy = *answer;
    publish_to_node(arg, asker, &(struct control_command){.survey_response = &copy});
}

/* ---- what we hear ---- */

static void heard_node(struct node *n, const struct control_command *command)
{
    if (registry_heard(&n->registry, command->node, clk_mono_ms())) {
        introduce(n, command->node->uid);
    }
}

/* Every worker gets a copy of its own: it owns the connections that the command may concern. */
static void pass_on(struct node *n, struct span payload)
{
    struct bus *bus = n->control->bus;
    for (uint16_t i = 0; i < bus->workers; i++) {
        struct bus_command *b = mem_zalloc(sizeof(*b));
        b->item.kind = BUS_COMMAND;
        b->command = arena_alloc(&b->arena, sizeof(*b->command));
        if (schema_pb_decode(&control_command_schema, arena_dup(&b->arena, payload), &b->arena,
                             b->command, NULL) != 0) {
            bus_item_free(&b->item);
            return;
        }
        bus_post_worker(bus, i, &b->item);
    }
}

void node_disconnect_others(struct node *n, struct span user, struct span client)
{
    struct control_disconnect d = {
        .user = user,
        .whitelist = {&client, 1},
        .code = PERR_CLOSE_CONNECTION_LIMIT,
        .reason = span_str(perr_row(PERR_CLOSE_CONNECTION_LIMIT)->text),
    };
    struct control_command command = {.disconnect = &d};
    struct buf payload = {0};
    encode(n, &command, &payload);
    control_publish(n->control, buf_span(&n->control_name), buf_span(&payload));
    pass_on(n, buf_span(&payload));
    buf_free(&payload);
}

/* The first member that is set counts, in this order. */
static void obey(struct node *n, const struct control_command *c, struct span payload)
{
    if (c->node != NULL) {
        heard_node(n, c);
    } else if (c->shutdown != NULL) {
        registry_forget(&n->registry, c->uid);
    } else if (c->unsubscribe != NULL || c->subscribe != NULL || c->disconnect != NULL) {
        pass_on(n, payload);
    } else if (c->survey_request != NULL) {
        metrics_add(n->control->metrics, METRIC_ACTIONS, METRIC_ACTION_SURVEY, 1);
        if (span_eq_str(c->survey_request->op,
                        "pushd_node")) { /* push-api has started and wants our figures at once */
            introduce(n, c->uid);
        }
        surveys_request(&n->surveys, c->uid, c->survey_request);
    } else if (c->survey_response == NULL && c->notification == NULL && c->refresh != NULL) {
        pass_on(n, payload);
    }
    /* We ask no surveys, and the one notification there is concerns others. */
}

static void on_message(void *owner, struct span name, struct span payload)
{
    struct node *n = owner;
    struct control_command command;
    if (span_eq(name, buf_span(&n->probe_name))) {
        return;
    }
    metrics_add(n->control->metrics, METRIC_MESSAGES_RECEIVED, METRIC_TYPE_CONTROL, 1);
    arena_reset(&n->arena);
    if (schema_pb_decode(&control_command_schema, payload, &n->arena, &command, NULL) != 0) {
        log_debug(LOG_NODE, "ignored a malformed control message", LOG_NUM("bytes", payload.n));
        return;
    }
    if (!span_eq_str(command.uid, n->uid)) {
        obey(n, &command, payload);
    }
}

static void on_up(void *owner)
{
    node_say_hello(owner);
}

static void on_down(void *owner)
{
    (void)owner; /* silence makes the others expire */
}

static void on_confirmed(void *owner, struct span name)
{
    (void)owner;
    (void)name; /* there are permanent subscriptions only */
}

static const struct redis_sub_ops ops = {
    .up = on_up,
    .down = on_down,
    .message = on_message,
    .subscribed = on_confirmed,
    .unsubscribed = on_confirmed,
};

/* ---- life ---- */

void node_open(struct node *n, struct control *c, const struct shards_opts *links)
{
    *n = (struct node){.control = c, .started_ms = clk_mono_ms()};
    rnd_uuid(n->uid);
    figures_init(&n->figures, c->conf->node.info_metrics_aggregate_interval_ms, n->started_ms);
    surveys_init(&n->surveys, c->bus, answer_survey, n);
    engine_control_name(&c->engine, &n->control_name);
    engine_node_name(&c->engine, span_str(n->uid), &n->node_name);
    engine_probe_name(&c->engine, span_str(n->uid), &n->probe_name);
    ev_timer_init(&n->ping, on_ping, PING_S, PING_S);
    n->ping.data = n;
    ev_timer_start(c->loop, &n->ping);
    n->subs = mem_zalloc(c->shards.n * sizeof(*n->subs));
    for (uint32_t i = 0; i < c->shards.n; i++) {
        struct redis_sub_opts sub = {
            .link = shards_link(&c->shards, i, links),
            .ops = &ops,
            .owner = n,
            .permanent = {buf_span(&n->control_name), buf_span(&n->node_name),
                          buf_span(&n->probe_name)},
            .permanent_count = 3,
        };
        sub.link.role = "cluster";
        redis_sub_open(&n->subs[i], &sub);
    }
}

void node_close(struct node *n)
{
    ev_timer_stop(n->control->loop, &n->ping);
    for (uint32_t i = 0; i < n->control->shards.n; i++) {
        redis_sub_close(&n->subs[i]);
    }
    free(n->subs);
    registry_fini(&n->registry);
    surveys_fini(&n->surveys);
    figures_fini(&n->figures);
    arena_fini(&n->arena);
    buf_free(&n->control_name);
    buf_free(&n->node_name);
    buf_free(&n->probe_name);
}
