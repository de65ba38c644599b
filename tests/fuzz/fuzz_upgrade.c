/* SPDX-License-Identifier: Apache-2.0 */
/* The head of the opening handshake. */
#include <stdint.h>
#include <stdlib.h>

#include "pushd/worker/upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conf *conf;
    if (conf == NULL) {
        static const char text[] =
            "{\"client\":{\"allowed_origins\":[\"http://a\"],\"user_id_http_header\":\"x-user\"},"
            "\"websocket\":{\"compression\":true},\"init\":{\"enabled\":true}}";
        conf =
            conf_load(&(struct conf_load_opts){.text = text, .text_len = sizeof(text) - 1}, NULL);
    }
    struct upgrade u;
    if (upgrade_read(conf, span_of(data, size), &u) == 1) {
        struct buf out = {0};
        upgrade_answer(&u, &out);
        if (out.n == 0 || u.head_bytes > size) {
            abort();
        }
        buf_free(&out);
    }
    return 0;
}
