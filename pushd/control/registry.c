/* SPDX-License-Identifier: Apache-2.0 */
/* The other nodes of the cluster. */
#include "pushd/control/registry.h"

#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define TEXT_MAX 512 /* of a uid, a name, a version */

struct peer {
    struct htab_node node;
    struct control_node facts; /* its texts are in text */
    int64_t heard_ms;
    char *text;
};

static void free_peer(struct registry *r, struct peer *p)
{
    htab_remove(&r->nodes, &p->node);
    free(p->text);
    free(p);
}

static struct span keep(char **at, struct span s)
{
    if (s.n != 0) {
        memcpy(*at, s.p, s.n);
    }
    s.p = *at;
    *at += s.n;
    return s;
}

static void set_facts(struct peer *p, const struct node_ping *ping)
{
    char *text = mem_alloc(ping->uid.n + ping->name.n + ping->version.n + 1);
    char *at = text;
    p->facts = (struct control_node){
        .uid = keep(&at, ping->uid),
        .name = keep(&at, ping->name),
        .version = keep(&at, ping->version),
        .num_clients = ping->num_clients,
        .num_users = ping->num_users,
        .num_channels = ping->num_channels,
        .num_subs = ping->num_subs,
        .uptime_s = ping->uptime,
    };
    free(p->text);
    p->text = text;
    p->node.key = p->facts.uid; /* the same bytes in their new place */
}

bool registry_heard(struct registry *r, const struct node_ping *ping, int64_t now_ms)
{
    if (ping->uid.n == 0 || ping->uid.n > TEXT_MAX || ping->name.n > TEXT_MAX ||
        ping->version.n > TEXT_MAX) {
        return false;
    }
    uint64_t hash = hash_span(ping->uid);
    struct htab_node *n = htab_find(&r->nodes, ping->uid, hash);
    bool is_new = n == NULL;
    struct peer *p = is_new ? mem_zalloc(sizeof(*p)) : CONTAINER_OF(n, struct peer, node);
    set_facts(p, ping);
    p->heard_ms = now_ms;
    if (is_new) {
        htab_add(&r->nodes, &p->node, p->facts.uid, hash);
        log_info(LOG_NODE, "node joined", LOG_TEXT("node", p->facts.uid),
                 LOG_TEXT("name", p->facts.name), LOG_TEXT("version", p->facts.version));
    }
    return is_new;
}

void registry_forget(struct registry *r, struct span uid)
{
    struct htab_node *n = htab_get(&r->nodes, uid);
    if (n != NULL) {
        struct peer *p = CONTAINER_OF(n, struct peer, node);
        log_info(LOG_NODE, "node left", LOG_TEXT("node", p->facts.uid),
                 LOG_TEXT("name", p->facts.name));
        free_peer(r, p);
    }
}

struct expiry {
    struct registry *registry;
    int64_t before_ms;
};

static bool expire_peer(struct htab_node *n, void *arg)
{
    const struct expiry *e = arg;
    struct peer *p = CONTAINER_OF(n, struct peer, node);
    if (p->heard_ms < e->before_ms) {
        log_warn(LOG_NODE, "node fell silent", LOG_TEXT("node", p->facts.uid),
                 LOG_TEXT("name", p->facts.name));
        free_peer(e->registry, p);
    }
    return true;
}

void registry_expire(struct registry *r, int64_t now_ms, int64_t silence_ms)
{
    htab_each(&r->nodes, expire_peer, &(struct expiry){r, now_ms - silence_ms});
}

struct visit {
    control_node_fn fn;
    void *arg;
    bool goes_on;
};

static bool visit_peer(struct htab_node *n, void *arg)
{
    struct visit *v = arg;
    v->goes_on = v->fn(&CONTAINER_OF(n, struct peer, node)->facts, v->arg);
    return v->goes_on;
}

bool registry_each(struct registry *r, control_node_fn fn, void *arg)
{
    struct visit v = {.fn = fn, .arg = arg, .goes_on = true};
    htab_each(&r->nodes, visit_peer, &v);
    return v.goes_on;
}

static bool drop_peer(struct htab_node *n, void *arg)
{
    free_peer(arg, CONTAINER_OF(n, struct peer, node));
    return true;
}

void registry_fini(struct registry *r)
{
    htab_each(&r->nodes, drop_peer, r);
    htab_fini(&r->nodes);
}
