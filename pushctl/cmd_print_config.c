/* SPDX-License-Identifier: Apache-2.0 */
/* pushctl print-config: what the programs will see. */
#include <stdio.h>

#include "pushctl/pushctl.h"

int cmd_print_config(int argc, char **argv)
{
    struct pushctl_common o = {.config = pushctl_default_config};
    int status = pushctl_common_options(argc, argv, &o);
    if (status != 0) {
        return status;
    }
    struct conf *c = pushctl_load(o.config, o.is_quiet);
    if (c == NULL) {
        return EXIT_FAILED;
    }
    struct buf out = {0};
    conf_print(c, false, &out);
    size_t written = fwrite(out.p, 1, out.n, stdout);
    bool is_written = written == out.n && fflush(stdout) == 0;
    buf_free(&out);
    conf_free(c);
    return is_written ? EXIT_OK : pushctl_fail("cannot write to standard output");
}
