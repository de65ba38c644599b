/* SPDX-License-Identifier: Apache-2.0 */
/* What to do about the errors that Redis answers with. */
#include <hiredis/hiredis.h>

#include "common/engine/engine.h"

#define ACL_ADVICE                                                                              \
    "the ACL of this Redis user has to permit its commands, keys and channels that begin with " \
    "engine.redis.prefix"

#define CLUSTER_ADVICE "this is a Redis Cluster, which is not supported yet"

static const struct {
    const char *beginning;
    const char *advice;
} rows[] = {
    {"OOM ", "give Redis more maxmemory, or a maxmemory-policy that evicts keys"},
    {"MISCONF ",
     "Redis cannot save to its disk: free space or repair its folder, its log says more"},
    {"READONLY ", "this Redis is a replica: engine.redis.address has to name the primary"},
    {"NOREPLICAS ", "too few replicas of this Redis are connected, see its min-replicas-to-write"},
    {"LOADING ", "Redis has just been started and reads its data; try again soon"},
    {"MASTERDOWN ", "this Redis is a replica without its primary: engine.redis.address has to name "
                    "the primary"},
    {"BUSY ", "a script keeps Redis busy; SCRIPT KILL or FUNCTION KILL ends it"},
    {"WRONGTYPE ", "another program uses keys with the same beginning: set another "
                   "engine.redis.prefix here or there"},
    {"NOAUTH ", "Redis wants a password: set engine.redis.password"},
    {"WRONGPASS ", "engine.redis.user and engine.redis.password are not those of this Redis"},
    {"ERR AUTH <password> called without any password",
     "this Redis has no password: remove engine.redis.password, and the one in the address"},
    {"ERR DB index is out of range",
     "engine.redis.db, or the number behind the address, is more than this Redis has databases"},
    {"ERR invalid DB index", "engine.redis.db, or the number behind the address, is no number"},
    {"ERR max number of clients reached",
     "raise maxclients of Redis, or close what else is connected to it"},
    {"ERR SELECT is not allowed in cluster mode", CLUSTER_ADVICE},
    {"DENIED ", "this Redis is in protected mode: give it a password, or let it bind to loopback"},
    {"NOPERM ", ACL_ADVICE},
    {"ERR The user executing the script", ACL_ADVICE},
    {"ERR ACL failure in script", ACL_ADVICE}, /* Redis 8, Valkey 8 */
    {"MOVED ", CLUSTER_ADVICE},
    {"CROSSSLOT ", CLUSTER_ADVICE},
    {"CLUSTERDOWN ", CLUSTER_ADVICE},
};

const char *engine_error_advice(struct span text)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (span_starts(text, span_str(rows[i].beginning))) {
            return rows[i].advice;
        }
    }
    return NULL;
}

struct span engine_error_text(const struct redisReply *r)
{
    static const char quote[] = ", with args beginning with";
    struct span text = span_of(r->str, (size_t)r->len);
    const char *at = memmem(text.p, text.n, quote, sizeof(quote) - 1);
    if (at != NULL) {
        text.n = (size_t)(at - text.p);
    }
    return text;
}

bool engine_is_misconf(const struct redisReply *r)
{
    return r != NULL && r->type == REDIS_REPLY_ERROR &&
           span_starts(span_of(r->str, (size_t)r->len), SPAN("MISCONF "));
}
