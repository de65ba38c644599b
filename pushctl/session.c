/* SPDX-License-Identifier: Apache-2.0 */
/* A conversation in the client protocol that is printed as it happens. */
#include "pushctl/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "common/format/jscan.h"
#include "common/format/jwrite.h"
#include "common/protocol/perr.h"
#include "pushctl/token_show.h"
#include "pushctl/words.h"

#define CONNECT_ID        1
#define SHOWN_TOKEN_BYTES 12

static void print_line(const char *direction, struct span text)
{
    struct timespec ts;
    struct tm tm;
    char clock[32] = "";
    clock_gettime(CLOCK_REALTIME, &ts);
    if (localtime_r(&ts.tv_sec, &tm) != NULL) {
        strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
    }
    printf("%s.%03ld %s ", clock, ts.tv_nsec / 1000000, direction);
    words_print_clean(text);
    putchar('\n');
    fflush(stdout);
}

void session_note(const char *fmt, ...)
{
    struct buf b = {0};
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    words_add_clean(&b, span_str(text));
    printf("             # %s\n", buf_cstr(&b));
    fflush(stdout);
    buf_free(&b);
}

/* Tokens are secrets, and what a terminal shows ends up in reports. */
static void add_token(struct buf *sent, struct buf *shown, struct span token)
{
    buf_add_str(sent, "\"token\":");
    jwrite_string(sent, token);
    buf_addf(shown, "\"token\":\"%.*s...(%zu bytes)\"",
             (int)(token.n < SHOWN_TOKEN_BYTES ? token.n : SHOWN_TOKEN_BYTES), token.p, token.n);
}

static int send_command(struct session *s, struct buf *sent, struct buf *shown, struct err *e)
{
    print_line("->", buf_span(shown));
    int rc = ws_client_send_text(s->ws, buf_span(sent), e);
    buf_free(sent);
    buf_free(shown);
    return rc;
}

int session_start(struct session *s, struct err *e)
{
    struct buf sent = {0};
    struct buf shown = {0};
    struct buf *both[] = {&sent, &shown};
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        buf_addf(both[i], "{\"id\":%d,\"connect\":{", CONNECT_ID);
    }
    if (s->token.n != 0) {
        add_token(&sent, &shown, s->token);
    }
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        buf_addf(both[i], "%s\"name\":\"pushctl\"}}", s->token.n != 0 ? "," : "");
    }
    return send_command(s, &sent, &shown, e);
}

/* Commands number on from connect, so the id of a reply tells the channel. */
static int subscribe_all(struct session *s, struct err *e)
{
    int rc = 0;
    for (size_t i = 0; i < s->channel_count && rc == 0; i++) {
        struct buf sent = {0};
        struct buf shown = {0};
        struct buf *both[] = {&sent, &shown};
        for (size_t k = 0; k < ARRAY_LEN(both); k++) {
            buf_addf(both[k], "{\"id\":%zu,\"subscribe\":{\"channel\":", CONNECT_ID + 1 + i);
            jwrite_string(both[k], s->channels[i].name);
        }
        if (s->channels[i].token.n != 0) {
            buf_add_char(&sent, ',');
            buf_add_char(&shown, ',');
            add_token(&sent, &shown, s->channels[i].token);
        }
        buf_add_str(&sent, "}}");
        buf_add_str(&shown, "}}");
        rc = send_command(s, &sent, &shown, e);
    }
    return rc;
}

static uint64_t number_of(struct span object, const char *name, struct arena *a)
{
    uint64_t n = 0;
    struct span value = token_member(object, name, a);
    return value.p != NULL && span_to_u64(value, &n) == 0 ? n : 0;
}

static struct span text_of(struct span object, const char *name, struct arena *a)
{
    struct span value = token_member(object, name, a);
    return value.n >= 2 && value.p[0] == '"' ? jscan_string(jscan_unquote(value), a) : SPAN("");
}

static bool is_true(struct span object, const char *name, struct arena *a)
{
    return span_eq_str(token_member(object, name, a), "true");
}

static void advise(uint32_t code)
{
    const char *advice = words_advice(code);
    if (advice != NULL) {
        session_note("%s", advice);
    }
}

static void take_error(struct session *s, uint64_t id, struct span error, struct arena *a)
{
    uint32_t code = (uint32_t)number_of(error, "code", a);
    struct span message = text_of(error, "message", a);
    bool is_temporary = code < 100 || code == PERR_TOKEN_EXPIRED || is_true(error, "temporary", a);
    bool is_connect = id == CONNECT_ID;
    s->has_failed = true;
    s->is_over = s->is_over || is_connect;
    const char *after = is_temporary ? "would try again"
                        : is_connect ? "would stay disconnected"
                                     : "would not try again";
    if (is_connect || id - CONNECT_ID > s->channel_count) {
        session_note("refused with error %u %.*s; an SDK %s", code, SPAN_FMT(message), after);
    } else {
        session_note("%.*s was refused with error %u %.*s; an SDK %s",
                     SPAN_FMT(s->channels[id - CONNECT_ID - 1].name), code, SPAN_FMT(message),
                     after);
    }
    advise(code);
}

static int take_connect(struct session *s, struct span result, struct arena *a, struct err *e)
{
    struct span client = text_of(result, "client", a);
    s->ping_s = (int64_t)number_of(result, "ping", a);
    s->wants_pong = is_true(result, "pong", a);
    session_note("connected as client %.*s", SPAN_FMT(client));
    if (is_true(result, "expires", a)) {
        struct buf b = {0};
        words_add_duration(&b, (int64_t)number_of(result, "ttl", a));
        session_note(
            "the connection expires in %s; an SDK would refresh it then, this tool does not",
            buf_cstr(&b));
        buf_free(&b);
    }
    return subscribe_all(s, e);
}

static void take_push(struct session *s, struct span push, struct arena *a)
{
    struct span unsubscribe = token_member(push, "unsubscribe", a);
    if (unsubscribe.p != NULL && unsubscribe.p[0] == '{') {
        uint32_t code = (uint32_t)number_of(unsubscribe, "code", a);
        struct span channel = text_of(push, "channel", a);
        session_note(
            "the server ended the subscription to %.*s with %u; an SDK would %s", SPAN_FMT(channel),
            code, code >= PERR_UNSUBSCRIBE_INSUFFICIENT ? "subscribe again" : "leave it at that");
        s->has_failed = true;
    }
    s->publications += token_member(push, "pub", a).p != NULL;
}

static int take_message(struct session *s, struct span text, struct err *e)
{
    if (!jscan_is_valid(text) || span_trim(text).p[0] != '{') {
        session_note("this is not a JSON object; does a server of another kind answer here?");
        s->has_failed = true;
        return 0;
    }
    struct arena a = {0};
    text = span_trim(text);
    struct span push = token_member(text, "push", &a);
    struct span error = token_member(text, "error", &a);
    struct span connect = token_member(text, "connect", &a);
    uint64_t id = number_of(text, "id", &a);
    int rc = 0;
    if (id == 0 && push.p != NULL) {
        if (push.p[0] == '{') {
            take_push(s, push, &a);
        }
    } else if (id == 0) {
        if (s->wants_pong) {
            print_line("->", SPAN("{}"));
            rc = ws_client_send_text(s->ws, SPAN("{}"), e);
        }
    } else if (error.p != NULL && error.p[0] == '{') {
        take_error(s, id, error, &a);
    } else if (connect.p != NULL && connect.p[0] == '{') {
        rc = take_connect(s, connect, &a, e);
    }
    arena_fini(&a);
    return rc;
}

static void take_close(struct session *s, const struct ws_frame *f)
{
    struct buf b = {0};
    if (f->code == 1005) {
        buf_add_str(&b, "close");
    } else {
        buf_addf(&b, "close %u \"%.*s\"", f->code, SPAN_FMT(f->payload));
    }
    print_line("<-", buf_span(&b));
    buf_free(&b);
    s->is_over = true;
    s->has_failed = true;
    session_note("an SDK would %s", words_sdk_reconnects(f->code)
                                        ? "reconnect after a pause"
                                        : "stay disconnected: this code is final");
    const struct perr_row *row = perr_row(f->code);
    if (row != NULL && !span_starts(f->payload, span_str(row->text))) {
        session_note("%u means %s", f->code, row->text);
    }
    advise(f->code);
}

static int take_text(struct session *s, struct span text, struct err *e)
{
    struct span line;
    int rc = 0;
    while (rc == 0 && !s->is_over && span_split(&text, '\n', &line)) {
        print_line("<-", line);
        rc = take_message(s, line, e);
    }
    return rc;
}

int session_take(struct session *s, const struct ws_frame *f, struct err *e)
{
    switch (f->kind) {
    case WS_TEXT:
        return take_text(s, f->payload, e);
    case WS_BINARY:
        print_line("<-", SPAN("(binary frame)"));
        session_note("this tool speaks JSON only");
        return 0;
    case WS_PING:
        print_line("<-", SPAN("(WebSocket ping)"));
        print_line("->", SPAN("(WebSocket pong)"));
        return ws_client_send_pong(s->ws, f->payload, e);
    case WS_PONG:
        print_line("<-", SPAN("(WebSocket pong)"));
        return 0;
    case WS_CLOSE:
        take_close(s, f);
        return 0;
    }
    return 0;
}
