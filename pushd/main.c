/* SPDX-License-Identifier: Apache-2.0 */
/* pushd: the WebSocket daemon. */
#include <ev.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "common/base/fetch.h"
#include "common/base/version.h"
#include "pushd/admin/http.h"
#include "pushd/server.h"
#include "pushd/worker/ws.h"

/* As in sysexits(3): systemd does not restart after these. */
#define STATUS_USAGE 64

#define DEFAULT_CONFIG PUSHD_SYSCONFDIR "/pushd/config.json"

extern char **environ;

static void usage(FILE *to)
{
    fprintf(to,
            "usage: pushd [-c FILE]\n"
            "  -c, --config FILE   configuration (default %s)\n"
            "      --version       versions of pushd and of the libraries it runs with\n"
            "      --help          this text\n"
            "See pushd(8) and pushd.json(5). pushctl checkconfig checks a configuration.\n",
            DEFAULT_CONFIG);
}

static void warn(const char *text, void *arg)
{
    (void)arg;
    log_warn(LOG_CONFIG, "configuration", LOG_STR("warning", text));
}

static const char *libev_version(void)
{
    static char text[16];
    snprintf(text, sizeof(text), "%d.%d", ev_version_major(), ev_version_minor());
    return text;
}

static const char *hiredis_version(void)
{
    return HIREDIS_VERSION_TEXT;
}

static const char *libjwt_version(void)
{
    return JWT_VERSION_TEXT;
}

static const char *liburing_version(void)
{
    return URING_VERSION_TEXT;
}

static int run(const char *path)
{
    struct err e = {0};
    struct conf *c =
        conf_load(&(struct conf_load_opts){.path = path, .environ = environ, .warn = warn}, &e);
    if (c == NULL) {
        fprintf(stderr, "pushd: %s\n", e.text);
        return STATUS_CONFIG;
    }
    if (log_open(c->log.level, c->log.file, &e) != 0) {
        fprintf(stderr, "pushd: %s\n", e.text);
        conf_free(c);
        return STATUS_CONFIG;
    }
    int status = server_run(c);
    conf_free(c);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    static const struct version_row libraries[] = {
        {"libwebsockets", ws_library_version},
        {"libev", libev_version},
        {"hiredis", hiredis_version},
        {"libmicrohttpd", admin_http_library_version},
        {"libjwt", libjwt_version},
        {"jansson", jansson_version_str},
        {"libcurl", fetch_library_version},
        {"liburing", liburing_version},
        {"zlib", zlibVersion},
        {0},
    };
    const char *path = DEFAULT_CONFIG;
    int opt;
    while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (opt) {
        case 'c':
            path = optarg;
            break;
        case 'h':
            usage(stdout);
            return 0;
        case 'V':
            version_print("pushd", libraries);
            return 0;
        default:
            usage(stderr);
            return STATUS_USAGE;
        }
    }
    if (optind != argc) {
        fprintf(stderr, "pushd: unexpected argument %s\n", argv[optind]);
        usage(stderr);
        return STATUS_USAGE;
    }
    json_object_seed(0);
    return run(path);
}
