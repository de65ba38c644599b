/* SPDX-License-Identifier: Apache-2.0 */
/* Surveys of other nodes: every one is answered, or the asker waits ten seconds in vain. */
#pragma once

#include "common/protocol/control.h"
#include "pushd/bus.h"

/* Sends the answer to the node that asked. */
typedef void (*survey_answer_fn)(void *arg, struct span asker,
                                 const struct survey_response *answer);

struct surveys {
    struct bus *bus;
    struct list open; /* of struct survey: waiting for workers */
    unsigned count;
    survey_answer_fn answer;
    void *arg;
};

void surveys_init(struct surveys *s, struct bus *bus, survey_answer_fn answer, void *arg);
void surveys_fini(struct surveys *s);

/* `channels` asks the workers and is answered when all came back; anything else is answered at
 * once. */
void surveys_request(struct surveys *s, struct span asker, const struct survey_request *request);
/* A worker's part; taken. */
void surveys_part_take(struct surveys *s, struct bus_channels *part);
