/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay - runs a fuzz target over its stored corpus, for `make check`, where
 * there is no libFuzzer. Arguments: files or directories; without any, the
 * corpus of the target.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static int files;

static void run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data, *exact;
    size_t n, size = 0;

    if (!f) {
        perror(path);
        exit(1);
    }
    data = malloc(4 * 1024 * 1024);
    if (!data) abort();
    while ((n = fread(data + size, 1, 65536, f)) > 0) {
        size += n;
        if (size > 4 * 1024 * 1024 - 65536) break;
    }
    fclose(f);
    /* Ends where its memory ends, so that a sanitizer sees a read behind it. */
    exact = malloc(size ? size : 1);
    if (!exact) abort();
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    free(data);
    files++;
}

static void run_path(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    char name[4096];

    if (!dir) {
        run_file(path);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        run_file(name);
    }
    closedir(dir);
}

int main(int argc, char **argv)
{
    int i;

    if (argc < 2) run_path(CORPUS);
    for (i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("%d inputs\n", files);
    return files ? 0 : 1;
}
