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
