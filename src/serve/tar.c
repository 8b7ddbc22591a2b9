/* An archive is a block of 512 bytes that names the file, its bytes in blocks of 512, and so on; two empty blocks
 * are its end. Numbers are octal digits. A name that has no room there goes before it, as a file of its own of
 * type x, whose bytes are "LENGTH path=NAME\n", LENGTH that of the whole line (POSIX.1-2001, pax, extended header). */
#include "serve/tar.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/path.h"
#include "base/stop.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 512, NAME_MAX_BYTES = 99, MAX_FILES = 10000000 };

static const char zeros[2 * BLOCK];

/* Fields of the header by their offsets; the checksum counts itself as blanks. */
static void fill(char head[BLOCK], char type, const char *name, size_t n)
{
    unsigned sum = 0;
    memset(head, 0, BLOCK);
    memcpy(head, name, strnlen(name, NAME_MAX_BYTES));
    snprintf(head + 100, 8, "%07o", 0644u);
    snprintf(head + 108, 8, "%07o", 0u);
    snprintf(head + 116, 8, "%07o", 0u);
    snprintf(head + 124, 12, "%011zo", n);
    snprintf(head + 136, 12, "%011llo", (unsigned long long)time(NULL));
    memset(head + 148, ' ', 8);
    head[156] = type;
    memcpy(head + 257, "ustar\00000", 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += (unsigned char)head[i];
    snprintf(head + 148, 8, "%06o", sum);
}

static enum gm_status end_block(struct gm_buf *out, size_t n, struct gm_error *err)
{
    return gm_buf_add(out, zeros, (BLOCK - n % BLOCK) % BLOCK, err);
}

/* The name of the file that comes next. */
static enum gm_status add_name(struct gm_buf *out, const char *name, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char head[BLOCK], digits[24];
    size_t rest = strlen(" path=\n") + strlen(name), n = rest;
    while (n != rest + (size_t)snprintf(digits, sizeof digits, "%zu", n)) /* it counts itself */
        n = rest + strlen(digits);
    fill(head, 'x', "pax_header", n);
    GM_TRY(gm_buf_add(out, head, BLOCK, err));
    GM_TRY(gm_buf_printf(out, err, "%zu path=%s\n", n, name));
    GM_TRY(end_block(out, n, err));
done:
    return st;
}

static enum gm_status add_file(struct gm_buf *out, const char *path, const char *name,
                               struct gm_error *err)
{
    enum gm_status st = GM_OK;
    char head[BLOCK];
    if (strlen(name) > NAME_MAX_BYTES)
        GM_TRY(add_name(out, name, err));
    size_t at = out->n;
    GM_TRY(gm_buf_add(out, zeros, BLOCK, err));
    GM_TRY(gm_file_read(path, out, err));
    size_t n = out->n - at - BLOCK;
    fill(head, '0', name, n);
    memcpy(out->p + at, head, BLOCK);
    GM_TRY(end_block(out, n, err));
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
    const struct gm_limit limit = gm_limit_get();
    gm_arena_init(&a, 0);
    GM_TRY(gm_dir_list(&a, dir, MAX_FILES, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        GM_TRY(gm_limit_check(&limit, err));
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
