/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread with a redis-server of its own; the test plays the workers, on the same loop.
 */
#pragma once

#include "tests/unit/unit.h"

#include "common/base/clk.h"
#include "common/base/err.h"
#include "pushd/control/control.h"
#include "tests/unit/bystander.h"
#include "tests/unit/redis_server.h"

#define WORKERS 70    /* more than one word of a set */
#define LONG_MS 60000 /* ends what hangs; no claim about speed */
/* Of the requests to Redis: so long that a busy machine does not make them fail, or as usual. */
#define PATIENT_MS 60000
#define USUAL_MS   1000

extern struct redis_server server;
extern struct redis_server second_server; /* running after control_test_begin_two only */
extern struct ev_loop *loop;
extern struct control *control;
extern bool reported; /* control said that it is ready */
extern bool stopped;  /* ... that all workers stopped */

/* What the workers got. */
struct got {
    unsigned messages[WORKERS];
    unsigned commands;
    unsigned resumed; /* channels that Redis sends again */
    char last[128];   /* JSON of the last message */
};
extern struct got got;

/* A request and what became of it. */
struct ask {
    bool done;
    int error;
    int64_t started_ms;
    int64_t took_ms;
    uint64_t offset;
    size_t found;
    struct presence_stats_result stats;
};

/* Starts redis-server (or two of them) and the loop; false when it is not installed. */
bool control_test_begin(void);
bool control_test_begin_two(void);
void control_test_end(void);

/* For cmocka: an empty Redis (or two, which share the channels) and a control that is connected to
 * it, with PATIENT_MS or USUAL_MS; without Redis; all torn down. */
int control_setup(void **state);
int control_setup_usual(void **state);
int control_setup_without_redis(void **state);
int control_teardown(void **state);
#define CONTROL_TEST(name) cmocka_unit_test_setup_teardown(name, control_setup, control_teardown)
#define CONTROL_TEST_USUAL(name) \
    cmocka_unit_test_setup_teardown(name, control_setup_usual, control_teardown)

void note_stopped(void *arg);

/* Turns the loop until the condition holds; fails the test when that takes longer, not counting
 * what the machine lost. */
#define RUN_UNTIL(condition, ms)                                                                  \
    for (int64_t run_end = clk_mono_ms() + (ms), run_lost = bystander_lost_ms(); !(condition);) { \
        if (clk_mono_ms() > run_end + bystander_slack_ms(run_lost)) {                             \
            fail_msg("not within %d ms: %s", (int)(ms), #condition);                              \
        }                                                                                         \
        ev_run(loop, EVRUN_ONCE);                                                                 \
    }

/* Posts a request of a worker; `a` has to stay until it is done. */
void post(enum bus_kind kind, const char *channel, uint16_t worker, struct ask *a);
/* BUS_HISTORY with a range of its own. */
void post_history(const char *channel, uint16_t worker, const struct engine_history *h,
                  struct ask *a);
/* Posts and waits. */
struct ask run(enum bus_kind kind, const char *channel);
int subscribe(const char *channel, uint16_t worker);
void unsubscribe(const char *channel, uint16_t worker);

/* One command from outside; its integer, the second element of two, or the number of elements. */
long long outside(const char *command);
long long outside_at(const struct redis_server *s, const char *command);
void publish_outside(const char *channel, const void *payload, size_t n);
/* A publication of the data 1. */
void publish_one(const char *channel);
void publish_one_at(const struct redis_server *s, const char *channel);
/* Messages of all workers. */
unsigned total(void);
