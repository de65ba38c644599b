/* SPDX-License-Identifier: Apache-2.0 */
/* Recovery: when a client has caught up, and with which publications. */
#include "pushd/worker/recovery.h"

#include "tests/unit/unit.h"

#define LIMIT 300

/* History from `first` to `last`, the top being `top`; in reverse for cache mode. */
static struct engine_history_result history(struct arena *a, uint64_t first, uint64_t last,
                                            uint64_t top, bool reverse)
{
    struct engine_history_result h = {.top = {.offset = top, .epoch = SPAN("ep")}};
    size_t n = last >= first ? last - first + 1 : 0;
    struct publication *pubs = arena_zalloc(a, n * sizeof(*pubs));
    for (size_t i = 0; i < n; i++) {
        pubs[i].offset = reverse ? last - i : first + i;
        pubs[i].data = SPAN("{}");
    }
    h.publications = (struct vec){pubs, n};
    return h;
}

static struct recovery asking(const struct chan_opts *o, uint64_t offset, struct span epoch,
                              struct arena *a)
{
    struct recovery r;
    struct engine_history ask = {0};
    struct subscribe_request wish = {.recover = true, .offset = offset, .epoch = epoch};
    recovery_init(&r, o, true, &wish, NULL, a);
    recovery_ask(&r, LIMIT, &ask);
    assert_int_equal(ask.reverse, r.is_cache);
    return r;
}

static void a_stream_is_recovered_only_without_a_hole_up_to_the_top(void **state)
{
    (void)state;
    static const struct {
        uint64_t since, first, last, top;
        const char *epoch;
        bool recovered;
        size_t publications;
    } rows[] = {
        {5, 6, 8, 8, "ep", true, 3},   /* all that was missed */
        {5, 6, 8, 8, "", true, 3},     /* any epoch */
        {8, 9, 8, 8, "ep", true, 0},   /* nothing missed */
        {0, 1, 0, 0, "", true, 0},     /* an empty stream from its beginning */
        {5, 6, 8, 8, "old", false, 0}, /* another stream */
        {5, 7, 9, 9, "ep", false, 0},  /* trimmed */
        {5, 6, 7, 9, "ep", false, 0},  /* more than one read may return */
        {9, 9, 8, 8, "ep", false, 0},  /* from the future */
        {5, 6, 5, 8, "ep", false, 0},  /* expired */
    };
    struct chan_opts o = {.force_recovery = true};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = {0};
        struct subscribe_result result = {.offset = rows[i].top};
        struct recovery r = asking(&o, rows[i].since, span_str(rows[i].epoch), &a);
        struct engine_history_result h =
            history(&a, rows[i].first, rows[i].last, rows[i].top, false);
        if (recovery_apply(&r, &h, &a, &result) != rows[i].recovered) {
            fail_msg("row %zu", i);
        }
        assert_int_equal(result.publications.n, rows[i].publications);
        /* The client advances by the publications from its own offset. */
        assert_int_equal(result.offset, rows[i].recovered ? rows[i].since : rows[i].top);
        arena_fini(&a);
    }
}

static void a_cache_recovers_with_the_newest_from_any_position(void **state)
{
    (void)state;
    static const struct {
        uint64_t since, last, top;
        const char *epoch;
        bool recovered;
        uint64_t delivered;
    } rows[] = {
        {1, 3, 3, "wrong", true, 3}, {0, 3, 3, "", true, 3},    {3, 3, 3, "ep", true, 0},
        {3, 3, 3, "old", true, 3},   {0, 0, 0, "", false, 0},   {3, 0, 3, "ep", true, 0},
        {1, 0, 3, "ep", false, 0},   {1, 2, 3, "ep", false, 0}, {3, 2, 3, "ep", false, 0},
    };
    struct chan_opts o = {.force_recovery = true, .force_recovery_mode = RECOVERY_CACHE};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a = {0};
        struct subscribe_result result = {0};
        struct recovery r = asking(&o, rows[i].since, span_str(rows[i].epoch), &a);
        struct engine_history_result h =
            history(&a, rows[i].last != 0 ? rows[i].last : 1, rows[i].last, rows[i].top, true);
        if (recovery_apply(&r, &h, &a, &result) != rows[i].recovered) {
            fail_msg("row %zu", i);
        }
        const struct publication *pubs = result.publications.items;
        assert_int_equal(result.publications.n != 0 ? pubs[0].offset : 0, rows[i].delivered);
        arena_fini(&a);
    }
}

static void a_wish_without_the_right_is_never_recovered(void **state)
{
    (void)state;
    struct arena a = {0};
    struct chan_opts o = {0};
    struct subscribe_request wish = {.recover = true};
    struct recovery r;
    struct subscribe_result result = {0};
    recovery_init(&r, &o, false, &wish, NULL, &a);
    struct engine_history_result h = history(&a, 1, 0, 0, false);
    assert_false(recovery_apply(&r, &h, &a, &result));
    arena_fini(&a);
}

static void flag_2_and_auto_recovery_depend_on_the_mode(void **state)
{
    (void)state;
    struct arena a = {0};
    struct subscribe_request wish = {.flag = SUBSCRIBE_REJECT_UNRECOVERED};
    for (int i = 0; i < 4; i++) {
        bool is_recoverable = (i & 1) != 0;
        bool is_cache = (i & 2) != 0;
        struct recovery r;
        struct chan_opts o = {.force_recovery_mode = is_cache ? RECOVERY_CACHE : RECOVERY_STREAM,
                              .auto_cache_recover = is_cache};
        recovery_init(&r, &o, is_recoverable, &wish, NULL, &a);
        assert_int_equal(r.rejects_unrecoverable, is_recoverable && !is_cache);
        assert_int_equal(r.is_wanted, is_recoverable && is_cache);
    }
    arena_fini(&a);
}

/* A patch to a publication that a filter held back would break the client. */
static void only_the_newest_is_a_base(void **state)
{
    (void)state;
    struct publication pubs[] = {{.offset = 6}, {.offset = 7}};
    struct subscribe_result result = {.publications = {pubs, 2}, .recovered = true};
    assert_true(recovery_gives_base(&result, 7));
    assert_false(recovery_gives_base(&result, 8));
    result.publications.n = 0;
    assert_false(recovery_gives_base(&result, 7));
    result = (struct subscribe_result){.publications = {pubs, 2}};
    assert_false(recovery_gives_base(&result, 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_recovered_only_without_a_hole_up_to_the_top),
        cmocka_unit_test(a_cache_recovers_with_the_newest_from_any_position),
        cmocka_unit_test(a_wish_without_the_right_is_never_recovered),
        cmocka_unit_test(flag_2_and_auto_recovery_depend_on_the_mode),
        cmocka_unit_test(only_the_newest_is_a_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
