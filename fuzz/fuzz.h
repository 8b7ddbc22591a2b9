/* fuzz.h - what the fuzz targets share. A target is a function over bytes, as libFuzzer wants it; the
 * same targets are linked with replay.c, which feeds them the seeds, for a compiler without
 * libFuzzer. The readers take paths, so the bytes go through one temporary file a process. */
#ifndef GM_FUZZ_H
#define GM_FUZZ_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char fuzz_dir[32], fuzz_path[48];

static inline void fuzz_remove(void)
{
    unlink(fuzz_path);
    rmdir(fuzz_dir);
}

/* In memory where the system has such a folder: truncating a file on a disk takes a millisecond. */
static inline bool fuzz_folder(const char *parent)
{
    snprintf(fuzz_dir, sizeof fuzz_dir, "%s/gmner-fuzz-XXXXXX", parent);
    return mkdtemp(fuzz_dir) != NULL;
}

/* fuzz_file - write the bytes to the file "post.xml" of the process's temporary folder fuzz_dir, and
 * give its path. */
static inline const char *fuzz_file(const uint8_t *data, size_t size)
{
    static int fd = -1;
    if (fd < 0) {
        if (!fuzz_folder("/dev/shm") && !fuzz_folder("/tmp"))
            abort();
        snprintf(fuzz_path, sizeof fuzz_path, "%s/post.xml", fuzz_dir);
        fd = open(fuzz_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        atexit(fuzz_remove);
    }
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    return fuzz_path;
}

/* fuzz_end - what was allocated must be freed, whatever the bytes were. */
static inline void fuzz_end(void)
{
    if (gm_alloc_live()) {
        fprintf(stderr, "%zu blocks were not freed\n", gm_alloc_live());
        abort();
    }
}

#endif
