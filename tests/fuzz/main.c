/* SPDX-License-Identifier: Apache-2.0 */
/* Replays a corpus through a fuzz target where libFuzzer is not linked: make check runs this. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        return 1;
    }
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    /* An exact allocation, so that a sanitizer sees the first byte read too many. */
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    size_t got = data != NULL && size > 0 ? fread(data, 1, (size_t)size, f) : 0;
    fclose(f);
    if (data != NULL) {
        LLVMFuzzerTestOneInput(data, got);
    }
    free(data);
    return 0;
}

static int replay_dir(const char *dir, int *count)
{
    DIR *d = opendir(dir);
    if (d == NULL) {
        perror(dir);
        return 1;
    }
    int failed = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.') {
            continue;
        }
        char path[4096];
        if (snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) < (int)sizeof(path)) {
            failed |= replay(path);
            (*count)++;
        }
    }
    closedir(d);
    return failed;
}

/* Arguments: directories; else the corpus named after the program, below FUZZ_CORPUS_DIR. */
int main(int argc, char **argv)
{
    int count = 0;
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        failed |= replay_dir(argv[i], &count);
    }
    if (argc == 1) {
        const char *root = getenv("FUZZ_CORPUS_DIR");
        const char *name = strrchr(argv[0], '/');
        name = name != NULL ? name + 1 : argv[0];
        char dir[4096];
        snprintf(dir, sizeof(dir), "%s/%s.in", root != NULL ? root : "tests/fuzz", name);
        failed |= replay_dir(dir, &count);
    }
    printf("%s: %d inputs replayed\n", argv[0], count);
    return failed != 0 || count == 0;
}
