/* SPDX-License-Identifier: Apache-2.0 */
/* Whether and how a client catches up with a stream, as functions over positions and publications
 * (client protocol 7.3, 7.4). */
#pragma once

#include "common/engine/engine.h"
#include "common/policy/tags_filter.h"
#include "common/protocol/frame.h"

struct recovery {
    bool is_wanted;                   /* the client asked, or the namespace recovers by itself */
    bool is_possible;                 /* the subscription is recoverable */
    bool is_cache;                    /* only the newest publication counts */
    bool rejects_unrecoverable;       /* flag 0x2: error 112; in streams that can be recovered */
    uint64_t offset;                  /* of the client */
    struct span epoch;                /* n == 0: any */
    const struct tags_filter *filter; /* borrowed, or NULL */
};

/* `epoch` is copied to the arena. */
void recovery_init(struct recovery *r, const struct chan_opts *o, bool is_recoverable,
                   const struct subscribe_request *wish, const struct tags_filter *filter,
                   struct arena *a);

/* What to read from history for a recovery that is wanted and possible. The epoch is compared
 * afterwards, so that a lost position still tells the current one. */
void recovery_ask(const struct recovery *r, int64_t max_publications, struct engine_history *out);

/* Judges what was found. When recovered, publications (copied to the arena) and the client's own
 * offset are put into the result. */
bool recovery_apply(const struct recovery *r, const struct engine_history_result *found,
                    struct arena *a, struct subscribe_result *out);

/* Why recovery_apply said no, for log and operator. */
struct recovery_fault {
    const char *reason; /* stable: "recovery.epoch" */
    const char *detail;
};
struct recovery_fault recovery_explain(const struct recovery *r,
                                       const struct engine_history_result *found);

/* Whether the client has the newest publication of the stream afterwards, so that the next one may
 * come as a patch to it. A filter may have held it back. */
bool recovery_gives_base(const struct subscribe_result *result, uint64_t top);

/* Rewrites recovered publications for a subscription with delta: the first in full, each later one
 * as a patch to the one before it where that is shorter. In JSON all data become strings. */
void recovery_make_deltas(struct vec *publications, enum proto_encoding enc, struct arena *a);
