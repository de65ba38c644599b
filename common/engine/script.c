/* SPDX-License-Identifier: Apache-2.0 */
/* The Lua scripts: their texts and digests. */
#include "common/engine/script.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/engine/engine.h"
#include "common/engine/rcmd.h"

#define SHA1_BYTES 20

static const char *const texts[SCRIPT_COUNT] = {
    [SCRIPT_PUBLISH_ONCE] = script_text_publish_once,
    [SCRIPT_PUBLISH_STREAM] = script_text_publish_stream,
    [SCRIPT_PUBLISH_LIST] = script_text_publish_list,
    [SCRIPT_HISTORY_STREAM] = script_text_history_stream,
    [SCRIPT_HISTORY_LIST] = script_text_history_list,
    [SCRIPT_PRESENCE_ADD] = script_text_presence_add,
    [SCRIPT_PRESENCE_REMOVE] = script_text_presence_remove,
    [SCRIPT_PRESENCE_GET] = script_text_presence_get,
    [SCRIPT_PRESENCE_STATS] = script_text_presence_stats,
};

static char digests[SCRIPT_COUNT][2 * SHA1_BYTES + 1];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void compute_digests(void)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < SCRIPT_COUNT; i++) {
        unsigned char sum[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        if (EVP_Digest(texts[i], strlen(texts[i]), sum, &n, EVP_sha1(), NULL) != 1) {
            n = 0; /* a libcrypto without SHA-1: Redis answers NOSCRIPT and gets the text instead */
        }
        for (unsigned k = 0; k < n; k++) {
            digests[i][2 * k] = hex[sum[k] >> 4];
            digests[i][2 * k + 1] = hex[sum[k] & 0xf];
        }
    }
}

void script_setup(void)
{
    pthread_once(&once, compute_digests);
}

void script_begin(struct buf *b, enum script s, bool use_eval, size_t keys, size_t args)
{
    rcmd_begin(b, 3 + keys + args);
    rcmd_arg_str(b, use_eval ? "EVAL" : "EVALSHA");
    rcmd_arg_str(b, use_eval ? texts[s] : digests[s]);
    rcmd_arg_i64(b, (int64_t)keys);
}

size_t engine_script_count(void)
{
    return SCRIPT_COUNT;
}

void engine_script_load_build(size_t i, struct buf *out)
{
    rcmd_begin(out, 3);
    rcmd_arg_str(out, "SCRIPT");
    rcmd_arg_str(out, "LOAD");
    rcmd_arg_str(out, texts[i]);
}
