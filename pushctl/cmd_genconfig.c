/* SPDX-License-Identifier: Apache-2.0 */
/* pushctl genconfig: a configuration to start with, whose secrets are random. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/rnd.h"
#include "common/format/b64.h"
#include "pushctl/pushctl.h"

#define SECRET_BYTES   64
#define PASSWORD_BYTES 16

static void add_secret(struct buf *out, size_t n)
{
    unsigned char bytes[SECRET_BYTES];
    rnd_bytes(bytes, n);
    b64url_encode(out, span_of(bytes, n));
    mem_wipe(bytes, sizeof(bytes));
}

static void compose(struct buf *out)
{
    buf_add_str(out, "{\n"
                     "  \"client\": {\n"
                     "    \"token\": {\n"
                     "      \"hmac_secret_key\": \"");
    add_secret(out, SECRET_BYTES);
    buf_add_str(out, "\"\n"
                     "    },\n"
                     "    \"allowed_origins\": []\n"
                     "  },\n"
                     "  \"admin\": {\n"
                     "    \"enabled\": false,\n"
                     "    \"password\": \"");
    add_secret(out, PASSWORD_BYTES);
    buf_add_str(out, "\",\n"
                     "    \"secret\": \"");
    add_secret(out, SECRET_BYTES);
    buf_add_str(out, "\"\n"
                     "  },\n"
                     "  \"http_api\": {\n"
                     "    \"key\": \"");
    add_secret(out, SECRET_BYTES);
    buf_add_str(out, "\"\n"
                     "  },\n"
                     "  \"engine\": {\n"
                     "    \"type\": \"redis\",\n"
                     "    \"redis\": {\n"
                     "      \"address\": \"redis://127.0.0.1:6379\"\n"
                     "    }\n"
                     "  },\n"
                     "  \"pushd\": {\n"
                     "    \"websocket_listen\": [\"127.0.0.1:8001\"],\n"
                     "    \"admin_listen\": \"127.0.0.1:8002\",\n"
                     "    \"api_listen\": \"unix:/run/pushd/push-api.sock\"\n"
                     "  }\n"
                     "}\n");
}

static int write_new(const char *path, struct span text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        return pushctl_fail("%s exists already and is left as it is; choose another name with -c",
                            path);
    }
    if (fd < 0) {
        return pushctl_fail("cannot create %s: %s", path, strerror(errno));
    }
    while (text.n > 0) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno != EINTR) {
            int error = errno;
            close(fd);
            unlink(path);
            return pushctl_fail("cannot write %s: %s", path, strerror(error));
        }
        text = n > 0 ? span_from(text, (size_t)n) : text;
    }
    if (close(fd) != 0) {
        return pushctl_fail("cannot write %s: %s", path, strerror(errno));
    }
    return EXIT_OK;
}

int cmd_genconfig(int argc, char **argv)
{
    struct pushctl_common o = {.config = "config.json"};
    int status = pushctl_common_options(argc, argv, &o);
    if (status != 0) {
        return status;
    }
    size_t n = strlen(o.config);
    if (n < 5 || strcmp(o.config + n - 5, ".json") != 0) {
        return pushctl_bad_usage(argv[0], "%s: only JSON is written; give the file the end .json",
                                 o.config);
    }
    struct buf text = {0};
    compose(&text);
    status = write_new(o.config, buf_span(&text));
    mem_wipe(text.p, text.n);
    buf_free(&text);
    return status;
}
