/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one table of options. */
#pragma once

#include <stdbool.h>

/* Zero and NULL mean: not given, the scenario has its own default. */
struct opts {
    const char *command;
    const char *ws, *api, *api_key, *secret, *redis, *prefix, *via;
    const char *pids;
    unsigned redis_pid;
    const char *channel, *user, *batches, *rows, *feature;
    unsigned subscribers, channels, payload, pairs, rounds, clients, window, burst, opening, missed;
    double rate, seconds, idle_seconds;
    int server_cpu, client_cpu, redis_cpu;
    bool no_pin, protobuf, wait_connect, self, json, threads, quick;
};

/* Fills the structure; prints help or an explanation and ends the program when the command line
   asks for it or is wrong. */
void opts_parse(struct opts *o, int argc, char **argv);
