/* SPDX-License-Identifier: Apache-2.0 */
/* What the log and the health page tell of Redis: one story for all connections, so that an outage
 * is one line and not thousands. */
#pragma once

#include "common/base/err.h"
#include "common/base/log.h"
#include "pushd/control/control.h"

#define REDIS_STORY_TEXT 400

struct redis_story {
    const char *address; /* borrowed, without secrets */
    const char *network; /* "tcp" or "unix" */
    unsigned links;      /* how many connections there should be */
    unsigned up;         /* how many are */
    bool was_reported;   /* the first answer or failure was told */
    bool is_down;        /* since down_ms */
    int64_t down_ms;
    char error[REDIS_STORY_TEXT];
    struct log_limit dials;
    struct log_limit losses;
    struct log_limit answers;
    char refusal[REDIS_STORY_TEXT]; /* the last answer that was an error, which is no outage */
    int64_t refusal_ms;
    void (*reported)(void *arg); /* once: Redis answered, or was found missing */
    void *arg;
};

void redis_story_init(struct redis_story *s, const char *network, const char *address,
                      unsigned links);

/* A connection is ready to use. */
void redis_story_up(struct redis_story *s);
/* A connection that was ready is lost; `role` names it, `why` is a sentence. */
void redis_story_lost(struct redis_story *s, const char *role, const char *why);
/* An attempt to connect failed in the words of a dialler ("connect: connection refused", "i/o
 * timeout"), or Redis refused us in its own. */
void redis_story_dial_failed(struct redis_story *s, const char *why);
void redis_story_refused(struct redis_story *s, const char *why);
/* Redis answered a command with an error; `what` names the command, `why` is for people. */
void redis_story_answer(struct redis_story *s, const char *what, const char *why);
/* The last of these, for half a minute; else "". */
const char *redis_story_refusal(const struct redis_story *s);

enum control_redis_state redis_story_state(const struct redis_story *s);
