/* SPDX-License-Identifier: Apache-2.0 */
/* The table of sub-commands and what they share. */
#pragma once

#include "common/policy/conf.h"

#include <getopt.h>

/* Exit statuses; see also pushctl(1). */
enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 64
};

struct pushctl_command {
    const char *name;
    const char *args; /* for the usage line */
    const char *help; /* one line */
    const char *more; /* the options, one a line, or NULL */
    int (*run)(int argc, char **argv);
};

/* Each gets argv[0] = its name, with getopt_long ready to start, and returns the exit status.
 * --help is answered before. */
int cmd_checkconfig(int argc, char **argv);
int cmd_checksubtoken(int argc, char **argv);
int cmd_checktoken(int argc, char **argv);
int cmd_connect(int argc, char **argv);
int cmd_genconfig(int argc, char **argv);
int cmd_gensubtoken(int argc, char **argv);
int cmd_gentoken(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_print_config(int argc, char **argv);
int cmd_publish(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* The configuration that is read without -c. */
extern const char pushctl_default_config[];

/* Loads the configuration with this process's environment. Warnings go to standard error unless
 * is_quiet. On failure the error has been printed and the result is NULL. */
struct conf *pushctl_load(const char *path, bool is_quiet);

/* Prints "pushctl: text" to standard error and returns EXIT_FAILED. */
int pushctl_fail(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* After an option or argument that makes no sense (getopt_long has said which, or fmt does): points
 * to --help. Returns EXIT_USAGE. fmt may be NULL. */
int pushctl_bad_usage(const char *command, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A number of an option. False, with a message, when it is none. */
bool pushctl_number(const char *command, const char *option, const char *text, int64_t *out);

/* For commands that know one short option set: -c FILE and -q, and no other arguments than
 * `max_args`. Returns 0, or the exit status to end with (its message is printed). */
struct pushctl_common {
    const char *config; /* set to the default before */
    bool is_quiet;
    bool is_strict; /* -s, where `allows_strict` */
    bool allows_strict;
    int max_args;
};
int pushctl_common_options(int argc, char **argv, struct pushctl_common *o);
