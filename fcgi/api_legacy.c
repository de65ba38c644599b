/* SPDX-License-Identifier: Apache-2.0 */
/* The single endpoint of older releases: {"method":..,"params":..} one after the other (server-api,
 * section 4). */
#include "fcgi/api.h"

#include "common/base/err.h"
#include "common/format/jscan.h"

/* Names that the reference knows and we do not serve: error 104 instead of 400. */
static const char *const foreign_names[] = {
    "connections",
    "update_user_status",
    "get_user_status",
    "delete_user_status",
    "block_user",
    "unblock_user",
    "revoke_token",
    "invalidate_user_tokens",
    "device_register",
    "device_update",
    "device_remove",
    "device_list",
    "device_topic_list",
    "device_topic_update",
    "user_topic_list",
    "user_topic_update",
    "send_push_notification",
    "update_push_status",
    "cancel_push",
    "map_publish",
    "map_remove",
    "map_read_state",
    "map_read_stream",
    "map_stats",
    "map_clear",
    "shared_poll_publish",
};

struct legacy_command {
    uint32_t id;
    const struct api_method *method; /* NULL: one that is not served */
    struct span params;              /* absent: none or null */
};

static int fail(struct schema_error *e, int rc, const char *what)
{
    *e = (struct schema_error){.what = what};
    return rc;
}

static int method_by_name(struct span name, const struct api_method **method,
                          struct schema_error *e)
{
    *method = NULL;
    for (size_t i = 0; i < api_method_count; i++) {
        if (api_methods[i].number >= 0 && span_eq_nocase(name, span_str(api_methods[i].name))) {
            *method = &api_methods[i];
            return 0;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(foreign_names); i++) {
        if (span_eq_nocase(name, span_str(foreign_names[i]))) {
            return 0;
        }
    }
    return fail(e, ERR_UNKNOWN, "method: unknown name");
}

static const struct api_method *method_by_number(uint64_t number)
{
    for (size_t i = 0; i < api_method_count; i++) {
        if (api_methods[i].number >= 0 && (uint64_t)api_methods[i].number == number) {
            return &api_methods[i];
        }
    }
    return NULL;
}

static int read_method(struct span value, enum jscan_kind kind, struct arena *a,
                       const struct api_method **method, struct schema_error *e)
{
    uint64_t number = 0;
    if (kind == JSCAN_STRING) {
        return method_by_name(jscan_string(jscan_unquote(value), a), method, e);
    }
    if (kind != JSCAN_NUMBER || span_to_u64(value, &number) != 0) {
        return fail(e, ERR_TYPE, "method: expected a name or a number");
    }
    *method = method_by_number(number);
    return 0;
}

static int read_member(struct span key, struct span value, enum jscan_kind kind, struct arena *a,
                       struct legacy_command *cmd, struct schema_error *e)
{
    uint64_t id = 0;
    struct span name = jscan_string(key, a);
    if (span_eq_nocase(name, SPAN("params"))) {
        cmd->params = kind == JSCAN_NULL ? (struct span){0} : value;
    } else if (kind != JSCAN_NULL && span_eq_nocase(name, SPAN("id"))) {
        if (kind != JSCAN_NUMBER || span_to_u64(value, &id) != 0 || id > UINT32_MAX) {
            return fail(e, ERR_TYPE, "id: expected an unsigned 32-bit integer");
        }
        cmd->id = (uint32_t)id;
    } else if (kind != JSCAN_NULL && span_eq_nocase(name, SPAN("method"))) {
        return read_method(value, kind, a, &cmd->method, e);
    }
    return 0;
}

static int read_command(struct jscan *s, struct arena *a, struct legacy_command *cmd,
                        struct schema_error *e)
{
    struct span object;
    struct span key;
    struct span value;
    enum jscan_kind kind;
    *cmd = (struct legacy_command){.method = method_by_number(0)};
    if (jscan_value(s, &object, &kind) != 0) {
        return fail(e, ERR_SYNTAX, "malformed JSON");
    }
    if (kind == JSCAN_NULL) {
        return 0;
    }
    if (kind != JSCAN_OBJECT) {
        return fail(e, ERR_TYPE, "expected a JSON object");
    }
    struct jscan members = jscan_enter(object);
    while (jscan_member(&members, &key, &value, &kind)) {
        int rc = read_member(key, value, kind, a, cmd, e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static struct perr_result run_command(struct api_ctx *c, const struct legacy_command *cmd,
                                      struct buf *out)
{
    if (cmd->method == NULL) {
        return api__error(PERR_METHOD_NOT_FOUND, "legacy.unknown_method", NULL);
    }
    const struct schema *schema = cmd->method->request;
    void *request = arena_zalloc(&c->arena, schema->size + 1);
    size_t consumed;
    bool needs_params = schema->count != 0;
    if (needs_params &&
        (cmd->params.p == NULL ||
         schema_json_decode(schema, cmd->params, &c->arena, request, &consumed, NULL) != 0)) {
        return api__error(PERR_BAD_REQUEST, "legacy.params", "params are missing or malformed");
    }
    return api__run(c, cmd->method, request, out);
}

static void answer(struct api_ctx *c, const struct legacy_command *cmd, struct buf *out)
{
    buf_add_char(out, '{');
    if (cmd->id != 0) {
        buf_add_str(out, "\"id\":");
        buf_add_u64(out, cmd->id);
        buf_add_char(out, ',');
    }
    size_t mark = out->n;
    buf_add_str(out, "\"result\":");
    struct perr_result rc = run_command(c, cmd, out);
    if (rc.code != 0) {
        api__log_error(c, cmd->method != NULL ? cmd->method->name : "", SPAN(""), &rc);
        out->n = mark;
        buf_add_str(out, "\"error\":");
        api__write_error(&rc, out);
    }
    buf_add_char(out, '}');
}

static int run_all(struct api_ctx *c, struct span body, struct buf *out, struct schema_error *e)
{
    struct jscan s = jscan_of(body);
    bool is_first = true;
    /* Commands run as they are read, so those before a malformed one have taken effect, as in the
     * reference. */
    while (!jscan_at_end(&s) && !c->is_unencodable) {
        struct legacy_command cmd;
        int rc = read_command(&s, &c->arena, &cmd, e);
        if (rc != 0) {
            return rc;
        }
        if (!is_first) {
            buf_add_char(out, '\n');
        }
        is_first = false;
        answer(c, &cmd, out);
        arena_reset(&c->arena);
    }
    return is_first && !c->is_unencodable ? fail(e, ERR_SYNTAX, "an empty body") : 0;
}

int api__legacy(struct api_ctx *c, struct span body, struct buf *out, struct schema_error *e)
{
    /* The commands get an arena of their own, emptied after each: many of them do not pile up
     * memory. */
    struct arena of_request = c->arena;
    c->arena = (struct arena){0};
    int rc = run_all(c, body, out, e);
    arena_fini(&c->arena);
    c->arena = of_request;
    return rc;
}
