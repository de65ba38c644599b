/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of clients: decoded, checked, handed to their handlers. */
#pragma once

#include "pushd/worker/conn.h"

/* One message from the client with one or more commands. While one is under way, the rest waits in
 * conn->backlog. */
void client_cmd_message(struct conn *c, struct span message);
/* The command that waited for the key of its token; `missing` is the refusal if that still is not
 * there. */
void client_cmd_again(struct conn *c, struct span command, const struct perr_result *missing);
/* Goes on with what waited. */
void client_cmd_resume(struct conn *c);
/* Forgets what waited: the connection ends. */
void client_cmd_drop(struct conn *c);

/* Name of a METRIC_METHOD_*. */
const char *client_cmd_name(unsigned method);

/* Handlers, one family a file. `request` is the decoded sub-message, valid during the call only. A
 * handler answers with conn_reply and returns PERR_OK; or sets conn->is_busy, returns PERR_OK and
 * calls conn_command_done after its answer; or returns what went wrong and leaves the answer to the
 * dispatcher. */
struct perr_result cmd_connect(struct conn *c, uint32_t id, const void *request);
struct perr_result cmd_subscribe(struct conn *c, uint32_t id, const void *request);
struct perr_result cmd_unsubscribe(struct conn *c, uint32_t id, const void *request);
struct perr_result cmd_publish(struct conn *c, uint32_t id, const void *request);
struct perr_result cmd_presence(struct conn *c, uint32_t id, const void *request);
struct perr_result cmd_presence_stats(struct conn *c, uint32_t id, const void *request);
struct perr_result cmd_history(struct conn *c, uint32_t id, const void *request);
struct perr_result cmd_rpc(struct conn *c, uint32_t id, const void *request);
struct perr_result cmd_send(struct conn *c, uint32_t id, const void *request);
struct perr_result cmd_refresh(struct conn *c, uint32_t id, const void *request);
struct perr_result cmd_sub_refresh(struct conn *c, uint32_t id, const void *request);

/* The connection ends while its connect is under way. */
void cmd_connect_cancel(struct conn *c);
/* A command of the cluster arrives meanwhile: kept, and applied right after the connect reply. */
void cmd_connect_defer(struct conn *c, const struct control_command *m);

/* The checks that nearly every channel command starts with (client protocol, section 5). Sets
 * *opts. */
struct perr_result cmd_check_channel(const struct conn *c, struct span channel,
                                     const struct chan_opts **opts);

/* Whether a connection token lists channels of unknown namespaces. */
struct perr_result cmd_check_token_subs(const struct conn *c, const struct token_connect *t);

#define CMD_OK ((struct perr_result){.code = PERR_OK})
