/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket extensions in the opening handshake (RFC 6455 9.1, RFC 7692 7.1). */
#pragma once

#include "common/base/str.h"

/* The one answer that we give: no context takeover in either direction, windows of 32 KiB. */
#define WS_EXT_DEFLATE "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

/* Whether the value of a Sec-WebSocket-Extensions header has an offer that this answer accepts.
 * Offers with an unknown, repeated or ill-formed parameter are passed over, and so are those with a
 * server_max_window_bits below 15: frames are shared by all, so there is one window for all. A
 * value that does not follow the grammar offers nothing. */
bool ws_ext_offers_deflate(struct span value);
