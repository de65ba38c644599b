/* SPDX-License-Identifier: Apache-2.0 */
/* The log. */
#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/mem.h"

#define LOG_LINE_BYTES  2048
#define LOG_VALUE_BYTES 512

static const struct {
    const char *name; /* as in log.level */
    const char *tag;
    char priority; /* of syslog, for the journal */
} levels[] = {
    [LOG_LEVEL_TRACE] = {"trace", "TRC", '7'}, [LOG_LEVEL_DEBUG] = {"debug", "DBG", '7'},
    [LOG_LEVEL_INFO] = {"info", "INF", '6'},   [LOG_LEVEL_WARN] = {"warn", "WRN", '4'},
    [LOG_LEVEL_ERROR] = {"error", "ERR", '3'}, [LOG_LEVEL_FATAL] = {"fatal", "FTL", '2'},
    [LOG_LEVEL_NONE] = {"none", "", '7'},
};

static const char *const sources[LOG_SOURCE_COUNT] = {
    [LOG_SERVER] = "server", [LOG_CONFIG] = "config", [LOG_CLIENT] = "client",
    [LOG_REDIS] = "redis",   [LOG_API] = "api",       [LOG_NODE] = "node",
    [LOG_ADMIN] = "admin",
};

enum log_level log_threshold = LOG_LEVEL_INFO;
static int log_fd = STDERR_FILENO;
static char *log_path;
static bool with_priority;

int log_level_parse(struct span name, enum log_level *out)
{
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (span_eq_str(name, levels[i].name)) {
            *out = (enum log_level)i;
            return 0;
        }
    }
    return ERR_UNKNOWN;
}

int log_open(enum log_level level, const char *file, struct err *e)
{
    log_threshold = level;
    with_priority = (file == NULL || *file == '\0') && getenv("JOURNAL_STREAM") != NULL;
    if (file == NULL || *file == '\0') {
        return 0;
    }
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        return err_set(e, ERR_IO, "cannot open the log file %s: %s", file, strerror(errno));
    }
    free(log_path);
    log_path = mem_strdup(file);
    log_fd = fd;
    return 0;
}

void log_reopen(void)
{
    if (log_path == NULL) {
        return;
    }
    int fd = open(log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        log_error(LOG_SERVER, "cannot reopen the log file, the old one stays in use",
                  LOG_STR("file", log_path), LOG_STR("error", strerror(errno)));
        return;
    }
    /* dup2 keeps the number, so other threads never write to a closed descriptor. */
    dup2(fd, log_fd);
    close(fd);
}

/* What is not UTF-8 is escaped: journald would show the whole line as binary data. */
static bool needs_quotes(struct span s)
{
    if (s.n == 0 || !span_is_utf8(s)) {
        return true;
    }
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) {
            return true;
        }
    }
    return false;
}

/* Length of the character above ASCII at s.p, 1 when its bytes are not UTF-8. */
static size_t wide_length(struct span s)
{
    for (size_t len = 2; len <= 4 && len <= s.n; len++) {
        if (span_is_utf8(span_of(s.p, len))) {
            return len;
        }
    }
    return 1;
}

static void add_quoted(struct buf *b, struct span s)
{
    buf_add_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        size_t len = c < 0x80 ? 1 : wide_length(span_from(s, i));
        if (len > 1) {
            buf_add(b, s.p + i, len);
            i += len - 1;
            continue;
        }
        if (c == '"' || c == '\\') {
            buf_add_char(b, '\\');
            buf_add_char(b, (char)c);
        } else if (c == '\n') {
            buf_add_str(b, "\\n");
        } else if (c < ' ' || c >= 0x7f) {
            buf_addf(b, "\\x%02x", c);
        } else {
            buf_add_char(b, (char)c);
        }
    }
    buf_add_char(b, '"');
}

static void add_value(struct buf *b, const struct log_kv *kv)
{
    if (kv->is_number) {
        buf_add_i64(b, kv->number);
        return;
    }
    struct span s = kv->text;
    if (s.n > LOG_VALUE_BYTES) {
        s.n = LOG_VALUE_BYTES;
    }
    if (needs_quotes(s)) {
        add_quoted(b, s);
    } else {
        buf_add_span(b, s);
    }
}

static void add_time(struct buf *b)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    struct tm tm;
    gmtime_r(&ts.tv_sec, &tm);
    char text[32];
    size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    buf_add(b, text, n);
    buf_addf(b, ".%03dZ ", (int)(ts.tv_nsec / 1000000));
}

void log_write(enum log_level level, enum log_source source, const char *msg,
               const struct log_kv *kv)
{
    char storage[LOG_LINE_BYTES];
    /* A fixed buffer: what does not fit is left out, a full line is never lost. */
    struct buf b = {.p = storage, .cap = sizeof(storage), .max = sizeof(storage) - 1};
    if (with_priority) {
        buf_addf(&b, "<%c>", levels[level].priority);
    } else {
        add_time(&b);
    }
    buf_addf(&b, "%s [%s] %s", levels[level].tag, sources[source], msg);
    for (; kv != NULL && kv->key != NULL; kv++) {
        size_t mark = b.n;
        buf_add_char(&b, ' ');
        buf_add_str(&b, kv->key);
        buf_add_char(&b, '=');
        add_value(&b, kv);
        if (b.failed) {
            b.n = mark;
            b.failed = false;
            break;
        }
    }
    storage[b.n++] = '\n';
    ssize_t ignored = write(log_fd, storage, b.n);
    (void)ignored; /* a full disk must not stop the service */
}

bool log_limit_pass(struct log_limit *l, int64_t now_ms, uint32_t *suppressed)
{
    if (now_ms - l->started_ms >= l->period_ms) {
        l->started_ms = now_ms;
        l->used = 0;
    }
    if (l->used >= l->burst) {
        l->dropped++;
        return false;
    }
    l->used++;
    *suppressed = l->dropped;
    l->dropped = 0;
    return true;
}
