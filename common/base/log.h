/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one line an event, a message that people grep for and key=value pairs behind it. */
#pragma once

#include "common/base/str.h"

enum log_level {
    LOG_LEVEL_TRACE,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_FATAL,
    LOG_LEVEL_NONE,
};

/* Where a line comes from; printed in brackets. */
enum log_source {
    LOG_SERVER,
    LOG_CONFIG,
    LOG_CLIENT,
    LOG_REDIS,
    LOG_API,
    LOG_NODE,
    LOG_ADMIN,
    LOG_SOURCE_COUNT,
};

/* One key=value. Values are quoted and escaped as needed, so text from outside cannot forge a line.
 * Never pass a token, a key, a password or a payload. */
struct log_kv {
    const char *key; /* NULL ends the list */
    bool is_number;
    int64_t number;
    struct span text;
};

#define LOG_TEXT(k, s)   ((struct log_kv){.key = (k), .text = (s)})
#define LOG_STR(k, cstr) ((struct log_kv){.key = (k), .text = span_str(cstr)})
#define LOG_NUM(k, v)    ((struct log_kv){.key = (k), .is_number = true, .number = (int64_t)(v)})

extern enum log_level log_threshold; /* read it through log_is_on */

static inline bool log_is_on(enum log_level level)
{
    return level >= log_threshold;
}

/* Writes one line with one write(2). Thread-safe. `msg` is constant text. Prefer the macros: they
 * cost one comparison and evaluate nothing when the level is off. */
void log_write(enum log_level level, enum log_source source, const char *msg,
               const struct log_kv *kv);

#define LOG_AT(level, source, msg, ...)                                        \
    do {                                                                       \
        if (UNLIKELY(log_is_on(level))) {                                      \
            log_write((level), (source), (msg),                                \
                      (const struct log_kv[]){__VA_ARGS__ __VA_OPT__(, ){0}}); \
        }                                                                      \
    } while (0)

#define log_debug(source, msg, ...) LOG_AT(LOG_LEVEL_DEBUG, source, msg __VA_OPT__(, ) __VA_ARGS__)
#define log_info(source, msg, ...)  LOG_AT(LOG_LEVEL_INFO, source, msg __VA_OPT__(, ) __VA_ARGS__)
#define log_warn(source, msg, ...)  LOG_AT(LOG_LEVEL_WARN, source, msg __VA_OPT__(, ) __VA_ARGS__)
#define log_error(source, msg, ...) LOG_AT(LOG_LEVEL_ERROR, source, msg __VA_OPT__(, ) __VA_ARGS__)
#define log_fatal(source, msg, ...) LOG_AT(LOG_LEVEL_FATAL, source, msg __VA_OPT__(, ) __VA_ARGS__)

/* "info", "warn" ... as in log.level; ERR_UNKNOWN for another name. */
int log_level_parse(struct span name, enum log_level *out);

/* At start, before threads: the threshold, and where lines go: a file (appended, created 0640) or
 * NULL for stderr. On stderr the sd-daemon priority prefix "<6>" is written when JOURNAL_STREAM is
 * set. ERR_IO when the file cannot be opened. */
struct err;
int log_open(enum log_level level, const char *file, struct err *e);
/* Reopens the file after rotation; keeps the old one if that fails. */
void log_reopen(void);

/* Limits repeated lines: at most `burst` in each `period_ms`; *suppressed gets the number left out
 * since the last line that was let through (add it as a key). Not thread-safe: one per thread. */
struct log_limit {
    int64_t period_ms;
    uint32_t burst;
    int64_t started_ms;
    uint32_t used;
    uint32_t dropped;
};
bool log_limit_pass(struct log_limit *l, int64_t now_ms, uint32_t *suppressed);
