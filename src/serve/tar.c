/* An archive is a block of 512 bytes that names the file, its bytes in blocks of 512, and so on; two empty blocks
 * are its end. Numbers are octal digits. */
#include "serve/tar.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/path.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 512, NAME_MAX_BYTES = 99, MAX_FILES = 10000000 };

static const char zeros[2 * BLOCK];

/* Fields of the header by their offsets; the checksum counts itself as blanks. */
static void fill(char head[BLOCK], const char *name, size_t n)
{
    unsigned sum = 0;
    memset(head, 0, BLOCK);
    snprintf(head, NAME_MAX_BYTES + 1, "%s", name);
    snprintf(head + 100, 8, "%07o", 0644u);
    snprintf(head + 108, 8, "%07o", 0u);
    snprintf(head + 116, 8, "%07o", 0u);
    snprintf(head + 124, 12, "%011zo", n);
    snprintf(head + 136, 12, "%011llo", (unsigned long long)time(NULL));
    memset(head + 148, ' ', 8);
    head[156] = '0';
    memcpy(head + 257, "ustar\00000", 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += (unsigned char)head[i];
    snprintf(head + 148, 8, "%06o", sum);
}

static enum gm_status add_file(struct gm_buf *out, const char *path, const char *name,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char head[BLOCK];
    size_t at = out->n;
    if (strlen(name) > NAME_MAX_BYTES)
        return GM_FAIL(err, GM_EARG, "%s: a name of over %d bytes can't be in an archive", name,
                       NAME_MAX_BYTES);
    GM_TRY(gm_buf_add(out, zeros, BLOCK, err));
    GM_TRY(gm_file_read(path, out, err));
    size_t n = out->n - at - BLOCK;
    fill(head, name, n);
    memcpy(out->p + at, head, BLOCK);
    GM_TRY(gm_buf_add(out, zeros, (BLOCK - n % BLOCK) % BLOCK, err));
done:
    return st;
}

enum gm_status gm_tar_folder(struct gm_buf *out, const char *dir, const char *folder_name,
                             struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    const char **names;
    size_t n;
    gm_arena_init(&a, 0);
    GM_TRY(gm_dir_list(&a, dir, MAX_FILES, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        const char *path = gm_path_join(&a, dir, names[i]);
        const char *name = gm_path_join(&a, folder_name, names[i]);
        if (!path || !name) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
            goto done;
        }
        GM_TRY(add_file(out, path, name, err));
    }
    GM_TRY(gm_buf_add(out, zeros, sizeof zeros, err));
done:
    gm_arena_clear(&a);
    return st;
}
