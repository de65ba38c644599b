/* SPDX-License-Identifier: Apache-2.0 */
/* The option tables, and that the manual page follows them. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/conf_page.h"
#include "tests/unit/unit.h"

static bool read_page(struct buf *page)
{
    char path[4352];
    const char *root = getenv("UNIT_DATA_DIR");
    snprintf(path, sizeof(path), "%s/../../../pushd/pushd.json.5",
             root != NULL ? root : "tests/unit/data");
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return false;
    }
    char block[4096];
    for (size_t n; (n = fread(block, 1, sizeof(block), f)) > 0;) {
        buf_add(page, block, n);
    }
    fclose(f);
    return true;
}

static unsigned count_missing(const struct conf_table *t, const char *page)
{
    unsigned missing = 0;
    for (size_t i = 0; i < t->n; i++) {
        struct buf entry = {0};
        conf_page_entry(&t->rows[i], &entry);
        if (strstr(page, buf_cstr(&entry)) == NULL) {
            print_error("pushd.json.5 lacks this entry:\n%s", buf_cstr(&entry));
            missing++;
        }
        buf_free(&entry);
    }
    return missing;
}

static void the_manual_page_has_every_option(void **state)
{
    (void)state;
    struct buf page = {0};
    assert_true(read_page(&page));
    const char *text = buf_cstr(&page);
    assert_int_equal(count_missing(&conf_rows, text), 0);
    assert_int_equal(count_missing(&conf_ns_rows, text), 0);
    assert_int_equal(count_missing(&conf_key_rows, text), 0);
    size_t items = 0;
    for (const char *p = text; (p = strstr(p, ".It Cm ")) != NULL; p++) {
        items++;
    }
    assert_int_equal(items, conf_rows.n + conf_ns_rows.n + conf_key_rows.n);
    buf_free(&page);
}

static void rows_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < conf_rows.n; i++) {
        const struct conf_row *row = &conf_rows.rows[i];
        struct span path = span_str(row->path);
        assert_ptr_equal(conf_row_find(&conf_rows, path), row);
        assert_false(conf_row_is_object(&conf_rows, path));
        assert_null(conf_foreign_find(path));
        assert_true(row->kind != CONF_ENUM || row->words != NULL);
        assert_non_null(row->help);
        assert_true(row->help[strlen(row->help) - 1] == '.');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manual_page_has_every_option),
        cmocka_unit_test(rows_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
