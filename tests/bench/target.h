/* SPDX-License-Identifier: Apache-2.0 */
/* Where to connect to: one address of a WebSocket, HTTP or Redis server. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

struct target {
    struct sockaddr_storage addr;
    socklen_t addr_len;
    bool is_loopback; /* IPv4 127.0.0.0/8: the source address may be spread over it */
    char host[160];   /* for the Host header */
    char path[256];
    char password[128]; /* of redis://:PASSWORD@HOST:PORT */
    char name[320];     /* for messages */
};

/* SCHEME://HOST:PORT/PATH, or SCHEME+unix:///SOCKET:/PATH, unix:/SOCKET:/PATH; the path is optional
   and falls back to `default_path`. Ends the program with an explanation when the text is no
   address. */
void target_parse(struct target *t, const char *url, const char *default_path);
/* A non-blocking socket whose connection is made or under way, -1 with errno otherwise. `index`
   counts the connections of one kind: on loopback every 2,000 get a source address of their own,
   because the search for a free port gets slow and ends at 28,000. */
int target_connect(const struct target *t, unsigned index);
