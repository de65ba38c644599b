/* SPDX-License-Identifier: Apache-2.0 */
/* batch: many commands in one request; neighbouring publications share a pipeline (server-api,
 * section 3.14). */
#include "fcgi/api.h"

#include "common/base/err.h"
#include "common/format/jscan.h"

#define GROUP_MAX   128
#define METHODS_MAX 16

struct batch {
    struct api_ctx *c;
    struct buf *out;
    size_t replies;
    /* Publications that wait for their pipeline. */
    struct api_publication_item group[GROUP_MAX];
    size_t group_n;
};

static int fail(struct schema_error *e, int rc, const char *what)
{
    *e = (struct schema_error){.what = what};
    return rc;
}

static bool is_member(struct span raw_key, const char *name, struct arena *a)
{
    return span_eq_nocase(jscan_string(raw_key, a), span_str(name));
}

/* Finds the list of commands: absent (p == NULL) when there is none. */
static int find_commands(struct span body, struct arena *a, struct span *list,
                         struct schema_error *e)
{
    struct jscan s = jscan_of(body);
    struct span value;
    struct span key;
    enum jscan_kind kind;
    *list = (struct span){0};
    if (jscan_value(&s, &value, &kind) != 0 || !jscan_at_end(&s)) {
        return fail(e, ERR_SYNTAX, "malformed JSON");
    }
    if (kind == JSCAN_NULL) {
        return 0;
    }
    if (kind != JSCAN_OBJECT) {
        return fail(e, ERR_TYPE, "expected a JSON object");
    }
    s = jscan_enter(value);
    while (jscan_member(&s, &key, &value, &kind)) {
        if (is_member(key, "commands", a)) {
            if (kind != JSCAN_ARRAY && kind != JSCAN_NULL) {
                return fail(e, ERR_TYPE, "commands: expected a list");
            }
            *list = kind == JSCAN_ARRAY ? value : (struct span){0};
        } else if (is_member(key, "parallel", a) && kind != JSCAN_BOOL && kind != JSCAN_NULL) {
            return fail(e, ERR_TYPE, "parallel: expected true or false");
        }
    }
    return 0;
}

static size_t method_index(struct span name)
{
    for (size_t i = 0; i < api_method_count; i++) {
        if (api_methods[i].in_batch && span_eq_nocase(name, span_str(api_methods[i].name))) {
            return i;
        }
    }
    return api_method_count;
}

/* Decodes one command. Of several members the first row of the table counts, but all of them have
 * to be well typed. *method stays NULL when no known one is present. */
static int decode_command(struct span command, struct arena *a, const struct api_method **method,
                          void **request, struct schema_error *e)
{
    struct span values[METHODS_MAX] = {{0}};
    struct jscan s = jscan_enter(command);
    struct span key;
    struct span value;
    enum jscan_kind kind;
    *method = NULL;
    while (jscan_member(&s, &key, &value, &kind)) {
        size_t i = method_index(jscan_string(key, a));
        if (i < api_method_count) {
            values[i] = kind == JSCAN_NULL ? (struct span){0} : value;
        }
    }
    for (size_t i = 0; i < api_method_count; i++) {
        if (values[i].p == NULL) {
            continue;
        }
        size_t consumed;
        void *decoded = arena_zalloc(a, api_methods[i].request->size + 1);
        int rc = schema_json_decode(api_methods[i].request, values[i], a, decoded, &consumed, e);
        if (rc != 0) {
            return rc;
        }
        if (*method == NULL) {
            *method = &api_methods[i];
            *request = decoded;
        }
    }
    return 0;
}

/* As the reference, which decodes everything before it runs anything. */
static int check_all(struct span list, struct schema_error *e)
{
    struct arena a = {0};
    struct jscan s = jscan_enter(list);
    struct span command;
    enum jscan_kind kind;
    int rc = 0;
    while (rc == 0 && jscan_element(&s, &command, &kind)) {
        const struct api_method *method;
        void *request;
        if (kind == JSCAN_OBJECT) {
            rc = decode_command(command, &a, &method, &request, e);
            arena_reset(&a);
        } else if (kind != JSCAN_NULL) {
            rc = fail(e, ERR_TYPE, "commands: expected a list of objects");
        }
    }
    arena_fini(&a);
    return rc;
}

static void begin_reply(struct batch *b)
{
    if (b->replies++ != 0) {
        buf_add_char(b->out, ',');
    }
}

static void write_failure(struct batch *b, const char *method, struct span channel,
                          const struct perr_result *error)
{
    api__log_error(b->c, method, channel, error);
    buf_add_str(b->out, "{\"error\":");
    api__write_error(error, b->out);
    buf_add_char(b->out, '}');
}

static void begin_success(struct batch *b, const char *name)
{
    buf_add_str(b->out, "{\"");
    buf_add_str(b->out, name);
    buf_add_str(b->out, "\":");
}

static void flush_group(struct batch *b)
{
    api__publish_run_in_order(b->c, b->group, b->group_n);
    for (size_t i = 0; i < b->group_n; i++) {
        begin_reply(b);
        if (b->group[i].error.code != 0) {
            write_failure(b, "publish", b->group[i].request.channel, &b->group[i].error);
        } else {
            begin_success(b, "publish");
            api__publish_write(&b->group[i], b->out);
            buf_add_char(b->out, '}');
        }
    }
    b->group_n = 0;
    arena_reset(&b->c->arena);
}

static void add_publication(struct batch *b, const struct api_method *m,
                            const struct api_publish *p)
{
    struct api_publication_item *item = &b->group[b->group_n++];
    *item = (struct api_publication_item){0};
    struct perr_result rc = api__permit(b->c, m, p);
    if (rc.code == 0) {
        rc = api__publish_prepare(b->c, p, false, item);
    }
    item->error = rc;
    item->is_done = rc.code != 0;
}

static void run_command(struct batch *b, const struct api_method *m, const void *request)
{
    begin_reply(b);
    size_t mark = b->out->n;
    begin_success(b, m->name);
    struct perr_result rc = api__run(b->c, m, request, b->out);
    if (rc.code != 0) {
        b->out->n = mark;
        write_failure(b, m->name, api__channel_of(m, request), &rc);
    } else {
        buf_add_char(b->out, '}');
    }
    arena_reset(&b->c->arena);
}

static void run_all(struct batch *b, struct span list)
{
    struct jscan s = jscan_enter(list);
    struct span command;
    enum jscan_kind kind;
    while (jscan_element(&s, &command, &kind)) {
        const struct api_method *method = NULL;
        void *request = NULL;
        struct schema_error ignored;
        if (kind == JSCAN_OBJECT) { /* checked before: it decodes */
            decode_command(command, &b->c->arena, &method, &request, &ignored);
        }
        if (method != NULL && method->run == api__publish) {
            add_publication(b, method, request);
            if (b->group_n == GROUP_MAX) {
                flush_group(b);
            }
            continue;
        }
        if (b->group_n != 0 && method != NULL) {
            /* The group's memory goes with it, and this command was decoded into the same arena. */
            flush_group(b);
            decode_command(command, &b->c->arena, &method, &request, &ignored);
        } else if (b->group_n != 0) {
            flush_group(b);
        }
        if (method != NULL) {
            run_command(b, method, request);
            continue;
        }
        struct perr_result rc =
            kind == JSCAN_NULL ? api__error(PERR_BAD_REQUEST, "batch.null", "a command is null")
                               : api__error(PERR_METHOD_NOT_FOUND, "batch.unknown", NULL);
        begin_reply(b);
        write_failure(b, "", SPAN(""), &rc);
    }
    if (b->group_n != 0) {
        flush_group(b);
    }
}

int api__batch(struct api_ctx *c, struct span body, struct buf *out, struct schema_error *e)
{
    struct span list;
    int rc = find_commands(body, &c->arena, &list, e);
    if (rc == 0 && list.p != NULL) {
        rc = check_all(list, e);
    }
    if (rc != 0) {
        return rc;
    }
    if (list.p == NULL) {
        buf_add_str(out, "{}");
        return 0;
    }
    size_t mark = out->n;
    buf_add_str(out, "{\"replies\":[");
    /* The commands get an arena of their own, emptied between groups: a long batch does not pile up
     * memory. */
    struct arena of_request = c->arena;
    struct batch *b = arena_zalloc(&of_request, sizeof(*b));
    b->c = c;
    b->out = out;
    c->arena = (struct arena){0};
    run_all(b, list);
    size_t replies = b->replies;
    arena_fini(&c->arena);
    c->arena = of_request;
    if (replies == 0) {
        out->n = mark;
        buf_add_str(out, "{}");
    } else {
        buf_add_str(out, "]}");
    }
    return 0;
}
