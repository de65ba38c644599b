/* SPDX-License-Identifier: Apache-2.0 */
/* Connection tokens and the WebSocket accept value: what needs libcrypto. */
#include "tests/bench/token.h"

#include "tests/bench/util.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

size_t token_put(char out[TOKEN_MAX], const char *secret, const char *user)
{
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    char claims[256];
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    int len = snprintf(claims, sizeof(claims), "{\"sub\":\"%s\",\"exp\":%lld}", user,
                       (long long)time(NULL) + 86400);
    if (len < 0 || (size_t)len >= sizeof(claims))
        die("user name is too long: %s", user);
    size_t n = base64_put(out, header, sizeof(header) - 1, true);
    out[n++] = '.';
    n += base64_put(out + n, claims, (size_t)len, true);
    if (!HMAC(EVP_sha256(), secret, (int)strlen(secret), (const uint8_t *)out, n, mac, &mac_len))
        die("cannot sign a token");
    out[n++] = '.';
    n += base64_put(out + n, mac, mac_len, true);
    out[n] = 0;
    return n;
}

void accept_put(char out[32], const char *key)
{
    char text[128];
    uint8_t digest[SHA_DIGEST_LENGTH];
    int len = snprintf(text, sizeof(text), "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    SHA1((const uint8_t *)text, (size_t)len, digest);
    out[base64_put(out, digest, sizeof(digest), false)] = 0;
}
