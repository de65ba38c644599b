/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel of the bench has beside plain publications. */
#include "tests/bench/feature.h"

#include "tests/bench/util.h"

#include <stddef.h>
#include <string.h>

#define RECOVERABLE ",\"positioned\":true,\"recoverable\":true"

const struct feature features[] = {
    {.name = "plain", .what = "plain", .space = "", .wish = ""},
    {.name = "history", .what = "history", .space = "history", .wish = "", .form = PUBLISH_STREAM},
    {.name = "recovery",
     .what = "recovery",
     .space = "recovery",
     .wish = RECOVERABLE,
     .form = PUBLISH_STREAM},
    {.name = "presence", .what = "presence", .space = "presence", .wish = ""},
    {.name = "protobuf", .what = "Protobuf", .space = "protobuf", .wish = "", .is_protobuf = true},
    {.name = "delta",
     .what = "delta (fossil)",
     .space = "delta",
     .wish = RECOVERABLE ",\"delta\":\"fossil\"",
     .form = PUBLISH_DELTA},
    {.name = "tags",
     .what = "tags filter",
     .space = "tags",
     .wish = ",\"tf\":{\"key\":\"kind\",\"cmp\":\"eq\",\"val\":\"bench\"}",
     .has_tags = true},
    {0},
};

const struct feature *feature_find(const char *name)
{
    const struct feature *f = features;
    while (f->name && strcmp(f->name, name))
        f++;
    if (!f->name)
        die("there is no feature '%s', see --help", name);
    return f;
}
