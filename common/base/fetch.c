/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP request of ours, as libcurl wants it. */
#include "common/base/fetch.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "common/base/mem.h"

struct fetch {
    CURL *curl;
    struct buf body;
    struct fetch_answer answer;
    char error[CURL_ERROR_SIZE];
};

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct fetch *f = arg;
    buf_add(&f->body, bytes, size * n);
    return f->body.failed ? 0 : size * n; /* another number ends the transfer */
}

/* A proxy of the environment (http_proxy, https_proxy) is for what is not on this machine. */
static bool set_no_proxy(CURL *c)
{
    struct buf hosts = {0};
    const char *others = getenv("no_proxy");
    if (others == NULL) {
        others = getenv("NO_PROXY");
    }
    buf_addf(&hosts, "localhost,127.0.0.1,::1%s%s", others != NULL ? "," : "",
             others != NULL ? others : "");
    bool is_set = curl_easy_setopt(c, CURLOPT_NOPROXY, buf_cstr(&hosts)) == CURLE_OK;
    buf_free(&hosts);
    return is_set;
}

static bool set_from_environment(CURL *c, CURLoption option, const char *name)
{
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' || curl_easy_setopt(c, option, value) == CURLE_OK;
}

/* The variables of OpenSSL and of Go, for which the curl program looks and the library does not. */
static bool set_authorities(CURL *c)
{
    return set_from_environment(c, CURLOPT_CAINFO, "SSL_CERT_FILE") &&
           set_from_environment(c, CURLOPT_CAPATH, "SSL_CERT_DIR");
}

/* Setting options fails for lack of memory, of the feature in libcurl, or for a malformed value. */
static bool set_options(struct fetch *f, const struct fetch_spec *s)
{
    CURL *c = f->curl;
    bool is_set = curl_easy_setopt(c, CURLOPT_URL, s->url) == CURLE_OK &&
                  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)s->timeout_ms) == CURLE_OK &&
                  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
                  curl_easy_setopt(c, CURLOPT_USERAGENT, "pushd/" PACKAGE_VERSION) == CURLE_OK &&
                  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->error) == CURLE_OK &&
                  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
                  curl_easy_setopt(c, CURLOPT_WRITEDATA, f) == CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x075500
    is_set = is_set && curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
#else
    is_set = is_set &&
             curl_easy_setopt(c, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS) == CURLE_OK;
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A look-up of a host that hangs is left behind, not waited for. */
    is_set = is_set && curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
#endif
    return is_set && set_no_proxy(c) && set_authorities(c);
}

struct fetch *fetch_new(const struct fetch_spec *spec)
{
    struct fetch *f = mem_zalloc(sizeof(*f));
    f->body.max = spec->max_bytes;
    f->answer.error = f->error;
    f->curl = curl_easy_init();
    if (f->curl == NULL || !set_options(f, spec)) {
        fetch_free(f);
        return NULL;
    }
    return f;
}

void fetch_free(struct fetch *f)
{
    if (f != NULL) {
        curl_easy_cleanup(f->curl);
        buf_free(&f->body);
        free(f);
    }
}

void *fetch_handle(const struct fetch *f)
{
    return f->curl;
}

static enum fetch_failure failure_of(int code)
{
    switch (code) {
    case CURLE_OK:
        return FETCH_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return FETCH_TIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return FETCH_UNTRUSTED;
    default:
        return FETCH_UNREACHABLE;
    }
}

void fetch_ended(struct fetch *f, int code)
{
    long status = 0;
    curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
    f->answer.status = (int)status;
    f->answer.body = buf_span(&f->body);
    f->answer.failure = f->body.failed ? FETCH_TOO_LARGE : failure_of(code);
    if (code != CURLE_OK && f->error[0] == '\0') {
        f->answer.error = curl_easy_strerror((CURLcode)code);
    }
}

void fetch_run(struct fetch *f)
{
    fetch_ended(f, curl_easy_perform(f->curl));
}

const struct fetch_answer *fetch_answer(const struct fetch *f)
{
    return &f->answer;
}

const char *fetch_library_version(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}
