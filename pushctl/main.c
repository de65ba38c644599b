/* SPDX-License-Identifier: Apache-2.0 */
/* pushctl: everything around pushd that a person types. */
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/base/fetch.h"
#include "common/base/version.h"
#include "pushctl/pushctl.h"

#define CONFIG_OPTION \
    "  -c, --config FILE   configuration (default " PUSHD_SYSCONFDIR "/pushd/config.json)\n"
#define USER_OPTION "  -u, --user USER     user id (default: the anonymous user)\n"
#define TTL_OPTION  "  -t, --ttl TTL       seconds, or 15m, 24h, 7d; -1 is for ever (default 7d)\n"
#define CLAIM_OPTIONS                    \
    "      --info JSON     claim info\n" \
    "      --audience TEXT claim aud\n"  \
    "      --issuer TEXT   claim iss\n"

static const struct pushctl_command commands[] = {
    {.name = "genconfig",
     .args = "[-c FILE]",
     .help = "write a configuration to start with",
     .run = cmd_genconfig,
     .more = "  -c, --config FILE   where to; an existing file is never overwritten (default "
             "config.json)\n"},
    {.name = "checkconfig",
     .args = "[-c FILE] [-s] [-q]",
     .help = "check a configuration",
     .run = cmd_checkconfig,
     .more = CONFIG_OPTION "  -s, --strict        unknown options and variables are errors\n"
                           "  -q, --quiet         print errors only\n"},
    {.name = "print-config",
     .args = "[-c FILE] [-q]",
     .run = cmd_print_config,
     .help = "print the configuration that results from file, environment and defaults",
     .more = CONFIG_OPTION "  -q, --quiet         no warnings\n"},
    {.name = "gentoken",
     .args = "[-c FILE] [-u USER] [-t TTL] [-q]",
     .help = "make a connection token",
     .run = cmd_gentoken,
     .more = CONFIG_OPTION USER_OPTION TTL_OPTION
     "  -s, --channel NAME  a channel that the token subscribes to; may be given "
     "again\n" CLAIM_OPTIONS "  -q, --quiet         print the token only\n"},
    {.name = "gensubtoken",
     .args = "[-c FILE] [-u USER] -s CHANNEL [-t TTL] [-q]",
     .help = "make a subscription token",
     .run = cmd_gensubtoken,
     .more =
         CONFIG_OPTION USER_OPTION "  -s, --channel NAME  the channel\n" TTL_OPTION CLAIM_OPTIONS
                                   "  -q, --quiet         print the token only\n"},
    {.name = "checktoken",
     .args = "[-c FILE] [-q] TOKEN|-",
     .help = "say what is in a connection token, and what is wrong with it",
     .run = cmd_checktoken,
     .more = CONFIG_OPTION "  -q, --quiet         no warnings about the configuration\n"},
    {.name = "checksubtoken",
     .args = "[-c FILE] [-q] TOKEN|-",
     .run = cmd_checksubtoken,
     .help = "say what is in a subscription token, and what is wrong with it",
     .more = CONFIG_OPTION "  -q, --quiet         no warnings about the configuration\n"},
    {.name = "publish",
     .args = "[-c FILE] [-a URL] [-k KEY] [-q] CHANNEL JSON|-",
     .help = "publish into a channel",
     .run = cmd_publish,
     .more = CONFIG_OPTION "  -a, --api URL       where the server API is (default CENTRIFUGO_URL, "
                           "else from the configuration)\n"
                           "  -k, --key KEY       its key (default from the configuration)\n"
                           "  -q, --quiet         print errors only\n"},
    {.name = "connect",
     .args = "[-c FILE] [-u USER | -t TOKEN] [-s CHANNEL]...",
     .run = cmd_connect,
     .help = "connect as a client does, and print what arrives",
     .more = CONFIG_OPTION
     "  -u, --user USER     make a token for this user\n"
     "  -t, --token TOKEN   use this token\n"
     "  -s, --channel NAME  subscribe to this channel; may be given again\n"
     "      --url URL       where the WebSocket endpoint is (default from the configuration)\n"
     "      --origin TEXT   send this Origin, as the browser does for a page from there\n"
     "      --count N       end after N publications\n"
     "      --for TIME      end after this time\n"},
    {.name = "version", .args = "", .help = "print versions", .run = cmd_version},
    {.name = "help", .args = "[COMMAND]", .help = "explain a command", .run = cmd_help},
};

static const struct pushctl_command *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static void usage(FILE *to)
{
    fputs("usage: pushctl COMMAND [OPTIONS]\n\n", to);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        fprintf(to, "  %-14s %s\n", commands[i].name, commands[i].help);
    }
    fputs("\npushctl COMMAND --help has the options of a command. See pushctl(1) and "
          "pushd.json(5).\n",
          to);
}

static void explain(const struct pushctl_command *c)
{
    printf("usage: pushctl %s%s%s\n%s\n", c->name, c->args[0] != '\0' ? " " : "", c->args, c->help);
    if (c->more != NULL) {
        printf("\n%s", c->more);
    }
}

int cmd_help(int argc, char **argv)
{
    if (argc < 2) {
        usage(stdout);
        return EXIT_OK;
    }
    const struct pushctl_command *c = find(argv[1]);
    if (c == NULL) {
        return pushctl_fail("there is no command %s; pushctl help lists them", argv[1]);
    }
    explain(c);
    return EXIT_OK;
}

static const char *hiredis_text(void)
{
#define QUOTE(x)  #x
#define NUMBER(x) QUOTE(x)
    /* hiredis tells its version to the compiler only. */
    return NUMBER(HIREDIS_MAJOR) "." NUMBER(HIREDIS_MINOR) "." NUMBER(HIREDIS_PATCH);
}

static const char *jansson_text(void)
{
#if JANSSON_VERSION_HEX >= 0x020d00
    return jansson_version_str();
#else
    return JANSSON_VERSION;
#endif
}

int cmd_version(int argc, char **argv)
{
    static const struct version_row libs[] = {{"hiredis", hiredis_text},
                                              {"jansson", jansson_text},
                                              {"libcurl", fetch_library_version},
                                              {0}};
    (void)argc;
    (void)argv;
    version_print("pushctl", libs);
    return EXIT_OK;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        name = "version";
    } else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        name = "help";
    }
    const struct pushctl_command *c = find(name);
    if (c == NULL) {
        pushctl_fail("there is no command %s", name);
        usage(stderr);
        return EXIT_USAGE;
    }
    if (asks_for_help(argc - 1, argv + 1)) {
        explain(c);
        return EXIT_OK;
    }
    return c->run(argc - 1, argv + 1);
}
