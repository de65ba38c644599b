/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of tokens: has the documents fetched that workers need. */
#include "pushd/control/keys.h"

#include <stdlib.h>

#include "common/base/clk.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/policy/conf.h"

/* Nearly always there are one or two documents. More come from {{groups}} in the address, and with
 * the safety check off from whatever tokens say. */
#define DOCUMENTS_MAX         64
#define WAITING_MAX           16384 /* clients of one document */
#define ABSENT_MAX            64
#define FAILURE_LOG_PERIOD_MS 10000
#define FAILURE_LOG_BURST     5

/* One address. */
struct document {
    struct htab_node node;
    struct keys *keys;
    char *url;
    bool is_asked;    /* a fetch is under way */
    int attempts;     /* of that fetch */
    int64_t ended_ms; /* of the last one; 0: there was none */
    ev_timer pause;   /* until the next may begin */
    struct bus_op **waiting;
    size_t n;
    size_t cap;
    size_t early; /* of them were there before the fetch began */
    /* Kids that the newest document does not have, the last ones asked for. */
    struct {
        uint64_t hash;
        struct perr_result why;
    } absent[ABSENT_MAX];
    size_t absent_count;
    /* Written by the helper thread, read after the fetch ended. */
    enum jwks_outcome outcome;
    bool may_pass;
    struct jwks *found;
    struct err error;
};

static void answer(struct keys *k, struct bus_op *op, struct perr_result r)
{
    op->refused = r;
    bus_post_worker(k->o.bus, op->worker, &op->item);
}

static void refuse_busy(struct keys *k, struct bus_op *op)
{
    answer(k, op,
           (struct perr_result){PERR_CLOSE_INVALID_TOKEN, "jwks.busy",
                                "too many tokens wait for keys"});
}

/* ---- the end of a fetch ---- */

static const struct perr_result *find_absent(const struct document *d, struct span kid)
{
    uint64_t hash = hash_span(kid);
    for (size_t i = 0; i < d->absent_count && i < ABSENT_MAX; i++) {
        if (d->absent[i].hash == hash) {
            return &d->absent[i].why;
        }
    }
    return NULL;
}

static struct perr_result explain(struct document *d, struct span kid)
{
    if (d->outcome != JWKS_OK) {
        return jwks_refusal(d->outcome);
    }
    struct perr_result r = jwks_explain(d->found, kid);
    if (r.code != PERR_OK && find_absent(d, kid) == NULL) {
        size_t slot = d->absent_count++ % ABSENT_MAX;
        d->absent[slot].hash = hash_span(kid);
        d->absent[slot].why = r;
    }
    return r;
}

static void tell(const struct document *d)
{
    struct keys *k = d->keys;
    struct buf url = {0};
    uint32_t dropped;
    metrics_add(k->o.metrics, METRIC_KEY_FETCHES, d->outcome, 1);
    conf_url_redact(span_str(d->url), &url);
    if (d->outcome == JWKS_OK) {
        size_t usable = 0;
        for (size_t i = 0; i < d->found->n; i++) {
            usable += d->found->keys[i].key != NULL;
        }
        log_info(LOG_CLIENT, "keys of tokens fetched", LOG_TEXT("url", buf_span(&url)),
                 LOG_NUM("keys", d->found->n), LOG_NUM("usable", usable));
    } else if (log_limit_pass(&k->failures, clk_mono_ms(), &dropped)) {
        log_warn(LOG_CLIENT, "keys of tokens cannot be fetched, tokens that need them are refused",
                 LOG_TEXT("url", buf_span(&url)),
                 LOG_STR("reason", jwks_refusal(d->outcome).reason),
                 LOG_STR("error", d->error.text), LOG_NUM("suppressed", dropped));
    }
    buf_free(&url);
}

static void start_fetch(struct document *d);
static void schedule(struct document *d);

/* Who came while the document was on its way, with a key that it does not have, waits for the next
 * one: the key may have been published in that moment. */
static void answer_waiting(struct document *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->n; i++) {
        struct bus_op *op = d->waiting[i];
        if (i >= d->early && d->outcome == JWKS_OK &&
            jwks_explain(d->found, op->kid).code != PERR_OK) {
            d->waiting[kept++] = op;
        } else {
            answer(d->keys, op, explain(d, op->kid));
        }
    }
    d->n = kept;
    if (kept != 0) {
        schedule(d);
    }
}

static void on_fetched(void *arg, const struct fetch *f)
{
    (void)f;
    struct document *d = arg;
    struct keys *k = d->keys;
    tell(d);
    if (d->outcome != JWKS_OK && d->may_pass && ++d->attempts < JWKS_ATTEMPTS) {
        start_fetch(d);
        return;
    }
    d->is_asked = false;
    d->ended_ms = clk_mono_ms();
    d->absent_count = 0;
    if (d->outcome == JWKS_OK) {
        jwks_cache_put(k->o.cache, d->node.key, d->found, clk_wall_s());
    }
    answer_waiting(d);
    jwks_free(d->found);
    d->found = NULL;
}

/* On the helper thread: importing many keys takes milliseconds. */
static void on_answer(void *arg, const struct fetch *f)
{
    struct document *d = arg;
    const struct fetch_answer *a = fetch_answer(f);
    d->error.text[0] = '\0';
    d->outcome = jwks_read_answer(a, &d->found, &d->error);
    d->may_pass = jwks_is_passing(d->outcome, a);
}

/* ---- the begin of one ---- */

static void start_fetch(struct document *d)
{
    const struct fetcher_ask ask = {
        .spec = {.url = d->url, .timeout_ms = JWKS_TIMEOUT_MS, .max_bytes = JWKS_MAX_BYTES},
        .read = on_answer,
        .done = on_fetched,
        .arg = d,
    };
    d->is_asked = true;
    d->early = d->n;
    if (!fetcher_start(d->keys->fetcher, &ask)) {
        err_set(&d->error, ERR_SYNTAX, "libcurl does not understand the URL");
        d->outcome = JWKS_UNREACHABLE;
        d->may_pass = false;
        on_fetched(d, NULL);
    }
}

static void on_pause_end(struct ev_loop *loop, ev_timer *t, int events)
{
    (void)loop;
    (void)events;
    start_fetch(t->data);
}

/* Whoever comes too early waits: a token signed with a new key may come right behind one that made
 * us look before the key was published, and its client would not come back after a refusal. */
static void schedule(struct document *d)
{
    if (d->is_asked || ev_is_active(&d->pause)) {
        return;
    }
    int64_t wait_ms = d->ended_ms != 0 ? d->ended_ms + KEYS_INTERVAL_MS - clk_mono_ms() : 0;
    d->attempts = 0;
    if (wait_ms <= 0) {
        start_fetch(d);
        return;
    }
    ev_now_update(d->keys->o.loop);
    ev_timer_set(&d->pause, (double)wait_ms / 1000., 0.);
    ev_timer_start(d->keys->o.loop, &d->pause);
}

/* ---- documents ---- */

static void free_document(struct document *d)
{
    htab_remove(&d->keys->documents, &d->node);
    ev_timer_stop(d->keys->o.loop, &d->pause);
    for (size_t i = 0; i < d->n; i++) {
        bus_op_free(d->waiting[i]);
    }
    jwks_free(d->found);
    free(d->waiting);
    free(d->url);
    free(d);
}

static bool free_if_idle(struct htab_node *node, void *arg)
{
    struct document *d = CONTAINER_OF(node, struct document, node);
    const int64_t *now_ms = arg;
    if (!d->is_asked && d->n == 0 && d->ended_ms + KEYS_INTERVAL_MS <= *now_ms) {
        free_document(d);
    }
    return true;
}

static struct document *find_document(struct keys *k, struct span url)
{
    struct htab_node *node = htab_get(&k->documents, url);
    if (node != NULL) {
        return CONTAINER_OF(node, struct document, node);
    }
    if (k->documents.count >= DOCUMENTS_MAX) {
        int64_t now_ms = clk_mono_ms();
        htab_each(&k->documents, free_if_idle, &now_ms);
    }
    if (k->documents.count >= DOCUMENTS_MAX) {
        return NULL;
    }
    struct document *d = mem_zalloc(sizeof(*d));
    d->keys = k;
    d->url = span_dup(url);
    ev_timer_init(&d->pause, on_pause_end, 0., 0.);
    d->pause.data = d;
    struct span key = span_str(d->url);
    htab_add(&k->documents, &d->node, key, hash_span(key));
    return d;
}

void keys_take(struct keys *k, struct bus_op *op)
{
    const struct jwks_query q = {.url = op->channel, .kid = op->kid, .now_s = clk_wall_s()};
    if (jwks_cache_has(k->o.cache, &q, &op->arena)) { /* another worker was first */
        answer(k, op, (struct perr_result){.code = PERR_OK});
        return;
    }
    struct document *d = find_document(k, op->channel);
    if (d == NULL || d->n == WAITING_MAX) {
        refuse_busy(k, op);
        return;
    }
    bool is_fresh = d->ended_ms != 0 && clk_mono_ms() - d->ended_ms < KEYS_INTERVAL_MS;
    const struct perr_result *why = is_fresh && !d->is_asked ? find_absent(d, op->kid) : NULL;
    if (why != NULL) {
        answer(k, op, *why);
        return;
    }
    if (d->n == d->cap) {
        d->cap = d->cap != 0 ? d->cap * 2 : 16;
        d->waiting = mem_realloc(d->waiting, d->cap * sizeof(*d->waiting));
    }
    d->waiting[d->n++] = op;
    schedule(d);
}

int keys_open(struct keys *k, const struct keys_opts *opts, struct err *e)
{
    *k = (struct keys){
        .o = *opts,
        .failures = {.period_ms = FAILURE_LOG_PERIOD_MS, .burst = FAILURE_LOG_BURST},
    };
    k->fetcher = fetcher_new(opts->loop, e);
    return k->fetcher != NULL ? 0 : ERR_UNAVAILABLE;
}

static bool free_any(struct htab_node *node, void *arg)
{
    (void)arg;
    free_document(CONTAINER_OF(node, struct document, node));
    return true;
}

void keys_close(struct keys *k)
{
    fetcher_free(k->fetcher);
    htab_each(&k->documents, free_any, NULL);
    htab_fini(&k->documents);
    *k = (struct keys){0};
}
