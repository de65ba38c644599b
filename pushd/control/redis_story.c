/* SPDX-License-Identifier: Apache-2.0 */
/* What the log and the health page tell of Redis. */
#include "pushd/control/redis_story.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/clk.h"
#include "common/engine/engine.h"

#define REPEAT_MS  10000 /* the same trouble is told again after this time */
#define REFUSAL_MS 30000 /* and an answer that was an error is remembered for this time */

/* The next trouble is told at once. */
static void forget(struct redis_story *s)
{
    const struct log_limit limit = {.period_ms = REPEAT_MS, .burst = 1, .started_ms = -REPEAT_MS};
    s->dials = limit;
    s->losses = limit;
    s->answers = limit;
    s->is_down = false;
    s->error[0] = '\0';
}

void redis_story_init(struct redis_story *s, const char *network, const char *address,
                      unsigned links)
{
    *s = (struct redis_story){.address = address, .network = network, .links = links};
    forget(s);
}

static void report(struct redis_story *s)
{
    if (!s->was_reported) {
        s->was_reported = true;
        if (s->reported != NULL) {
            s->reported(s->arg);
        }
    }
}

/* The words of Redis and of the system stand in the message itself, which is not escaped. */
static void keep(char text[REDIS_STORY_TEXT], const char *fmt, ...) PRINTF_LIKE(2, 3);

static void keep(char text[REDIS_STORY_TEXT], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, REDIS_STORY_TEXT, fmt, args);
    va_end(args);
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f) {
            *p = '?';
        }
    }
}

static void went_down(struct redis_story *s)
{
    if (!s->is_down) {
        s->is_down = true;
        s->down_ms = clk_mono_ms();
    }
}

void redis_story_up(struct redis_story *s)
{
    s->up++;
    if (s->up < s->links) {
        return;
    }
    if (s->is_down) {
        log_info(LOG_REDIS, "redis connected", LOG_STR("address", s->address),
                 LOG_NUM("outage_ms", clk_mono_ms() - s->down_ms));
    } else {
        log_info(LOG_REDIS, "redis connected", LOG_STR("address", s->address));
    }
    forget(s);
    report(s);
}

static void tell(const struct redis_story *s, const char *text, struct log_limit *limit,
                 const char *role)
{
    uint32_t suppressed = 0;
    if (!log_limit_pass(limit, clk_mono_ms(), &suppressed)) {
        return;
    }
    char line[REDIS_STORY_TEXT + 32];
    snprintf(line, sizeof(line), "redis error: %s", text);
    if (role != NULL) {
        log_error(LOG_REDIS, line, LOG_STR("address", s->address), LOG_STR("connection", role));
    } else {
        log_error(LOG_REDIS, line, LOG_STR("address", s->address),
                  LOG_NUM("suppressed", suppressed));
    }
}

void redis_story_lost(struct redis_story *s, const char *role, const char *why)
{
    s->up--;
    went_down(s);
    keep(s->error, "the connection was lost: %s", why);
    tell(s, s->error, &s->losses, role);
}

void redis_story_dial_failed(struct redis_story *s, const char *why)
{
    went_down(s);
    uint32_t suppressed = 0;
    keep(s->error, "dial %s %s: %s", s->network, s->address, why);
    if (log_limit_pass(&s->dials, clk_mono_ms(), &suppressed)) {
        char line[sizeof(s->error) + 32];
        snprintf(line, sizeof(line), "error creating engine: %s", s->error);
        log_error(LOG_REDIS, line, LOG_NUM("attempts", suppressed + 1),
                  LOG_STR("next", "trying again until Redis answers"));
    }
    report(s);
}

void redis_story_refused(struct redis_story *s, const char *why)
{
    went_down(s);
    const char *advice = engine_error_advice(span_str(why));
    keep(s->error, "Redis does not let us in: %s%s%s", why, advice != NULL ? "; " : "",
         advice != NULL ? advice : "");
    tell(s, s->error, &s->losses, NULL);
    report(s);
}

void redis_story_answer(struct redis_story *s, const char *what, const char *why)
{
    keep(s->refusal, "%s: %s", what, why);
    s->refusal_ms = clk_mono_ms();
    tell(s, s->refusal, &s->answers, NULL);
}

const char *redis_story_refusal(const struct redis_story *s)
{
    return *s->refusal != '\0' && clk_mono_ms() - s->refusal_ms < REFUSAL_MS ? s->refusal : "";
}

enum control_redis_state redis_story_state(const struct redis_story *s)
{
    if (s->up == s->links) {
        return CONTROL_REDIS_READY;
    }
    return s->is_down ? CONTROL_REDIS_DOWN : CONTROL_REDIS_CONNECTING;
}
