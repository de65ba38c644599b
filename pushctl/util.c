/* SPDX-License-Identifier: Apache-2.0 */
/* What sub-commands share: messages, options, loading the configuration. */
#include "pushctl/pushctl.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

extern char **environ;

const char pushctl_default_config[] = PUSHD_SYSCONFDIR "/pushd/config.json";

int pushctl_fail(const char *fmt, ...)
{
    va_list ap;
    fputs("pushctl: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

int pushctl_bad_usage(const char *command, const char *fmt, ...)
{
    if (fmt != NULL) {
        va_list ap;
        fprintf(stderr, "pushctl %s: ", command);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
    }
    fprintf(stderr, "Try: pushctl %s --help\n", command);
    return EXIT_USAGE;
}

bool pushctl_number(const char *command, const char *option, const char *text, int64_t *out)
{
    if (span_to_i64(span_str(text), out) == 0) {
        return true;
    }
    pushctl_bad_usage(command, "%s wants a whole number, not %s", option, text);
    return false;
}

static void warn(const char *text, void *is_quiet)
{
    if (!*(const bool *)is_quiet) {
        fprintf(stderr, "pushctl: warning: %s\n", text);
    }
}

struct conf *pushctl_load(const char *path, bool is_quiet)
{
    struct err e = {0};
    struct conf *c = conf_load(
        &(struct conf_load_opts){
            .path = path, .environ = environ, .warn = warn, .warn_arg = &is_quiet},
        &e);
    if (c == NULL) {
        pushctl_fail("%s", e.text);
    }
    return c;
}

int pushctl_common_options(int argc, char **argv, struct pushctl_common *o)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"quiet", no_argument, NULL, 'q'},
        {"strict", no_argument, NULL, 's'},
        {0},
    };
    int opt;
    while ((opt = getopt_long(argc, argv, "c:qs", options, NULL)) != -1) {
        if (opt == 'c') {
            o->config = optarg;
        } else if (opt == 'q') {
            o->is_quiet = true;
        } else if (opt == 's' && o->allows_strict) {
            o->is_strict = true;
        } else if (opt == 's') {
            return pushctl_bad_usage(argv[0], "there is no option -s or --strict here");
        } else {
            return pushctl_bad_usage(argv[0], NULL);
        }
    }
    if (argc - optind > o->max_args) {
        return pushctl_bad_usage(argv[0], "%s is one argument too many",
                                 argv[optind + o->max_args]);
    }
    return 0;
}
