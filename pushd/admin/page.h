/* SPDX-License-Identifier: Apache-2.0 */
/* The admin page: one HTML file, built into the program. It holds no data; its script asks for
 * them. */
#pragma once

#include "common/base/str.h"

/* Constant. */
struct span admin_page(void);

/* Appends a Content-Security-Policy that lets exactly the page's own script and style run, by their
 * SHA-256, and lets it talk to its own server only. */
void admin_page_security(struct buf *out);
