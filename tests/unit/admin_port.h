/* SPDX-License-Identifier: Apache-2.0 */
/* A real operators' port on a loop of the test, and a client that talks raw bytes to it on the same
 * loop. */
#pragma once

#include "pushd/admin/admin.h"
#include "tests/unit/fake_control.h"

#include <sys/socket.h>

#define ADMIN_PORT_WORKERS 2

struct admin_port {
    struct ev_loop *loop;
    struct conf conf; /* with the reference's default prefixes, password "password" and secret
                         "admin_secret" */
    struct control control;
    struct bus bus;
    bool is_draining;
    struct admin *admin;
    int family; /* AF_INET or AF_UNIX, to be set before the start */
    struct sockaddr_storage address;
    socklen_t address_n;
    int listen_fd; /* of the port, for tests that count descriptors */
};

/* Redis is ready and both workers are alive. */
void admin_port_init(struct admin_port *p);
/* Listens on 127.0.0.1 or a Unix socket, port or name chosen by the kernel; request_timeout_ms as
 * in struct admin_opts. */
void admin_port_start(struct admin_port *p, int64_t request_timeout_ms);
void admin_port_fini(struct admin_port *p);

struct admin_client {
    int fd;
    struct buf in; /* received and not read yet */
    bool is_ended; /* the other side closed */
};

struct admin_reply {
    int status; /* 0: the connection was closed without an answer */
    struct buf head;
    struct buf body;
};

/* All of them fail the test when nothing happens for some seconds. */
void admin_client_connect(struct admin_port *p, struct admin_client *c);
void admin_client_send(struct admin_client *c, const char *bytes);
/* Reads one answer; `method` decides whether it has a body. */
void admin_client_read(struct admin_port *p, struct admin_client *c, const char *method,
                       struct admin_reply *r);
/* Turns the loop until the other side closes. */
void admin_client_wait_end(struct admin_port *p, struct admin_client *c);
void admin_client_close(struct admin_client *c);

/* One request on a connection of its own; `headers` are lines with \r\n, `body` may be NULL. The
 * Host header and the Content-Length of a body are added. */
void admin_port_ask(struct admin_port *p, const char *method, const char *path, const char *headers,
                    const char *body, struct admin_reply *r);
/* The value of a header of the answer, NULL when it is not there. Valid until the next call. */
const char *admin_reply_header(const struct admin_reply *r, const char *name);
void admin_reply_free(struct admin_reply *r);
