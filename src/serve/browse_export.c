/* All posts as they are now, through the writers of `gmner data`: into a file beside the one that is browsed, so
 * that paths of pictures are right there, which is read and removed. */
#include "serve/browse_internal.h"

#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/stop.h"
#include "formats/writer.h"
#include "record/image_path.h"
#include "serve/tar.h"

#include <stdio.h>
#include <unistd.h>

static enum gm_status write_post(struct gm_browse *b, struct gm_writer *w, size_t i,
                                 struct gm_error *err)
{
    struct gm_post post;
    struct gm_error why = {0};
    size_t version;
    enum gm_status st = gm_browse_post(b, i, &post, &version, err);
    if (st == GM_OK) {
        /* The source's path is absolute, which writers keep; of another they make one that suits the file. */
        if (post.source && gm_json_get(post.source, "image"))
            (void)gm_json_set(post.source, "image", gm_json_new_str(gm_image_name(post.image)));
        st = gm_writer_add(w, &post, &why);
        if (st == GM_EFORMAT) { /* one that the format can't hold; the others can be */
            GM_LOG(GM_LOG_WARN, "serve", "export: %s", why.msg);
            st = GM_OK;
        } else if (st != GM_OK) {
            st = GM_FAIL(err, st, "%s", why.msg);
        }
    }
    gm_post_clear(&post);
    return st;
}

static enum gm_status write_all(struct gm_browse *b, enum gm_format format, const char *path,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_writer *w = NULL;
    const struct gm_writer_opts opts = {.format = format};
    const struct gm_limit limit = gm_limit_get();
    GM_TRY(gm_writer_open(&w, path, &opts, err));
    for (size_t i = 0; i < b->n; i++) {
        GM_TRY(gm_limit_check(&limit, err));
        GM_TRY(write_post(b, w, i, err));
    }
    struct gm_writer *whole = w;
    w = NULL;
    GM_TRY(gm_writer_commit(whole, err));
done:
    gm_writer_abort(w);
    return st;
}

static void remove_all(const char *path)
{
    struct gm_arena a;
    const char **names;
    size_t n = 0;
    gm_arena_init(&a, 0);
    if (gm_is_dir(path) && gm_dir_list(&a, path, SIZE_MAX, &names, &n, NULL) == GM_OK)
        for (size_t i = 0; i < n; i++) {
            const char *file = gm_path_join(&a, path, names[i]);
            if (file)
                unlink(file);
        }
    if (gm_is_dir(path))
        rmdir(path);
    else
        unlink(path);
    gm_arena_clear(&a);
}

enum gm_status gm_browse_export(struct gm_browse *b, enum gm_format format, struct gm_buf *out,
                                struct gm_error *err)
{
    enum gm_status st = GM_OK;
    struct gm_arena a;
    gm_arena_init(&a, 0);
    const char *path = gm_arena_printf(&a, "%s.export-%ld.%s", b->path, (long)getpid(),
                                       format == GM_FORMAT_VOC ? "xml" : "tmp")
                           .p;
    if (!path) {
        st = GM_FAIL(err, GM_ENOMEM, "out of memory");
        goto done;
    }
    st = write_all(b, format, path, err);
    if (st == GM_OK)
        st = gm_is_dir(path) ? gm_tar_folder(out, path, "xml", err) : gm_file_read(path, out, err);
    remove_all(path);
done:
    gm_arena_clear(&a);
    return st;
}
