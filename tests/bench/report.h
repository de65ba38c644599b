/* SPDX-License-Identifier: Apache-2.0 */
/* What the bench prints: lines for people, and lines of JSON when asked for. */
#pragma once

#include "tests/bench/side.h"

#include <stdbool.h>

struct spread {
    double min, median, max;
};

/* Sorts the values in place. */
struct spread spread_of(double *values, unsigned n);

/* One object on one line, started and ended by these; nothing happens when `is_on` is false. */
struct jline {
    bool is_on, has_member;
};
void jline_open(struct jline *j, bool is_on, const char *scenario);
void jline_number(struct jline *j, const char *name, double value);
void jline_text(struct jline *j, const char *name, const char *value);
void jline_spread(struct jline *j, const char *name, const struct spread *s);
void jline_close(struct jline *j);

/* The lines and members that all phases have in common: counts, cost by process, latency, client.
 */
void report_phase(const struct phase *p, bool with_threads);
void report_phase_json(struct jline *j, const struct phase *p);
