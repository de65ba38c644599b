/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions in Go's syntax (RE2), which channel_regex is written in. Matching takes
 * linear time, whatever the pattern. */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

struct rx;

/* NULL and e when the pattern is malformed, or uses what is not supported here: \p{..} classes, and
 * letters beyond ASCII together with (?i). Free with rx_free. */
struct rx *rx_new(struct span pattern, struct err *e);
void rx_free(struct rx *r);

/* Whether the pattern is found somewhere in text (UTF-8; a byte that is not counts as U+FFFD).
 * Thread-safe. */
bool rx_finds(const struct rx *r, struct span text);

/* The named group (?P<name>...), or -1. */
int rx_group(const struct rx *r, struct span name);
/* Whether all texts that a group can match are written out in the pattern, as in
 * (?P<name>one|two). */
bool rx_group_is_literal(const struct rx *r, int group);
/* The text of a group where rx_finds is true, of the match that Go prefers: the leftmost, then by
 * the order of alternatives. False when nothing is found. A group that took no part in the match
 * gives p == NULL. Thread-safe. */
bool rx_capture(const struct rx *r, int group, struct span text, struct span *out);
