/* SPDX-License-Identifier: Apache-2.0 */
/* Where Redis is, and the circuit breaker. */
#include "fcgi/redis_sync.h"

#include "common/base/clk.h"
#include "common/base/log.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/un.h>

void rsync_target_init(struct rsync_target *t, const struct redis_url *url, int64_t timeout_ms)
{
    *t = (struct rsync_target){
        .url = url, .client_name = "", .timeout_ms = timeout_ms, .wake_fd = -1};
    pthread_mutex_init(&t->lock, NULL);
}

void rsync_target_fini(struct rsync_target *t)
{
    pthread_mutex_destroy(&t->lock);
}

bool rsync_target_is_down(const struct rsync_target *t)
{
    return atomic_load_explicit(&t->is_down, memory_order_relaxed);
}

bool rsync_target_is_well(const struct rsync_target *t)
{
    return !rsync_target_is_down(t) &&
           atomic_load_explicit(&t->suspect_since_ms, memory_order_relaxed) == 0;
}

/* What people search for stands in the message itself, so the message is not constant; control
 * characters would forge lines. */
static void log_cleaned(const char *head, const char *text)
{
    char message[320];
    snprintf(message, sizeof(message), "%s%s", head, text);
    for (char *p = message; *p != '\0'; p++) {
        *p = iscntrl((unsigned char)*p) ? ' ' : *p;
    }
    log_error(LOG_REDIS, message);
}

void rsync_log_error(const char *text)
{
    log_cleaned("redis error: ", text);
}

void rsync_log_error_line(const char *text)
{
    log_cleaned("", text);
}

void rsync_target_trip(struct rsync_target *t, int64_t took_ms, int64_t hold_ms, const char *text)
{
    int64_t until = took_ms > RSYNC_QUICK_MS ? clk_mono_ms() + hold_ms : 0;
    pthread_mutex_lock(&t->lock);
    snprintf(t->why, sizeof(t->why), "%s", text);
    pthread_mutex_unlock(&t->lock);
    atomic_store_explicit(&t->retry_at_ms, until, memory_order_relaxed);
    atomic_store_explicit(&t->down_at_ms, clk_mono_ms(), memory_order_relaxed);
    atomic_store_explicit(&t->suspect_since_ms, 0,
                          memory_order_relaxed); /* the breaker takes over */
    if (!atomic_exchange_explicit(&t->is_down, true, memory_order_relaxed)) {
        rsync_log_error(text);
        if (t->wake_fd >= 0) {
            eventfd_write(t->wake_fd, 1);
        }
    }
}

int rsync_target_refuse(struct rsync_target *t, struct err *e)
{
    pthread_mutex_lock(&t->lock);
    int rc = err_set(e, ERR_UNAVAILABLE, "not tried, because just now: %s", t->why);
    pthread_mutex_unlock(&t->lock);
    return rc;
}

void rsync_target_reset(struct rsync_target *t)
{
    atomic_store_explicit(&t->retry_at_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&t->suspect_since_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&t->is_down, false, memory_order_relaxed);
}

void rsync_target_heard(struct rsync_target *t, int64_t sent_at_ms)
{
    if (!rsync_target_is_down(t) ||
        sent_at_ms >= atomic_load_explicit(&t->down_at_ms, memory_order_relaxed)) {
        rsync_target_reset(t);
    }
}

void rsync_target_suspect(struct rsync_target *t, int64_t since_ms)
{
    int64_t none = 0;
    atomic_compare_exchange_strong(&t->suspect_since_ms, &none, since_ms);
}

int64_t rsync_target_deadline(const struct rsync_target *t, int64_t now_ms)
{
    int64_t since = atomic_load_explicit(&t->suspect_since_ms, memory_order_relaxed);
    return (LIKELY(since == 0) ? now_ms : since) + t->timeout_ms;
}

bool rsync_target_may_try(struct rsync_target *t, int64_t now_ms)
{
    int64_t until = atomic_load_explicit(&t->retry_at_ms, memory_order_relaxed);
    if (LIKELY(until == 0)) {
        return true;
    }
    return now_ms >= until && atomic_compare_exchange_strong(
                                  &t->retry_at_ms, &until, now_ms + t->timeout_ms + RSYNC_TRIP_MS);
}

static size_t collect(struct rsync_target *t, const struct addrinfo *list)
{
    size_t n = 0;
    pthread_mutex_lock(&t->lock);
    for (const struct addrinfo *a = list; a != NULL && n < RSYNC_MAX_ADDRESSES; a = a->ai_next) {
        if (a->ai_addrlen <= sizeof(t->addresses[n].addr)) {
            memcpy(&t->addresses[n].addr, a->ai_addr, a->ai_addrlen);
            t->addresses[n++].len = a->ai_addrlen;
        }
    }
    t->address_count = n;
    pthread_mutex_unlock(&t->lock);
    return n;
}

static int resolve_path(struct rsync_target *t, struct err *e)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t n = strlen(t->url->path);
    if (n == 0 || n >= sizeof(un.sun_path)) {
        return err_set(e, ERR_UNAVAILABLE, "the path of the Redis socket %s is too long",
                       t->url->display);
    }
    memcpy(un.sun_path, t->url->path, n);
    struct addrinfo one = {.ai_addr = (struct sockaddr *)&un, .ai_addrlen = sizeof(un)};
    collect(t, &one);
    return 0;
}

int rsync_target_resolve(struct rsync_target *t, struct err *e)
{
    if (t->url->path != NULL) {
        return resolve_path(t, e);
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char port[8];
    snprintf(port, sizeof(port), "%u", t->url->port);
    int rc = getaddrinfo(t->url->host, port, &hints, &list);
    if (rc != 0) {
        return err_set(e, ERR_UNAVAILABLE, "dial tcp: lookup %s: %s", t->url->host,
                       gai_strerror(rc));
    }
    size_t n = collect(t, list);
    freeaddrinfo(list);
    return n != 0 ? 0
                  : err_set(e, ERR_UNAVAILABLE, "dial tcp: lookup %s: no address", t->url->host);
}
