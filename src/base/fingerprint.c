#include "base/fingerprint.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/path.h"
#include "base/models.h"
#include "base/sha256.h"

#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 256 };

enum gm_status gm_fingerprint_file(const char *key, const char *path, struct gm_buf *out,
                                   struct gm_error *err)
{
    char hex[GM_SHA256_HEX];
    enum gm_status st = gm_sha256_file(path, hex, err);
    return st == GM_OK ? gm_buf_printf(out, err, "%s=%s\n", key, hex) : st;
}

enum gm_status gm_fingerprint_model(const char *model, struct gm_buf *out, struct gm_error *err)
{
    enum gm_status st = GM_OK;
    const char *dir, **names;
    size_t n;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    GM_TRY(gm_model_dir(&a, model, &dir, err));
    GM_TRY(gm_dir_list(&a, dir, FILES_MAX, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        const char *path = gm_path_join(&a, dir, names[i]);
        const char *key = gm_path_join(&a, model, names[i]);
        /* A model card is not part of what it computes. */
        if (gm_str_ends(gm_str(names[i]), GM_STR(".md")) || (path && !gm_is_file(path)))
            continue;
        if (!path || !key) {
            st = GM_FAIL(err, GM_ENOMEM, "out of memory");
            goto done;
        }
        GM_TRY(gm_fingerprint_file(key, path, out, err));
    }
done:
    gm_arena_clear(&a);
    return st;
}
