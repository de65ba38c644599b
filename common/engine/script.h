/* SPDX-License-Identifier: Apache-2.0 */
/* The Lua scripts that run inside Redis. Private to common/engine. */
#pragma once

#include "common/base/str.h"

enum script {
    SCRIPT_PUBLISH_ONCE,
    SCRIPT_PUBLISH_STREAM,
    SCRIPT_PUBLISH_LIST,
    SCRIPT_HISTORY_STREAM,
    SCRIPT_HISTORY_LIST,
    SCRIPT_PRESENCE_ADD,
    SCRIPT_PRESENCE_REMOVE,
    SCRIPT_PRESENCE_GET,
    SCRIPT_PRESENCE_STATS,
    SCRIPT_COUNT,
};

/* Texts that the build embeds, one per file in lua/. */
extern const char script_text_publish_once[];
extern const char script_text_publish_stream[];
extern const char script_text_publish_list[];
extern const char script_text_history_stream[];
extern const char script_text_history_list[];
extern const char script_text_presence_add[];
extern const char script_text_presence_remove[];
extern const char script_text_presence_get[];
extern const char script_text_presence_stats[];

/* Computes the digests by which Redis knows the scripts. Any thread, any number of times; before
 * the first script_begin. */
void script_setup(void);

/* Begins a command that runs a script with `keys` keys and `args` further arguments, which the
 * caller appends in this order. */
void script_begin(struct buf *b, enum script s, bool use_eval, size_t keys, size_t args);
