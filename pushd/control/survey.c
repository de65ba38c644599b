/* SPDX-License-Identifier: Apache-2.0 */
/* Surveys of other nodes. */
#include "pushd/control/survey.h"

#include <stdlib.h>

#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/htab.h"
#include "common/base/mem.h"
#include "common/policy/channel.h"

#define OPEN_MAX 100 /* surveys that wait for workers; more are answered with an error */

enum {
    CODE_INTERNAL = 1,
    CODE_BAD_REQUEST = 2,
    CODE_METHOD_NOT_FOUND = 3
};

struct survey {
    struct list node;
    uint64_t id;
    struct arena arena; /* owns the rest */
    struct span asker;
    struct htab channels; /* of struct tally */
    uint16_t waiting;     /* workers that have not answered */
};

struct tally {
    struct htab_node node;
    struct channel_info info;
};

void surveys_init(struct surveys *s, struct bus *bus, survey_answer_fn answer, void *arg)
{
    *s = (struct surveys){.bus = bus, .answer = answer, .arg = arg};
    list_init(&s->open);
}

static void free_survey(struct surveys *s, struct survey *v)
{
    list_unlink(&v->node);
    s->count--;
    htab_fini(&v->channels);
    arena_fini(&v->arena);
    free(v);
}

void surveys_fini(struct surveys *s)
{
    LIST_FOR_EACH_SAFE(e, &s->open)
    {
        free_survey(s, LIST_ENTRY(e, struct survey, node));
    }
}

static void ask_workers(struct surveys *s, struct survey *v, struct span pattern)
{
    for (uint16_t i = 0; i < s->bus->workers; i++) {
        struct bus_channels *part = mem_zalloc(sizeof(*part));
        part->item.kind = BUS_CHANNELS;
        part->worker = i;
        part->survey = v;
        part->pattern = arena_dup(&part->arena, pattern);
        bus_post_worker(s->bus, i, &part->item);
    }
}

static void refuse(struct surveys *s, struct span asker, uint64_t id, uint32_t code)
{
    s->answer(s->arg, asker, &(struct survey_response){.id = id, .code = code});
}

static void ask_channels(struct surveys *s, struct span asker, const struct survey_request *request)
{
    struct survey *v = mem_zalloc(sizeof(*v));
    struct channels_survey question;
    list_init(&v->node);
    s->count++;
    if (schema_pb_decode(&channels_survey_schema, request->data, &v->arena, &question, NULL) != 0 ||
        (question.pattern.n != 0 && !glob_is_valid(question.pattern))) {
        refuse(s, asker, request->id, CODE_BAD_REQUEST);
        free_survey(s, v);
        return;
    }
    v->id = request->id;
    v->asker = arena_dup(&v->arena, asker);
    v->waiting = s->bus->workers;
    list_append(&s->open, &v->node);
    ask_workers(s, v, question.pattern);
}

void surveys_request(struct surveys *s, struct span asker, const struct survey_request *request)
{
    if (!span_eq_str(request->op, "channels")) {
        refuse(s, asker, request->id, CODE_METHOD_NOT_FOUND);
    } else if (s->count >= OPEN_MAX) {
        refuse(s, asker, request->id, CODE_INTERNAL);
    } else {
        ask_channels(s, asker, request);
    }
}

static void add_part(struct survey *v, const struct bus_channels *part)
{
    const struct kv_msg *items = part->found.items;
    for (size_t i = 0; i < part->found.n; i++) {
        const struct channel_info *info = items[i].msg;
        uint64_t hash = hash_span(items[i].key);
        struct htab_node *n = htab_find(&v->channels, items[i].key, hash);
        if (n == NULL) {
            struct tally *t = arena_zalloc(&v->arena, sizeof(*t));
            n = &t->node;
            htab_add(&v->channels, n, arena_dup(&v->arena, items[i].key), hash);
        }
        CONTAINER_OF(n, struct tally, node)->info.num_clients += info->num_clients;
    }
}

static bool collect(struct htab_node *n, void *arg)
{
    struct vec *channels = arg;
    struct tally *t = CONTAINER_OF(n, struct tally, node);
    ((struct kv_msg *)channels->items)[channels->n++] =
        (struct kv_msg){.key = n->key, .msg = &t->info};
    return true;
}

static void answer_channels(struct surveys *s, struct survey *v)
{
    struct channels_answer found = {
        .channels.items = arena_alloc(&v->arena, (v->channels.count + 1) * sizeof(struct kv_msg))};
    struct buf data = {0};
    htab_each(&v->channels, collect, &found.channels);
    schema_pb_encode(&channels_answer_schema, &found, &data);
    s->answer(s->arg, v->asker, &(struct survey_response){.id = v->id, .data = buf_span(&data)});
    buf_free(&data);
}

void surveys_part_take(struct surveys *s, struct bus_channels *part)
{
    struct survey *v = part->survey;
    add_part(v, part);
    bus_item_free(&part->item);
    if (--v->waiting == 0) {
        answer_channels(s, v);
        free_survey(s, v);
    }
}
