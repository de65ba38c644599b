/* SPDX-License-Identifier: Apache-2.0 */
/* Presence: who is in a channel. */
#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/htab.h"
#include "common/base/mem.h"
#include "common/engine/engine_private.h"
#include "common/engine/rcmd.h"
#include "common/engine/script.h"
#include "common/format/pbwire.h"

#define CLIENT_INFO_USER 1 /* number of the field */

static const char *flag(bool on)
{
    return on ? "1" : "0";
}

static void client_keys(const struct engine *e, struct span channel, struct buf *out)
{
    engine__key_arg(e, ".presence.expire.", channel, out);
    engine__key_arg(e, ".presence.data.", channel, out);
}

static void all_keys(const struct engine *e, struct span channel, struct buf *out)
{
    client_keys(e, channel, out);
    engine__key_arg(e, ".presence.user.expire.", channel, out);
    engine__key_arg(e, ".presence.user.clients.", channel, out);
}

void engine_presence_add_build(const struct engine *e, const struct engine_presence *p,
                               struct buf *out)
{
    struct buf info = {0};
    schema_pb_encode(&client_info_schema, p->info, &info);
    script_begin(out, SCRIPT_PRESENCE_ADD, p->use_eval, 4, 7);
    all_keys(e, p->channel, out);
    rcmd_arg_i64(out, e->presence_ttl_s);
    rcmd_arg_i64(out, p->now_s + e->presence_ttl_s);
    rcmd_arg(out, p->client);
    rcmd_arg(out, buf_span(&info));
    rcmd_arg(out, p->user);
    rcmd_arg_str(out, flag(e->presence_user_mapping));
    rcmd_arg_str(out, flag(e->presence_hash_field_ttl));
    buf_free(&info);
}

void engine_presence_remove_build(const struct engine *e, const struct engine_presence *p,
                                  struct buf *out)
{
    script_begin(out, SCRIPT_PRESENCE_REMOVE, p->use_eval, 4, 4);
    all_keys(e, p->channel, out);
    rcmd_arg(out, p->client);
    rcmd_arg(out, p->user);
    rcmd_arg_str(out, flag(e->presence_user_mapping));
    rcmd_arg_str(out, flag(e->presence_hash_field_ttl));
}

void engine_presence_get_build(const struct engine *e, const struct engine_presence *p,
                               struct buf *out)
{
    script_begin(out, SCRIPT_PRESENCE_GET, p->use_eval, 2, 2);
    client_keys(e, p->channel, out);
    rcmd_arg_i64(out, p->now_s);
    rcmd_arg_str(out, flag(e->presence_hash_field_ttl));
}

void engine_presence_stats_build(const struct engine *e, const struct engine_presence *p,
                                 struct buf *out)
{
    if (!e->presence_user_mapping) {
        engine_presence_get_build(e, p, out);
        return;
    }
    script_begin(out, SCRIPT_PRESENCE_STATS, p->use_eval, 4, 2);
    all_keys(e, p->channel, out);
    rcmd_arg_i64(out, p->now_s);
    rcmd_arg_str(out, flag(e->presence_hash_field_ttl));
}

static int check_pairs(const struct redisReply *r, struct err *err)
{
    int rc = engine__reply_check(r, err);
    if (rc != 0) {
        return rc;
    }
    if (r->type != REDIS_REPLY_ARRAY || r->elements % 2 != 0) {
        return engine__reply_unexpected("the presence script", err);
    }
    return 0;
}

int engine_presence_get_read(const struct redisReply *r, struct arena *a, struct vec *out,
                             struct err *err)
{
    *out = (struct vec){0};
    int rc = check_pairs(r, err);
    if (rc != 0) {
        return rc;
    }
    size_t n = r->elements / 2;
    struct kv_msg *items = arena_alloc(a, (n + 1) * sizeof(*items));
    for (size_t i = 0; i < n; i++) {
        struct span info = arena_dup(a, engine__reply_text(r->element[2 * i + 1]));
        items[i].key = arena_dup(a, engine__reply_text(r->element[2 * i]));
        items[i].msg = arena_zalloc(a, sizeof(struct client_info));
        if (schema_pb_decode(&client_info_schema, info, a, items[i].msg, NULL) != 0) {
            return err_set(err, ERR_SYNTAX,
                           "the presence entry of client %.*s in Redis is malformed",
                           (int)(items[i].key.n < 64 ? items[i].key.n : 64), items[i].key.p);
        }
    }
    *out = (struct vec){.items = items, .n = n};
    return 0;
}

static struct span user_of(struct span info)
{
    struct span user = SPAN("");
    struct pb_reader reader = pb_reader_of(info);
    struct pb_field f;
    while (pb_read_field(&reader, &f) == 1) {
        if (f.number == CLIENT_INFO_USER && f.wire == PB_BYTES) {
            user = f.bytes;
        }
    }
    return user;
}

static uint32_t count_users(const struct redisReply *r)
{
    struct htab users = {0};
    struct htab_node *nodes = mem_zalloc((r->elements / 2 + 1) * sizeof(*nodes));
    for (size_t i = 0; i < r->elements / 2; i++) {
        struct span user = user_of(engine__reply_text(r->element[2 * i + 1]));
        uint64_t hash = hash_span(user);
        if (htab_find(&users, user, hash) == NULL) {
            htab_add(&users, &nodes[i], user, hash);
        }
    }
    uint32_t count = (uint32_t)users.count;
    htab_fini(&users);
    free(nodes);
    return count;
}

int engine_presence_stats_read(const struct engine *e, const struct redisReply *r,
                               struct presence_stats_result *out, struct err *err)
{
    *out = (struct presence_stats_result){0};
    int rc = check_pairs(r, err);
    if (rc != 0) {
        return rc;
    }
    if (!e->presence_user_mapping) {
        out->num_clients = (uint32_t)(r->elements / 2);
        out->num_users = count_users(r);
        return 0;
    }
    uint64_t clients;
    uint64_t users;
    if (r->elements != 2 || engine__reply_u64(r->element[0], &clients) != 0 ||
        engine__reply_u64(r->element[1], &users) != 0) {
        return engine__reply_unexpected("the presence script", err);
    }
    *out = (struct presence_stats_result){.num_clients = (uint32_t)clients,
                                          .num_users = (uint32_t)users};
    return 0;
}
