/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files and what is said about them: each NAME.json has its messages in NAME.expect,
 * one a line. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/policy/conf.h"
#include "tests/unit/unit.h"

static const char *folder(void)
{
    static char path[4096];
    const char *root = getenv("UNIT_DATA_DIR");
    snprintf(path, sizeof(path), "%s/conf", root != NULL ? root : "tests/unit/data");
    return path;
}

static bool read_file(const char *dir, const char *name, struct buf *out)
{
    char path[4352];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        return false;
    }
    char block[4096];
    for (size_t n; (n = fread(block, 1, sizeof(block), f)) > 0;) {
        buf_add(out, block, n);
    }
    fclose(f);
    return true;
}

static void note(const char *text, void *out)
{
    buf_addf(out, "warning: %s\n", text);
}

/* All messages of loading, as NAME.expect has them. */
static void load(const char *name, const struct buf *text, struct buf *said)
{
    struct err e = {0};
    const struct conf_load_opts opts = {.path = name,
                                        .text = text->p != NULL ? text->p : "",
                                        .text_len = text->n,
                                        .warn = note,
                                        .warn_arg = said};
    struct conf *c = conf_load(&opts, &e);
    if (c == NULL) {
        buf_addf(said, "error: %s\n", e.text);
    }
    conf_free(c);
}

static bool check_case(const char *dir, const char *name)
{
    char base[256];
    snprintf(base, sizeof(base), "%.*s.expect", (int)(strlen(name) - 5), name);
    struct buf text = {0};
    struct buf expected = {0};
    struct buf said = {0};
    assert_true(read_file(dir, name, &text));
    load(name, &text, &said);
    bool is_there = read_file(dir, base, &expected);
    bool is_equal = is_there && span_eq(buf_span(&said), buf_span(&expected));
    if (!is_equal) {
        print_error("%s\n--- expected\n%s--- got\n%s", name,
                    is_there ? buf_cstr(&expected) : "(no file)\n", buf_cstr(&said));
    }
    buf_free(&text);
    buf_free(&expected);
    buf_free(&said);
    return is_equal;
}

static void every_file_gets_its_messages(void **state)
{
    (void)state;
    DIR *d = opendir(folder());
    assert_non_null(d);
    unsigned count = 0;
    unsigned wrong = 0;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        size_t n = strlen(entry->d_name);
        if (n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0) {
            count++;
            wrong += !check_case(folder(), entry->d_name);
        }
    }
    closedir(d);
    assert_true(count > 50);
    assert_int_equal(wrong, 0);
}

/* How many files of a folder load; -1 when there is no such folder. Warnings are allowed. */
static int load_folder(const char *dir)
{
    DIR *d = opendir(dir);
    int count = 0;
    if (d == NULL) {
        return -1;
    }
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        struct buf text = {0};
        struct buf said = {0};
        size_t n = strlen(entry->d_name);
        if (n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0) {
            assert_true(read_file(dir, entry->d_name, &text));
            load(entry->d_name, &text, &said);
            if (strstr(buf_cstr(&said), "error: ") != NULL ||
                strstr(buf_cstr(&said), "unknown option") != NULL) {
                fail_msg("%s", buf_cstr(&said));
            }
            count++;
        }
        buf_free(&text);
        buf_free(&said);
    }
    closedir(d);
    return count;
}

static void the_sample_configuration_loads(void **state)
{
    (void)state;
    char dir[4200];
    snprintf(dir, sizeof(dir), "%s/../../../../etc", folder());
    assert_true(load_folder(dir) > 0);
}

/* Configurations of the reference server, whose options we all know. */
static void configurations_of_the_reference_load(void **state)
{
    (void)state;
    static const char *const folders[] = {"golden/configs", "compat"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        char dir[4300];
        snprintf(dir, sizeof(dir), "%s/../../../../../shared/%s", folder(), folders[i]);
        if (load_folder(dir) < 0) {
            print_message("%s is absent, skipped\n", dir);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_gets_its_messages),
        cmocka_unit_test(the_sample_configuration_loads),
        cmocka_unit_test(configurations_of_the_reference_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
