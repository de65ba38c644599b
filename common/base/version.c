/* SPDX-License-Identifier: Apache-2.0 */
/* The version of the programs. */
#include "common/base/version.h"

#include <stdio.h>

const char *version_text(void)
{
    return PACKAGE_VERSION;
}

void version_print(const char *program, const struct version_row *libs)
{
    printf("%s %s\n", program, version_text());
    for (; libs != NULL && libs->name != NULL; libs++) {
        printf("  %-14s %s\n", libs->name, libs->text());
    }
    printf("  %-14s %s\n", "built with", PUSHD_FEATURES);
}
