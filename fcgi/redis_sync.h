/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking Redis connections with deadlines, and a circuit breaker that all connections of the
 * process share.
 *
 * A command is sent once: when the connection turns out to be dead before anything was sent, it is
 * opened anew; once bytes are out, a failure is reported and nothing is repeated, because the
 * command may have run. */
#pragma once

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/engine/redis_url.h"

struct redisReply; /* of hiredis */

#define RSYNC_MAX_ADDRESSES 8
/* How long commands fail at once after one had to wait in vain, unless somebody finds out earlier
 * that Redis is well. */
#define RSYNC_TRIP_MS 300
/* A command that waits for longer is reason to suspect Redis: those that come later wait no longer
 * than it does. */
#define RSYNC_SUSPECT_MS 100
/* A failure that took no longer than this, such as a refused connection, need not be spared the
 * next caller. */
#define RSYNC_QUICK_MS 50

/* Where Redis is, and whether it is thought to be alive. Shared by all threads; outlives every
 * connection. */
struct rsync_target {
    const struct redis_url *url;
    const char *client_name; /* for CLIENT SETNAME, "" for none */
    int64_t timeout_ms;      /* of one run: reconnecting, sending and the replies together */
    int wake_fd;             /* an eventfd written when the breaker opens, or -1 */

    pthread_mutex_t lock; /* of the addresses and why */
    char why[200];        /* the last failure */
    struct {
        struct sockaddr_storage addr;
        socklen_t len;
    } addresses[RSYNC_MAX_ADDRESSES];
    size_t address_count;

    _Atomic int64_t retry_at_ms;      /* 0: closed. Else commands fail at once until then */
    _Atomic int64_t suspect_since_ms; /* 0, or when a command was sent that is not answered yet */
    _Atomic bool is_down;             /* an outage is known and stands in the log */
    _Atomic int64_t down_at_ms;       /* when it was noticed last */
};

/* The url is borrowed. */
void rsync_target_init(struct rsync_target *t, const struct redis_url *url, int64_t timeout_ms);
void rsync_target_fini(struct rsync_target *t);

/* Looks the host up and keeps the addresses. May block as long as the resolver does, so only the
 * background thread calls it after the start. ERR_UNAVAILABLE. */
int rsync_target_resolve(struct rsync_target *t, struct err *e);

/* One line "redis error: TEXT", or just the text; it may come from outside. */
void rsync_log_error(const char *text);
void rsync_log_error_line(const char *text);

/* After a failure that took took_ms: opens the breaker for hold_ms unless it was a quick one, and
 * logs "redis error: TEXT" unless the outage is known already. */
void rsync_target_trip(struct rsync_target *t, int64_t took_ms, int64_t hold_ms, const char *text);
/* Closes it, and ends all suspicion: Redis is well. */
void rsync_target_reset(struct rsync_target *t);
/* The same when Redis answered what was sent at sent_at_ms, unless it opened later: such an answer
 * may have left Redis before Redis went. */
void rsync_target_heard(struct rsync_target *t, int64_t sent_at_ms);
/* Notes that a command sent at since_ms has got no answer for RSYNC_SUSPECT_MS. */
void rsync_target_suspect(struct rsync_target *t, int64_t since_ms);
/* Until when a command that starts now may wait. */
int64_t rsync_target_deadline(const struct rsync_target *t, int64_t now_ms);
bool rsync_target_is_down(const struct rsync_target *t);
/* Whether there is nothing to reset: no outage is known, and nobody suspects one. */
bool rsync_target_is_well(const struct rsync_target *t);
/* ERR_UNAVAILABLE for a command that is not tried: what the last failure was. */
int rsync_target_refuse(struct rsync_target *t, struct err *e);
/* Whether a command may be tried now. When the pause of an open breaker is over, exactly one caller
 * gets through, the others go on failing at once until it knows. */
bool rsync_target_may_try(struct rsync_target *t, int64_t now_ms);

/* One connection; one thread at a time. */
struct rsync;

/* The target is borrowed. Connects when first used. */
struct rsync *rsync_new(struct rsync_target *t);
void rsync_free(struct rsync *r);

/* Gets the reply of command number `index`. The reply is freed after the call. */
typedef void (*rsync_reply_fn)(const struct redisReply *reply, size_t index, void *arg);

/* The text of a bulk string or status, absent for any other reply; borrowed. */
struct span rsync_reply_text(const struct redisReply *reply);
/* The text of an error reply, see engine_error_text; absent for any other reply. */
struct span rsync_reply_error(const struct redisReply *reply);
/* Element i of an array of exactly n elements, else NULL; borrowed. */
const struct redisReply *rsync_reply_item(const struct redisReply *reply, size_t n, size_t i);

/* Sends `count` commands in one piece and gives each reply to fn, in order. Error replies of Redis
 * are replies. When it fails, fn was called for the first replies only, and the connection is
 * closed. ERR_UNAVAILABLE (not connected, nothing was sent), ERR_TIMEOUT or ERR_CLOSED (may have
 * run). Takes target->timeout_ms at most, less when an earlier command of anybody waits. */
int rsync_run(struct rsync *r, struct span commands, size_t count, rsync_reply_fn fn, void *arg,
              struct err *e);

/* ---- a run in two steps, so that several connections can be awaited at the same time ---- */

/* Connects if need be and sends; now_ms is when the whole began, and it has to be out by by_ms.
 * Fails as rsync_run does; when it does not, rsync_end has to follow. */
int rsync_begin(struct rsync *r, struct span commands, int64_t now_ms, int64_t by_ms,
                struct err *e);
/* Nothing has come so far: suspects Redis when that takes long. Returns how many milliseconds are
 * left, 0 or less when rsync_end would wait no more. */
int64_t rsync_note_silence(struct rsync *r, int64_t now_ms);
int rsync_end(struct rsync *r, size_t count, rsync_reply_fn fn, void *arg, struct err *e);

/* ---- pieces, for a subscriber ---- */

/* Opens the connection, with AUTH, SELECT and PING, until deadline_ms (of clk_mono_ms).
 * ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_DENIED (Redis refused the credentials or the database). */
int rsync_connect(struct rsync *r, int64_t deadline_ms, struct err *e);
/* Sends all bytes. ERR_CLOSED, ERR_TIMEOUT. */
int rsync_send(struct rsync *r, struct span bytes, int64_t deadline_ms, struct err *e);
/* The next reply, which the caller frees with rsync_reply_free. ERR_TIMEOUT (the connection stays
 * usable), ERR_CLOSED. */
int rsync_receive(struct rsync *r, int64_t deadline_ms, struct redisReply **reply, struct err *e);
void rsync_reply_free(struct redisReply *reply);
/* The descriptor, or -1 while not connected. */
int rsync_fd(const struct rsync *r);
void rsync_close(struct rsync *r);
