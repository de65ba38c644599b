/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations: a JSON text, and behind a NUL byte environment variables, one in a line. */
#include "common/format/jscan.h"
#include "common/policy/channel.h"
#include "tests/fuzz/fuzz_util.h"

#define VARIABLES_MAX 16

static void require_line(const char *text, void *arg)
{
    (void)arg;
    for (; *text != '\0'; text++) {
        fuzz_require((unsigned char)*text >= 0x20, "a warning is one line");
    }
}

static struct conf *load(struct span text, char *const *environ, struct err *e)
{
    const struct conf_load_opts opts = {
        .text = text.p, .text_len = text.n, .environ = environ, .warn = require_line};
    return conf_load(&opts, e);
}

/* What is printed can be loaded, and prints the same again. */
static void require_round_trip(const struct conf *c)
{
    struct err e = {0};
    struct buf first = {0};
    struct buf second = {0};
    conf_print(c, true, &first);
    fuzz_require(jscan_is_valid(buf_span(&first)), "the print is JSON");
    struct conf *again = load(buf_span(&first), NULL, &e);
    if (again == NULL) {
        fprintf(stderr, "%s\n%.*s\n", e.text, SPAN_FMT(buf_span(&first)));
    }
    fuzz_require(again != NULL, "the print is a configuration");
    conf_print(again, true, &second);
    fuzz_require_equal(&first, &second, "the print of the print is the same");
    conf_free(again);
    buf_free(&first);
    buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = span_of(data, size);
    size_t end = span_find(all, '\0', 0);
    struct span rest = span_from(all, end + 1);
    struct span line;
    char *environ[VARIABLES_MAX + 1] = {NULL};
    size_t n = 0;
    while (n < VARIABLES_MAX && rest.n > 0 && span_split(&rest, '\n', &line)) {
        environ[n++] = span_dup(line);
    }
    struct err e = {0};
    struct conf *c = load(span_of(data != NULL ? (const char *)data : "", end), environ, &e);
    if (c != NULL) {
        require_round_trip(c);
    } else {
        fuzz_require(e.code < 0 && e.text[0] != '\0', "an error has a code and a text");
        require_line(e.text, NULL);
    }
    conf_free(c);
    for (size_t i = 0; i < n; i++) {
        free(environ[i]);
    }
    return 0;
}
