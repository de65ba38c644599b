/* SPDX-License-Identifier: Apache-2.0 */
/* The application data of the bench: a JSON object with a sequence number and a time at fixed
   places, in the encodings needed.

   {"bench":"SSSSSSSSSSSSSSSS","at":"TTTTTTTTTTTTTTTT","pad":"xxx..."}   S and T are 16 hexadecimal
   digits each */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_MIN 61
#define PAYLOAD_MAX 60000

/* Writes exactly `size` bytes. `at_ns` is when the publication was scheduled. */
void payload_put(char *out, size_t size, uint64_t seq, uint64_t at_ns);
/* Reads both numbers of the payload that starts at `p`; false when its fixed parts are not there.
 */
bool payload_get(const char *p, size_t n, uint64_t *seq, uint64_t *at_ns);
/* Where a payload starts inside a message, looked for first at `hint`; NULL when there is none. */
const char *payload_find(const char *message, size_t n, size_t hint);
/* Overwrites both numbers in place. */
void payload_patch(char *p, uint64_t seq, uint64_t at_ns);

/* What a publisher puts into Redis: Publication {4: data, 7: tag kind=bench or none, 9: time in
 * Unix milliseconds}. `out` holds size + 64 bytes. */
size_t payload_publication_put(uint8_t *out, const char *data, size_t size, bool has_tag);

/* Header of an unmasked WebSocket frame (server side), 2 to 10 bytes. */
size_t ws_header_put(uint8_t *out, uint8_t opcode, size_t size);
/* A whole masked frame (client side); `out` holds size + 14 bytes. */
size_t ws_masked_put(uint8_t *out, uint8_t opcode, const void *data, size_t size);
