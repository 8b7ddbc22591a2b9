#include "record/image_path.h"

#include "base/path.h"

#include <string.h>

bool gm_image_is_address(struct gm_str image)
{
    size_t n = gm_str_find(image, GM_STR("://"), 0);
    if (n == SIZE_MAX || n == 0)
        return gm_str_starts(image, GM_STR("data:"));
    for (size_t i = 0; i < n; i++) {
        char c = image.p[i] | 32;
        bool letter = c >= 'a' && c <= 'z';
        if (!letter && (i == 0 || !strchr("0123456789+-.", image.p[i])))
            return false;
    }
    return true;
}

struct gm_str gm_image_name(struct gm_str image)
{
    size_t end = 0;
    if (gm_str_starts(image, GM_STR("data:"))) {
        while (end < image.n && image.p[end] != ';' && image.p[end] != ',' && end < 40)
            end++;
        return gm_str_sub(image, 0, end);
    }
    bool address = gm_image_is_address(image) || gm_str_starts(image, GM_STR("/data/"));
    while (end < image.n && !(address && (image.p[end] == '?' || image.p[end] == '#')))
        end++;
    return gm_path_file(gm_str_sub(image, 0, end));
}

bool gm_image_has_ending(struct gm_str image)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".png",  ".webp", ".gif", ".bmp",
                                       ".tif", ".tiff", ".heic", ".heif", ".avif"};
    struct gm_str name = gm_image_name(image);
    char lower[6] = "";
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct gm_str end = gm_str(ends[i]);
        if (name.n < end.n)
            continue;
        for (size_t k = 0; k < end.n; k++) {
            char c = name.p[name.n - end.n + k];
            lower[k] = (char)(c >= 'A' && c <= 'Z' ? c | 32 : c);
        }
        if (memcmp(lower, end.p, end.n) == 0)
            return true;
    }
    return false;
}

struct gm_str gm_image_absolute(struct gm_arena *a, struct gm_str image)
{
    return gm_image_is_address(image) ? gm_arena_str(a, image) : gm_path_absolute(a, image);
}

/* A datum as the name of a picture: a string, the path or address of an object, the first of a list. */
static struct gm_str named_picture(const struct gm_json *j)
{
    static const char *const keys[] = {"path", "url", "file_name"};
    struct gm_str s = GM_STR("");
    if (gm_json_kind(j) == GM_JSON_ARRAY)
        j = gm_json_at(j, 0);
    if (gm_json_kind(j) != GM_JSON_OBJECT)
        return gm_json_str(j, &s) ? s : GM_STR("");
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !s.n; i++)
        (void)gm_json_str(gm_json_get(j, keys[i]), &s);
    return s;
}

/* The picture that the source names, under any usual name; "image" becomes that name alone. */
static enum gm_status find_picture(struct gm_json *source, struct gm_str *out, struct gm_error *err)
{
    static const char *const names[] = {"image", "image_path", "img_path", "image_file",
                                        "img",   "image_url",  "images"};
    *out = GM_STR("");
    for (size_t i = 0; i < sizeof names / sizeof *names && !out->n; i++)
        *out = named_picture(gm_json_get(source, names[i]));
    struct gm_json *image = gm_json_get(source, "image");
    enum gm_json_kind kind = gm_json_kind(image);
    if (kind == GM_JSON_BOOL || kind == GM_JSON_INT || kind == GM_JSON_REAL)
        return GM_FAIL(err, GM_EFORMAT, "\"image\": expected a string, found %s",
                       gm_json_kind_name(kind));
    if (!out->n && (kind == GM_JSON_OBJECT || (kind == GM_JSON_ARRAY && gm_json_at(image, 0))))
        return GM_FAIL(err, GM_EFORMAT, "\"image\": %s without \"path\", \"url\" or \"file_name\"",
                       gm_json_kind_name(kind));
    if (!out->n || (kind == GM_JSON_STRING && named_picture(image).n))
        return GM_OK;
    if ((kind == GM_JSON_ARRAY || kind == GM_JSON_OBJECT) && !gm_json_get(source, "images") &&
        !gm_json_set(source, "images", gm_json_ref(image)))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    if (!gm_json_set(source, "image", gm_json_new_str(*out)))
        return GM_FAIL(err, GM_ENOMEM, "out of memory");
    (void)gm_json_str(gm_json_get(source, "image"), out);
    return GM_OK;
}

enum gm_status gm_post_read_image(struct gm_post *post, const char *base_dir, struct gm_error *err)
{
    struct gm_str given;
    enum gm_status st = find_picture(post->source, &given, err);
    if (st != GM_OK || given.n == 0)
        return st;
    if (gm_str_starts(given, GM_STR("file:///")))
        given = gm_str_sub(given, sizeof "file://" - 1, given.n);
    return gm_post_set_image(post, base_dir, given, err);
}

struct gm_str gm_post_other_picture(const struct gm_post *post)
{
    static const char *const texts[] = {"id", "text", "caption", "caption_short", "knowledge"};
    for (void *it = post->source ? gm_json_first(post->source) : NULL; it;
         it = gm_json_next(post->source, it)) {
        struct gm_str name = named_picture(gm_json_value(it));
        size_t i = 0;
        while (i < sizeof texts / sizeof *texts && !gm_str_eq_c(gm_json_key(it), texts[i]))
            i++;
        if (i == sizeof texts / sizeof *texts && gm_image_has_ending(name) &&
            gm_str_find(name, GM_STR(" "), 0) == SIZE_MAX)
            return gm_json_key(it);
    }
    return GM_STR("");
}

/* .p is NULL when memory is out. */
static struct gm_str path_from(struct gm_arena *a, struct gm_str dir, struct gm_str image)
{
    if (gm_str_starts(image, dir) && image.n > dir.n + 1 && image.p[dir.n] == '/')
        return gm_str_sub(image, dir.n + 1, image.n);
    return gm_str_eq_c(dir, ".") ? image : gm_image_absolute(a, image);
}

enum gm_status gm_post_set_image(struct gm_post *post, const char *base_dir, struct gm_str given,
                                 struct gm_error *err)
{
    bool as_is = gm_str_starts(given, GM_STR("/")) || gm_image_is_address(given) || !base_dir ||
                 strcmp(base_dir, ".") == 0;
    if (memchr(given.p, 0, given.n))
        return GM_FAIL(err, GM_EFORMAT, "\"image\": a NUL character in the path");
    post->image = gm_path_below(&post->arena, as_is ? "" : base_dir, given);
    return post->image.p ? GM_OK : GM_FAIL(err, GM_ENOMEM, "out of memory");
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
