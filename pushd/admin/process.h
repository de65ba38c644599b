/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows about this process. */
#pragma once

#include "common/base/base.h"

/* Values that could not be read are negative. */
struct admin_process {
    double cpu_s;
    double start_s; /* Unix time */
    int64_t resident_bytes;
    int64_t virtual_bytes;
    int64_t open_fds;
    int64_t max_fds;
};

/* `connections` is about how many descriptors to expect: with very many of them they are counted
 * only where the kernel (6.2 and later) has the number at hand. */
void admin_process_read(struct admin_process *p, uint64_t connections);
