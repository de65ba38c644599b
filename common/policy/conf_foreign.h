/* SPDX-License-Identifier: Apache-2.0 */
/* Reporting options that are not ours. Only conf*.c include this. */
#pragma once

#include "common/policy/conf_loader.h"

/* Whether a value switches something on: not false, 0, empty, or an object whose `enabled` says so.
 */
bool conf_foreign_is_active(const struct conf_foreign *f, const struct conf_value *v);

/* Warns as its kind wants it. */
void conf_foreign_report(struct conf_loader *ld, const struct conf_foreign *f, uint32_t where,
                         const char *path, bool is_active);
