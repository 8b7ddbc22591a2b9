#include "record/image_path.h"

#include <unistd.h>

/* .p is NULL when memory is out. */
static struct gm_str path_from(struct gm_arena *a, struct gm_str dir, struct gm_str image)
{
    char cwd[4096];
    if (gm_str_starts(image, dir) && image.n > dir.n + 1 && image.p[dir.n] == '/')
        return gm_str_sub(image, dir.n + 1, image.n);
    if (image.p[0] == '/' || gm_str_eq_c(dir, ".") || !getcwd(cwd, sizeof cwd))
        return image;
    return gm_arena_printf(a, "%s/%.*s", cwd, GM_STR_ARG(image));
}

enum gm_status gm_post_place_image(struct gm_post *post, const char *dir, struct gm_error *err)
{
    struct gm_str given = GM_STR("");
    bool has_given = gm_json_str(gm_json_get(post->source, "image"), &given);
    if (!post->image.n || gm_str_starts(given, GM_STR("/")))
        return GM_OK;
    post->image = path_from(&post->arena, gm_str(dir), post->image);
    if (!post->image.p)
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    /* The record's writer keeps the fields of the input, so the path is changed there as well. */
    if (has_given && !gm_str_eq(given, post->image) &&
        !gm_json_set(post->source, "image", gm_json_new_str(post->image)))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    return GM_OK;
}
