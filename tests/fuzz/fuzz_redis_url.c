/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of Redis. */
#include <stdlib.h>

#include "common/base/str.h"
#include "common/engine/redis_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char none[] = "";
    static const struct conf_redis conf = {
        .user = none, .password = none, .connect_timeout_ms = 1000, .io_timeout_ms = 4000};
    char *address = span_dup(span_of(data, size));
    struct redis_url url;
    struct err e = {0};
    if (redis_url_parse(address, &conf, &url, &e) == 0) {
        /* Exactly one kind of place, and a name of it for the log. */
        if ((url.host == NULL) == (url.path == NULL) || url.display == NULL ||
            (url.host != NULL && url.port == 0)) {
            abort();
        }
        redis_url_fini(&url);
    } else if (e.text[0] == '\0') {
        abort();
    }
    free(address);
    return 0;
}
