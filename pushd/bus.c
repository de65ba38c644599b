/* SPDX-License-Identifier: Apache-2.0 */
/* What the control thread and the workers say to each other. */
#include "pushd/bus.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "pushd/msg.h"

/* Quiet news that may pile up before control is woken for them. */
#define QUIET_MAX 64

struct bus_op *bus_op_new(enum bus_kind kind, struct span channel)
{
    struct bus_op *op = mem_zalloc(sizeof(*op));
    op->item.kind = kind;
    list_init(&op->node);
    op->channel = arena_dup(&op->arena, channel);
    return op;
}

void bus_op_free(struct bus_op *op)
{
    if (op != NULL) {
        arena_fini(&op->arena);
        free(op);
    }
}

void bus_item_free(struct bus_item *item)
{
    switch (item->kind) {
    case BUS_MESSAGE:
        msg_unref(CONTAINER_OF(item, struct msg, item));
        break;
    case BUS_COMMAND: {
        struct bus_command *command = CONTAINER_OF(item, struct bus_command, item);
        arena_fini(&command->arena);
        free(command);
        break;
    }
    case BUS_CHANNELS: {
        struct bus_channels *channels = CONTAINER_OF(item, struct bus_channels, item);
        arena_fini(&channels->arena);
        free(channels);
        break;
    }
    case BUS_STOP:
    case BUS_STOPPED:
        free(item);
        break;
    default:
        bus_op_free(CONTAINER_OF(item, struct bus_op, item));
        break;
    }
}

void bus_init(struct bus *b, uint16_t workers)
{
    *b = (struct bus){.workers = workers};
    /* The queues keep their two ends on cache lines of their own, which malloc does not promise. */
    size_t size = workers * sizeof(struct bus_port);
    b->ports = aligned_alloc(_Alignof(struct bus_port), size != 0 ? size : sizeof(struct bus_port));
    if (b->ports == NULL) {
        abort();
    }
    memset(b->ports, 0, size);
    for (uint16_t i = 0; i < workers; i++) {
        spsc_init(&b->ports[i].to_worker);
        spsc_init(&b->ports[i].to_control);
    }
}

static void drain(struct spsc *q)
{
    for (struct bus_item *item; (item = spsc_shift(q)) != NULL;) {
        bus_item_free(item);
    }
    spsc_fini(q);
}

void bus_fini(struct bus *b)
{
    for (uint16_t i = 0; i < b->workers; i++) {
        drain(&b->ports[i].to_worker);
        drain(&b->ports[i].to_control);
    }
    free(b->ports);
    *b = (struct bus){0};
}

void bus_post_worker(struct bus *b, uint16_t worker, struct bus_item *item)
{
    struct bus_port *port = &b->ports[worker];
    spsc_push(&port->to_worker, item);
    port->dirty = true;
}

void bus_wake_workers(struct bus *b)
{
    for (uint16_t i = 0; i < b->workers; i++) {
        struct bus_port *port = &b->ports[i];
        if (port->dirty && port->worker_wake != NULL) {
            port->dirty = false;
            ev_async_send(port->worker_loop, port->worker_wake);
        }
    }
}

void bus_post_control(struct bus *b, uint16_t worker, struct bus_item *item)
{
    spsc_push(&b->ports[worker].to_control, item);
    if (b->control_wake != NULL) {
        ev_async_send(b->control_loop, b->control_wake);
    }
}

void bus_post_control_quietly(struct bus *b, uint16_t worker, struct bus_item *item)
{
    struct bus_port *port = &b->ports[worker];
    if (++port->quiet < QUIET_MAX) {
        spsc_push(&port->to_control, item);
    } else {
        port->quiet = 0;
        bus_post_control(b, worker, item);
    }
}
