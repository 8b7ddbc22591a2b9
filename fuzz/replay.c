/* replay.c - feeds files to a fuzz target: `replay_X FOLDER` runs every file of the folder through it,
 * and then each of them cut at every 7th byte. For compilers without libFuzzer, in ctest. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>

static size_t replay(const char *path)
{
    struct gm_buf file;
    struct gm_error err;
    gm_buf_init(&file, (size_t)1 << 24);
    if (gm_file_read(path, &file, &err) != GM_OK) {
        fprintf(stderr, "%s\n", err.msg);
        exit(1);
    }
    size_t n = file.n;
    uint8_t *copy = malloc(n + 1); /* not through gm_alloc: the target counts that */
    if (!copy)
        exit(1);
    for (size_t i = 0; i < n; i++)
        copy[i] = (uint8_t)file.p[i];
    gm_buf_clear(&file);
    (void)LLVMFuzzerTestOneInput(copy, n);
    const size_t step = n > 4000 ? n / 500 : 7;
    for (size_t cut = 0; cut < n; cut += step)
        (void)LLVMFuzzerTestOneInput(copy, cut);
    free(copy);
    return 1;
}

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    size_t n = 0;
    if (!dir) {
        fprintf(stderr, "usage: replay_X FOLDER-OF-SEEDS\n");
        return 2;
    }
    for (struct dirent *e; (e = readdir(dir));) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        if (gm_is_file(path))
            n += replay(path);
    }
    closedir(dir);
    printf("%zu seeds\n", n);
    return n ? 0 : 1;
}
