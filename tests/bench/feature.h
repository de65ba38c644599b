/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel of the bench has beside plain publications: one table. The namespaces it names
   are in the configuration that run.sh writes. */
#pragma once

#include "tests/bench/target.h"

#include <stdbool.h>

/* What a publish is in Redis. */
enum publish_form {
    PUBLISH_PLAIN,  /* PUBLISH alone */
    PUBLISH_STREAM, /* added to the channel's history, sent with its position */
    PUBLISH_DELTA,  /* the same, sent with the publication before it */
};

struct feature {
    const char *name;
    const char *what;  /* for people */
    const char *space; /* namespace of the channel, no other feature's; "" for none */
    const char *wish;  /* further members of the subscribe request, each with its comma first */
    enum publish_form form;
    bool is_protobuf;
    bool has_tags; /* publications carry the tag that `wish` filters by */
};

/* The first one is plain; ends with a row without a name. */
extern const struct feature features[];

/* Ends the program when there is none. */
const struct feature *feature_find(const char *name);
