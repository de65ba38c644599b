/* SPDX-License-Identifier: Apache-2.0 */
/* What the manual page says about an option, made from its row. */
#pragma once

#include "common/policy/conf_schema.h"

/* Appends the option's entry in mdoc. */
void conf_page_entry(const struct conf_row *row, struct buf *out);
