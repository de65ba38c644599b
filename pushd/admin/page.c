/* SPDX-License-Identifier: Apache-2.0 */
/* The admin page. */
#include "pushd/admin/page.h"

#include "common/format/b64.h"

#include <openssl/evp.h>

static const char text[] =
#include "pushd/admin/page_html.h" /* string literals, made from page.html */
    ;

struct span admin_page(void)
{
    return span_of(text, sizeof(text) - 1);
}

/* Appends 'sha256-...' of what stands between two tags. */
static void add_hash(struct buf *out, const char *open_tag, const char *close_tag)
{
    const char *start = strstr(text, open_tag);
    const char *end = start != NULL ? strstr(start, close_tag) : NULL;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (end == NULL) {
        buf_add_str(out, "'none'");
        return;
    }
    start += strlen(open_tag);
    if (EVP_Digest(start, (size_t)(end - start), digest, &n, EVP_sha256(), NULL) != 1) {
        buf_add_str(out, "'none'");
        return;
    }
    buf_add_str(out, "'sha256-");
    b64_encode(out, span_of(digest, n));
    buf_add_char(out, '\'');
}

void admin_page_security(struct buf *out)
{
    buf_add_str(out, "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; "
                     "form-action 'none'; "
                     "frame-ancestors 'none'; style-src ");
    add_hash(out, "<style>", "</style>");
    buf_add_str(out, "; script-src ");
    add_hash(out, "<script>", "</script>");
}
