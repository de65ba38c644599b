/* SPDX-License-Identifier: Apache-2.0 */
/* Times and codes in words. */
#pragma once

#include "common/base/str.h"

/* Appends "42 s", "3 min", "2 h 5 min" or "6 days 23 h" for a number of seconds; the sign does not
 * count. */
void words_add_duration(struct buf *b, int64_t s);
/* Appends "in 3 min", "just now" or "3 min ago", and the moment in UTC. */
void words_add_moment(struct buf *b, int64_t at_s, int64_t now_s);

/* Seconds, more than 0, from "90", "90s", "15m", "24h" or "7d"; -1 from "-1". ERR_SYNTAX or
 * ERR_RANGE. */
int words_parse_duration(const char *text, int64_t *out_s);

/* What an SDK does after a close code: centrifuge-js and its siblings go by the code alone (client
 * protocol, 12.3). */
bool words_sdk_reconnects(uint32_t close_code);

/* What to do about an error, unsubscribe or close code, or NULL. */
const char *words_advice(uint32_t code);

/* Appends foreign text with "?" for its control characters, which must not reach a terminal. */
void words_add_clean(struct buf *b, struct span text);
/* Prints it so to standard output. */
void words_print_clean(struct span text);
