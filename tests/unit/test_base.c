/* SPDX-License-Identifier: Apache-2.0 */
/* Claims about the small modules of common/base: arena, backoff, clocks, errors, hashes, lists,
 * secrets, random bytes. */
#include <string.h>

#include "common/base/arena.h"
#include "common/base/backoff.h"
#include "common/base/clk.h"
#include "common/base/err.h"
#include "common/base/hash.h"
#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/base/rnd.h"

#include "tests/unit/unit.h"

static void arena_memory_is_aligned_and_disjoint(void **state)
{
    (void)state;
    struct arena a = {0};
    unsigned char *pieces[300];
    for (size_t size = 0; size < ARRAY_LEN(pieces); size++) {
        pieces[size] = arena_alloc(&a, size);
        assert_int_equal((uintptr_t)pieces[size] % _Alignof(max_align_t), 0);
        memset(pieces[size], (int)(size & 0xff), size);
    }
    for (size_t size = 0; size < ARRAY_LEN(pieces); size++) {
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(pieces[size][i], size & 0xff);
        }
    }
    arena_fini(&a);
    assert_null(a.blocks);
}

static void arena_takes_pieces_larger_than_a_block(void **state)
{
    (void)state;
    struct arena a = {0};
    char *big = arena_zalloc(&a, 100000);
    assert_int_equal(big[99999], 0);
    memset(big, 1, 100000);
    char *small = arena_strdup(&a, SPAN("after"));
    assert_string_equal(small, "after");
    assert_int_equal(big[99999], 1);
    arena_reset(&a);
    assert_string_equal(arena_strdup(&a, SPAN("again")), "again");
    arena_fini(&a);
}

static void arena_dup_keeps_absent_absent(void **state)
{
    (void)state;
    struct arena a = {0};
    assert_null(arena_dup(&a, (struct span){0}).p);
    struct span empty = arena_dup(&a, SPAN(""));
    assert_non_null(empty.p);
    assert_int_equal(empty.n, 0);
    arena_fini(&a);
}

static void backoff_doubles_up_to_its_maximum(void **state)
{
    (void)state;
    static const uint32_t want[] = {100, 200, 400, 800, 1000, 1000, 1000};
    struct backoff b = {.min_ms = 100, .max_ms = 1000};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        uint32_t d = backoff_next_ms(&b);
        assert_in_range(d, want[i] / 2, want[i]);
    }
    backoff_reset(&b);
    assert_in_range(backoff_next_ms(&b), 50, 100);
}

static void backoff_survives_a_year_of_failures(void **state)
{
    (void)state;
    struct backoff b = {.min_ms = 1, .max_ms = UINT32_MAX, .failures = UINT32_MAX - 1};
    for (int i = 0; i < 4; i++) {
        assert_true(backoff_next_ms(&b) <= UINT32_MAX);
    }
    struct backoff none = {.min_ms = 0, .max_ms = 0};
    assert_int_equal(backoff_next_ms(&none), 0);
}

static void backoff_jitters(void **state)
{
    (void)state;
    uint32_t lowest = UINT32_MAX;
    uint32_t highest = 0;
    for (int i = 0; i < 200; i++) {
        struct backoff b = {.min_ms = 1000, .max_ms = 1000};
        uint32_t d = backoff_next_ms(&b);
        lowest = d < lowest ? d : lowest;
        highest = d > highest ? d : highest;
    }
    assert_true(highest - lowest > 100);
}

static void clocks_can_be_faked_and_given_back(void **state)
{
    (void)state;
    clk_fake(5000, 1700000000123);
    assert_int_equal(clk_mono_ms(), 5000);
    assert_int_equal(clk_mono_us(), 5000000);
    assert_int_equal(clk_wall_ms(), 1700000000123);
    assert_int_equal(clk_wall_s(), 1700000000);
    clk_fake(-1, -1);
    int64_t before = clk_mono_us();
    assert_true(clk_mono_us() >= before);
    assert_true(clk_wall_s() > 1700000000);
}

static void errors_carry_code_and_text(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(err_set(&e, ERR_RANGE, "port %d", 99999), ERR_RANGE);
    assert_string_equal(e.text, "port 99999");
    assert_int_equal(err_prefix(&e, "line %d", 3), ERR_RANGE);
    assert_string_equal(e.text, "line 3: port 99999");
    assert_int_equal(err_set(NULL, ERR_IO, "nobody reads this"), ERR_IO);
}

static void long_error_texts_are_cut(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct err e;
    err_set(&e, ERR_IO, "%s", text);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
    err_prefix(&e, "prefix");
    assert_memory_equal(e.text, "prefix: xxx", 11);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
    err_prefix(&e, "%s", text);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

static void every_error_code_has_a_text(void **state)
{
    (void)state;
    for (int code = ERR_INTERNAL; code <= 0; code++) {
        assert_non_null(err_text(code));
        assert_string_not_equal(err_text(code), "unknown error");
    }
    assert_string_equal(err_text(-9999), "unknown error");
    assert_string_equal(err_text(1), "unknown error");
}

static void fnv_gives_its_published_values(void **state)
{
    (void)state;
    assert_true(hash_fnv1a64(SPAN("")) == 0xcbf29ce484222325ULL);
    assert_true(hash_fnv1a64(SPAN("a")) == 0xaf63dc4c8601ec8cULL);
    assert_true(hash_fnv1a64(SPAN("foobar")) == 0x85944171f73967e8ULL);
}

static void keyed_hash_depends_on_every_byte(void **state)
{
    (void)state;
    char text[40] = {0};
    for (size_t n = 0; n < sizeof(text); n++) {
        uint64_t h = hash_span(span_of(text, n));
        assert_true(h == hash_span(span_of(text, n)));
        assert_true(h != hash_span(span_of(text, n + 1)));
        for (size_t i = 0; i < n; i++) {
            text[i] = 1;
            assert_true(h != hash_span(span_of(text, n)));
            text[i] = 0;
        }
    }
}

struct item {
    int value;
    struct list link;
};

static void list_keeps_its_order(void **state)
{
    (void)state;
    struct list head;
    struct list other;
    list_init(&head);
    list_init(&other);
    struct item items[4] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}};
    list_append(&head, &items[0].link);
    list_append(&head, &items[1].link);
    list_append(&other, &items[2].link);
    list_append(&other, &items[3].link);
    list_move_all(&head, &other);
    assert_true(list_is_empty(&other));
    int want = 0;
    LIST_FOR_EACH(e, &head)
    {
        assert_int_equal(LIST_ENTRY(e, struct item, link)->value, want++);
    }
    assert_int_equal(want, 4);
    list_move_all(&head, &other); /* nothing to move */
    LIST_FOR_EACH_SAFE(e, &head)
    {
        if (LIST_ENTRY(e, struct item, link)->value % 2 == 0) {
            list_unlink(e);
        }
    }
    list_unlink(&items[0].link); /* twice is harmless */
    assert_ptr_equal(list_shift(&head), &items[1].link);
    assert_ptr_equal(list_shift(&head), &items[3].link);
    assert_null(list_shift(&head));
}

static void secrets_compare_by_content_and_length(void **state)
{
    (void)state;
    assert_true(mem_eq_secret("key", 3, "key", 3));
    assert_false(mem_eq_secret("key", 3, "kex", 3));
    assert_false(mem_eq_secret("key", 3, "ke", 2));
    assert_false(mem_eq_secret("key", 3, "keykey", 6)); /* the compared text repeats the secret */
    assert_false(mem_eq_secret("key", 3, "", 0));
    assert_false(mem_eq_secret("", 0, "\xa5", 1));
}

static void wiped_memory_is_zero(void **state)
{
    (void)state;
    char secret[16];
    memset(secret, 's', sizeof(secret));
    mem_wipe(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++) {
        assert_int_equal(secret[i], 0);
    }
}

static void uuids_are_version_4_and_differ(void **state)
{
    (void)state;
    char a[RND_UUID_LEN + 1];
    char b[RND_UUID_LEN + 1];
    for (int i = 0; i < 100; i++) {
        rnd_uuid(a);
        rnd_uuid(b);
        assert_int_equal(strlen(a), RND_UUID_LEN);
        assert_int_equal(a[14], '4');
        assert_non_null(strchr("89ab", a[19]));
        assert_true(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-');
        assert_int_equal(strspn(a, "0123456789abcdef-"), RND_UUID_LEN);
        assert_string_not_equal(a, b);
    }
}

static void epochs_are_eight_letters(void **state)
{
    (void)state;
    char epoch[RND_EPOCH_LEN + 1];
    for (int i = 0; i < 100; i++) {
        rnd_epoch(epoch);
        assert_int_equal(strspn(epoch, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
                         RND_EPOCH_LEN);
        assert_int_equal(strlen(epoch), RND_EPOCH_LEN);
    }
}

static void random_numbers_stay_below_their_bound(void **state)
{
    (void)state;
    bool seen[7] = {false};
    for (int i = 0; i < 1000; i++) {
        uint32_t v = rnd_below(7);
        assert_true(v < 7);
        seen[v] = true;
    }
    for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
        assert_true(seen[i]);
    }
    unsigned char large[2000] = {0};
    rnd_bytes(large, sizeof(large)); /* more than the pool holds */
    size_t zeros = 0;
    for (size_t i = 0; i < sizeof(large); i++) {
        zeros += large[i] == 0;
    }
    assert_true(zeros < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_memory_is_aligned_and_disjoint),
        cmocka_unit_test(arena_takes_pieces_larger_than_a_block),
        cmocka_unit_test(arena_dup_keeps_absent_absent),
        cmocka_unit_test(backoff_doubles_up_to_its_maximum),
        cmocka_unit_test(backoff_survives_a_year_of_failures),
        cmocka_unit_test(backoff_jitters),
        cmocka_unit_test(clocks_can_be_faked_and_given_back),
        cmocka_unit_test(errors_carry_code_and_text),
        cmocka_unit_test(long_error_texts_are_cut),
        cmocka_unit_test(every_error_code_has_a_text),
        cmocka_unit_test(fnv_gives_its_published_values),
        cmocka_unit_test(keyed_hash_depends_on_every_byte),
        cmocka_unit_test(list_keeps_its_order),
        cmocka_unit_test(secrets_compare_by_content_and_length),
        cmocka_unit_test(wiped_memory_is_zero),
        cmocka_unit_test(uuids_are_version_4_and_differ),
        cmocka_unit_test(epochs_are_eight_letters),
        cmocka_unit_test(random_numbers_stay_below_their_bound),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
