/* SPDX-License-Identifier: Apache-2.0 */
/* A strict reader of the Prometheus text format 0.0.4, for tests of what we write. */
#pragma once

#include "common/base/err.h"
#include "common/base/str.h"

#define PROM_MAX_SERIES 2048

/* Series are spelled `name` or `name{a="x",b="y"}` as in the text. Borrowed from it. */
struct prom {
    struct {
        struct span series;
        double value;
        bool is_counter;
    } items[PROM_MAX_SERIES];
    size_t n;
};

/* Beyond the grammar it demands: HELP and TYPE once and before the samples of each family, families
 * in one piece, no series twice, counters finite and not negative, a newline at the very end.
 * ERR_SYNTAX, and e names the line. */
int prom_parse(struct prom *p, struct span text, struct err *e);

/* False when the series is not there. */
bool prom_get(const struct prom *p, const char *series, double *value);
