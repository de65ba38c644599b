/* SPDX-License-Identifier: Apache-2.0 */
/* Filters over the tags of publications (client protocol 15.4). */
#pragma once

#include "common/protocol/proto.h"

/* A checked copy of a filter; immutable. */
struct tags_filter;

/* NULL when the filter breaks a rule; *fault then says which, in a constant text. */
struct tags_filter *tags_filter_new(const struct filter_node *node, const char **fault);
void tags_filter_free(struct tags_filter *f);

/* Whether a publication with these tags (struct kv) passes. */
bool tags_filter_match(const struct tags_filter *f, const struct vec *tags);
