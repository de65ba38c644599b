/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of the login page: the content type in the first line, then the body. */
#include "pushd/admin/form.h"

#include "tests/fuzz/fuzz_util.h"

#define DELIMITER "\r\n--edge"

static void read_form(struct span in)
{
    size_t end = span_find(in, '\n', 0);
    struct buf value = {0};
    int rc = admin_form_field(span_of(in.p, end), span_from(in, end + 1), "password", &value);
    fuzz_require(rc <= 0, "a form has no other results");
    fuzz_require(value.n <= in.n, "a value is a part of the form");
    buf_free(&value);
}

static void find(const char *type, const struct buf *body, struct span want)
{
    struct buf value = {0};
    struct buf copy = {0};
    buf_add_span(&copy, want);
    fuzz_require(admin_form_field(span_str(type), buf_span(body), "password", &value) == 0,
                 "a field is found");
    fuzz_require_equal(&value, &copy, "its value comes back");
    buf_free(&value);
    buf_free(&copy);
}

static void write_forms(struct span value)
{
    struct buf body = {0};
    buf_add_str(&body, "user=x&password=");
    for (size_t i = 0; i < value.n; i++) {
        buf_addf(&body, i % 2 == 0 ? "%%%02x" : "%%%02X", (unsigned char)value.p[i]);
    }
    buf_add_str(&body, "&password=second");
    find("application/x-www-form-urlencoded; charset=utf-8", &body, value);
    buf_clear(&body);
    /* A sender chooses a boundary that the value does not hold, at its beginning neither. */
    if (!span_starts(value, span_str(DELIMITER + 2)) &&
        memmem(value.p, value.n, DELIMITER, strlen(DELIMITER)) == NULL) {
        buf_add_str(&body,
                    "--edge\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\nx" DELIMITER
                    "\r\ncontent-disposition:form-data;name=password\r\n\r\n");
        buf_add_span(&body, value);
        buf_add_str(&body, DELIMITER "--\r\n");
        find("Multipart/Form-Data; boundary=\"edge\"", &body, value);
    }
    buf_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span in = size != 0 ? span_of(data, size) : SPAN("");
    read_form(in);
    write_forms(in);
    return 0;
}
